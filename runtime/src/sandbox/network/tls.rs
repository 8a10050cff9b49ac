//! TLS as a client: the public roots, the operator's own, and HTTP/1.1.
//!
//! The provider is named here and taken from no process-wide default, which any crate could have set.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use wasmtime_wasi_http::Error;

use super::NetworkError;
use crate::grant::host::TargetHost;

/// Reads the operator's certificates, each of which must be usable: one that is skipped silently would be
/// looked for in vain when a connection fails.
pub(super) fn read_roots(pem: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>, NetworkError> {
    let Some(pem) = pem else { return Ok(Vec::new()) };
    let unusable = |reason: String| NetworkError::ExtraCa(reason);
    let mut roots = Vec::new();
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        store.add(certificate.clone()).map_err(|error| unusable(error.to_string()))?;
        roots.push(certificate);
    }
    if roots.is_empty() { Err(unusable("there is no certificate in the file".to_owned())) } else { Ok(roots) }
}

/// Builds the client.
pub(super) fn client(extra: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in extra {
        roots.add(certificate.clone()).map_err(|_| Error::ConfigurationError)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::ConfigurationError)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A resumed session would tell a server that two skills live in one program.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The name that the certificate must be for: the one that matched the grant.
pub(super) fn server_name(host: &TargetHost) -> Result<ServerName<'static>, Error> {
    match host {
        TargetHost::Name(name) => {
            ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)
        }
        TargetHost::Address(address) => Ok(ServerName::from(*address)),
    }
}

/// What a failed handshake is to the guest.
pub(super) fn handshake_error(error: &std::io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: None }
        }
        _ => Error::TlsProtocolError,
    }
}

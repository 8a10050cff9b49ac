//! Certificates for whatever name a client asks for, from an authority that only the probes' runtime trusts.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use super::{Shared, lock};

/// The authority.
pub(super) struct Identity {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Identity {
    pub(super) fn new() -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::<String>::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    pub(super) fn authority_pem(&self) -> String {
        self.issuer.pem()
    }

    /// What speaks TLS, and notes for whom.
    pub(super) fn acceptor(self, shared: Arc<Shared>) -> Result<TlsAcceptor> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("no TLS can be spoken")?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AnyName { identity: self, shared }));
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn certificate(&self, name: Option<&str>, addresses: &[IpAddr]) -> Result<CertifiedKey> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(name.map(str::to_owned).into_iter().collect::<Vec<_>>())?;
        parameters.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing = ring::sign::any_supported_type(&private)?;
        Ok(CertifiedKey::new(vec![certificate.der().clone()], signing))
    }
}

/// A certificate for each name as it is asked for; for an address, of all that were dialled.
struct AnyName {
    identity: Identity,
    shared: Arc<Shared>,
}

impl fmt::Debug for AnyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AnyName")
    }
}

impl ResolvesServerCert for AnyName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_owned);
        let addresses: Vec<IpAddr> = {
            let mut traffic = lock(&self.shared.traffic);
            traffic.greeted.extend(name.clone());
            traffic.dialled.iter().map(std::net::SocketAddr::ip).collect()
        };
        self.identity.certificate(name.as_deref(), &addresses).ok().map(Arc::new)
    }
}

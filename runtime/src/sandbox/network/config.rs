//! What the operator decides about the network, in one value that `gateway.toml` is read into.
//!
//! Nothing here has a default that comes from the environment: no proxy variables, no certificate variables.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Dialer, ProxyUrl, Resolver, SystemResolver, TcpDialer};
use crate::grant::host::HostCeiling;

/// The operator's decisions.
#[derive(Clone)]
#[non_exhaustive]
pub struct NetworkConfig {
    /// Who resolves names.
    pub resolver: Arc<dyn Resolver>,
    /// Who opens TCP connections. A seam for tests and embedding programs, which may lead an address to a
    /// recording server: it comes after every check and is set by code only, by no SOUL.md, no gateway.toml
    /// and no variable.
    pub dialer: Arc<dyn Dialer>,
    /// Certificates in PEM that are trusted beside the public ones.
    pub extra_ca_pem: Option<Vec<u8>>,
    /// The proxy through which every connection goes, to the address that was checked.
    pub proxy: Option<ProxyUrl>,
    /// Where the gateway listens: never reached, whatever is granted.
    pub own_listeners: Vec<SocketAddr>,
    /// What any agent may reach at most.
    pub ceiling: HostCeiling,
    /// How much and how long.
    pub limits: NetworkLimits,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            resolver: Arc::new(SystemResolver::new()),
            dialer: Arc::new(TcpDialer),
            extra_ca_pem: None,
            proxy: None,
            own_listeners: Vec::new(),
            ceiling: HostCeiling::default(),
            limits: NetworkLimits::default(),
        }
    }
}

/// How much one call may use of the network, and how long each step may take. A guest's own timeouts only
/// shorten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkLimits {
    /// For lookup, connection and TLS together.
    pub connect_timeout: Duration,
    /// From the request to the whole head of the response, and then between two parts of its body.
    pub first_byte_timeout: Duration,
    /// One response's body, in bytes.
    pub response_body: u64,
    /// One request's body, in bytes.
    pub request_body: u64,
    /// The head of one request or response, in bytes.
    pub headers: usize,
    /// Requests of one call.
    pub requests_per_call: u64,
    /// Requests of one call at the same time, until each response is read or dropped.
    pub concurrent: usize,
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(30),
            response_body: 16 << 20,
            request_body: 4 << 20,
            headers: 64 << 10,
            requests_per_call: 100,
            concurrent: 8,
        }
    }
}

/// Why a [`NetworkConfig`] can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The extra certificates can't be read, and why.
    #[error("the extra CA certificates can't be used: {0}")]
    ExtraCa(String),
    /// The proxy's URL is not `http://host:port`.
    #[error("expected a proxy as `http://host:port`, found {0}")]
    Proxy(String),
}

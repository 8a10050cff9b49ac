//! The network: `wasi:http` requests, and nothing else, to the hosts that a skill was granted.
//!
//! No default way to send a request is compiled into the engine, so this is the only one. Every request takes
//! one path (`call`): read the target strictly, then the operator's ceiling, the grant, the method, the
//! counts, the body as a whole if the overseer inspects it, the overseer; then one lookup, whose every answer is judged; then a connection to exactly the
//! judged address, TLS for the very name that matched, and the request. Nothing is looked up twice, no
//! redirect is followed, no variable of the environment changes where a request goes.
//!
//! [`NetworkConfig`] is the operator's, [`Network`] is one for the program, [`SkillNetwork`] one for each
//! bound skill (connections are never shared between skills).

mod attempt;
pub(crate) mod call;
pub mod config;
mod connection;
pub mod decide;
mod dial;
mod headers;
mod masked_body;
pub mod outbound;
mod pool;
pub mod proxy;
mod refusal;
mod request_body;
mod resolve;
mod response_body;
mod secrets;
mod spool;
mod tls;

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;

use crate::denial::Denial;
use crate::grant::HostGrant;

pub(crate) use call::{CHUNK, CallNetwork};
pub use config::{NetworkConfig, NetworkError, NetworkLimits};
pub use decide::judge_request;
pub use dial::{Dialer, TcpDialer};
pub(crate) use headers::filter as forbidden_headers;
pub use outbound::{Outbound, OutboundError, OutboundUrl, Sent};
pub use proxy::ProxyUrl;
pub use resolve::{Resolver, SystemResolver};
pub(crate) use secrets::SkillSecrets;

/// Asked before bytes leave, with how many; the denial ends the request. For budgets that outlast one call.
pub type EgressBudget = Arc<dyn Fn(u64) -> Result<(), Denial> + Send + Sync>;

/// Lookups that one skill may have under way. A lookup can't be cancelled once the system's resolver has it,
/// so a skill that owns a slow name server could otherwise use up every thread that resolves names.
const LOOKUPS_PER_SKILL: usize = 4;

/// The way out of this program, one for all skills.
pub struct Network {
    config: NetworkConfig,
    extra_roots: Vec<CertificateDer<'static>>,
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Network {
    /// Checks the configuration. What TLS needs is built when the first https request is made.
    ///
    /// # Errors
    ///
    /// When the extra certificates can't be read.
    pub fn new(config: NetworkConfig) -> Result<Arc<Self>, NetworkError> {
        let extra_roots = tls::read_roots(config.extra_ca_pem.as_deref())?;
        Ok(Arc::new(Self { config, extra_roots, tls: OnceLock::new() }))
    }

    /// The configuration that it was made with.
    #[must_use]
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// The TLS client, built once.
    fn tls(&self) -> Result<Arc<ClientConfig>, wasmtime_wasi_http::Error> {
        if let Some(built) = self.tls.get() {
            return Ok(Arc::clone(built));
        }
        let built = tls::client(&self.extra_roots)?;
        Ok(Arc::clone(self.tls.get_or_init(|| built)))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Network").field("limits", &self.config.limits).finish_non_exhaustive()
    }
}

/// What one bound skill reaches, and its idle connections.
#[derive(Debug)]
pub struct SkillNetwork {
    grants: Vec<HostGrant>,
    secrets: SkillSecrets,
    network: Arc<Network>,
    pool: Arc<pool::Pool>,
    lookups: Arc<Semaphore>,
}

impl SkillNetwork {
    /// The network of one skill with these grants.
    #[must_use]
    pub fn new(grants: Vec<HostGrant>, network: Arc<Network>) -> Arc<Self> {
        Self::with_secrets(grants, SkillSecrets::default(), network)
    }

    /// The same, with what is added to requests on their way out.
    pub(crate) fn with_secrets(
        grants: Vec<HostGrant>,
        secrets: SkillSecrets,
        network: Arc<Network>,
    ) -> Arc<Self> {
        Arc::new(Self {
            grants,
            secrets,
            network,
            pool: Arc::default(),
            lookups: Arc::new(Semaphore::new(LOOKUPS_PER_SKILL)),
        })
    }
}

#[cfg(test)]
mod tests;

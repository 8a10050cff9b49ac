//! From a name to addresses: asked once a request, the answers judged by the caller.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::sandbox::overseer::BoxFuture;

/// Resolves host names.
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a name, which is lower case and without a trailing dot. No address is a name that
    /// does not exist.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Lookups at once in the whole program: each of them holds a thread until the system answers.
const LOOKUPS: usize = 64;

/// The system's own resolver.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    slots: Arc<Semaphore>,
}

impl SystemResolver {
    /// A resolver with slots of its own.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS)) }
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let name = absolute(name);
        let slots = Arc::clone(&self.slots);
        Box::pin(async move {
            let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
            // The slot goes with the thread, which can't be stopped, not with the caller, who may give up.
            let lookup = move || {
                let addresses = (name.as_str(), 0).to_socket_addrs()?.map(|address| address.ip()).collect();
                drop(slot);
                Ok(addresses)
            };
            tokio::task::spawn_blocking(lookup).await.map_err(io::Error::other)?
        })
    }
}

/// The name as the system is asked for it. The dot at the end keeps search domains out: `api.example.com`
/// must not become `api.example.com.corp.example`, which somebody else may own. A name of one label lives by
/// them.
fn absolute(name: &str) -> String {
    if name.contains('.') { format!("{name}.") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_domain_is_never_appended_to_a_full_name() {
        assert_eq!(absolute("api.example.com"), "api.example.com.");
        assert_eq!(absolute("nas"), "nas");
    }

    #[tokio::test]
    async fn the_systems_resolver_answers() {
        let found = SystemResolver::new().resolve("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty());
    }
}

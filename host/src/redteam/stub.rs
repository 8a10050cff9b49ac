//! The stub network: names resolve to addresses of its own making, every connection ends at one recording server in this
//! process, and everything that was asked, dialled or sent is written down. Nothing leaves this machine.

mod certificate;
pub(crate) mod echo;
mod server;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use soulbound_runtime::sandbox::BoxFuture;
use soulbound_runtime::sandbox::network::{Dialer, NetworkConfig, Resolver};
use tokio::net::TcpStream;

use super::attack::Contact;

/// What reached the network.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Names that were looked up.
    pub(crate) asked: Vec<String>,
    /// Addresses that were dialled.
    pub(crate) dialled: Vec<SocketAddr>,
    /// Names for which TLS was begun.
    pub(crate) greeted: Vec<String>,
    /// Requests that arrived: head, and the beginning of the body.
    pub(crate) requests: Vec<(String, String)>,
}

impl Traffic {
    /// All of it as one text.
    pub(crate) fn text(&self) -> String {
        let requests = self.requests.iter().map(|(head, body)| format!("{head}\n{body}"));
        self.asked.iter().chain(&self.greeted).cloned().chain(requests).collect::<Vec<_>>().join("\n")
    }
}

/// What is shared by resolver, dialer and server.
#[derive(Default)]
struct Shared {
    traffic: Mutex<Traffic>,
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    redirect: Mutex<Option<String>>,
    echo: Mutex<Option<echo::Echo>>,
}

/// One skill's stub network.
pub(crate) struct Stub {
    shared: Arc<Shared>,
    server: SocketAddr,
    authority: Vec<u8>,
}

impl Stub {
    /// Starts the server. It lives as long as the executor.
    pub(crate) async fn start() -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let identity = certificate::Identity::new()?;
        let authority = identity.authority_pem().into_bytes();
        let server = server::start(identity, Arc::clone(&shared)).await?;
        Ok(Self { shared, server, authority })
    }

    /// The operator's network settings over this network: ceiling and limits stay as they are.
    pub(crate) fn under(&self, mut config: NetworkConfig, own: Vec<SocketAddr>) -> NetworkConfig {
        config.resolver = Arc::new(StubResolver(Arc::clone(&self.shared)));
        config.dialer = Arc::new(StubDialer { shared: Arc::clone(&self.shared), server: self.server });
        config.extra_ca_pem = Some(self.authority.clone());
        // Through a proxy the dialler would see the proxy's address only.
        config.proxy = None;
        config.own_listeners.extend(own);
        config
    }

    /// Where its server listens, really, on this machine.
    pub(crate) fn server(&self) -> SocketAddr {
        self.server
    }

    /// Sets the scene for one attack, and forgets what was seen before.
    pub(crate) fn set(&self, contact: &Contact) {
        *lock(&self.shared.traffic) = Traffic::default();
        *lock(&self.shared.answers) = contact.answers.iter().cloned().collect();
        lock(&self.shared.redirect).clone_from(&contact.redirect);
        *lock(&self.shared.echo) = contact.echo;
    }

    /// What was seen since.
    pub(crate) fn take(&self) -> Traffic {
        std::mem::take(&mut *lock(&self.shared.traffic))
    }
}

/// A public address for a name; the same for the same name.
pub(crate) fn public(name: &str) -> IpAddr {
    let sum = name.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    IpAddr::from([93, 184, 215, sum])
}

struct StubResolver(Arc<Shared>);

impl Resolver for StubResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        lock(&self.0.traffic).asked.push(name.to_owned());
        let answer = match lock(&self.0.answers).get_mut(name) {
            Some(lists) if lists.len() > 1 => lists.remove(0),
            Some(lists) => lists.first().cloned().unwrap_or_default(),
            None => vec![public(name)],
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

struct StubDialer {
    shared: Arc<Shared>,
    server: SocketAddr,
}

impl Dialer for StubDialer {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        lock(&self.shared.traffic).dialled.push(address);
        Box::pin(TcpStream::connect(self.server))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! One skill's network in a world of its own: who was looked up, who was dialled, what was recorded.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use tokio::net::TcpStream;
use wasmtime_wasi_http::{Error, WasiBody};

use super::server::{self, Identity, Log, Script};
use crate::denial::{Denial, RuleRef};
use crate::grant::{HostGrant, SecretGrant};
use crate::sandbox::clock::CallClock;
use crate::sandbox::network::call::CallNetwork;
use crate::sandbox::network::{
    Dialer, Network, NetworkConfig, NetworkLimits, Resolver, SkillNetwork, SkillSecrets,
};
use crate::sandbox::overseer::{BoxFuture, Overseer, Unattended};
use crate::sandbox::secret::SecretSource;
use crate::sandbox::witness::{LastWord, Ledger, Witness};

/// What a lookup answers.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// These, one list after the other; the last one again and again.
    Lists(Vec<Vec<IpAddr>>),
    Failure,
    Never,
}

#[derive(Default)]
pub(super) struct FakeResolver {
    pub(super) answers: Mutex<HashMap<String, Answer>>,
    pub(super) asked: Mutex<Vec<String>>,
}

impl Resolver for FakeResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(name) {
            Some(Answer::Lists(lists)) if lists.len() > 1 => Answer::Lists(vec![lists.remove(0)]),
            Some(answer) => answer.clone(),
            None => Answer::Lists(vec![vec![public(name)]]),
        };
        Box::pin(async move {
            match answer {
                Answer::Lists(lists) => Ok(lists.into_iter().next().unwrap_or_default()),
                Answer::Failure => Err(io::Error::other("SERVFAIL")),
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

/// A public address for a name that the test says nothing about; every name has its own.
pub(super) fn public(name: &str) -> IpAddr {
    let sum = name.bytes().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    IpAddr::from([93, 184, 215, sum])
}

/// Leads every address to one server.
pub(super) struct FakeDialer {
    pub(super) server: SocketAddr,
    pub(super) dialled: Mutex<Vec<SocketAddr>>,
    pub(super) dead: Mutex<Vec<IpAddr>>,
}

impl Dialer for FakeDialer {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.dialled.lock().unwrap().push(address);
        let dead = self.dead.lock().unwrap().contains(&address.ip());
        Box::pin(async move {
            if dead {
                return std::future::pending().await;
            }
            TcpStream::connect(self.server).await
        })
    }
}

pub(super) struct World {
    pub(super) resolver: Arc<FakeResolver>,
    pub(super) dialer: Arc<FakeDialer>,
    pub(super) log: Arc<Log>,
    pub(super) config: NetworkConfig,
}

impl World {
    pub(super) async fn new(identity: &Identity, script: Script) -> Self {
        let (server, log) = server::start(identity, script).await;
        let resolver = Arc::new(FakeResolver::default());
        let dialer = Arc::new(FakeDialer { server, dialled: Mutex::default(), dead: Mutex::default() });
        let config = NetworkConfig {
            resolver: Arc::clone(&resolver) as _,
            dialer: Arc::clone(&dialer) as _,
            extra_ca_pem: Some(identity.ca_pem.clone().into_bytes()),
            limits: NetworkLimits {
                connect_timeout: Duration::from_secs(5),
                first_byte_timeout: Duration::from_secs(5),
                ..NetworkLimits::default()
            },
            ..NetworkConfig::default()
        };
        Self { resolver, dialer, log, config }
    }

    pub(super) async fn plain(script: Script) -> Self {
        Self::new(&Identity::of(&["api.example.com"]), script).await
    }

    pub(super) fn answers(&self, name: &str, addresses: &[&str]) {
        let list = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.resolver.answers.lock().unwrap().insert(name.to_owned(), Answer::Lists(vec![list]));
    }

    pub(super) fn skill(&self, grants: &[&str]) -> Arc<SkillNetwork> {
        let grants = grants.iter().map(|entry| HostGrant::parse(entry, rule(entry)).unwrap()).collect();
        SkillNetwork::new(grants, Network::new(self.config.clone()).unwrap())
    }

    /// The same, with secrets from this source.
    pub(super) fn with_secrets(
        &self,
        grants: &[&str],
        secrets: &[&str],
        source: Option<Arc<dyn SecretSource>>,
    ) -> Arc<SkillNetwork> {
        let grants = grants.iter().map(|entry| HostGrant::parse(entry, rule(entry)).unwrap()).collect();
        let line = |entry: &str| RuleRef { text: format!("secrets: {entry}"), ..rule(entry) };
        let secrets: Vec<SecretGrant> =
            secrets.iter().map(|entry| SecretGrant::parse(entry, line(entry)).unwrap()).collect();
        let secrets = SkillSecrets::new("echo", &secrets, source);
        SkillNetwork::with_secrets(grants, secrets, Network::new(self.config.clone()).unwrap())
    }

    pub(super) fn dialled(&self) -> Vec<SocketAddr> {
        self.dialer.dialled.lock().unwrap().clone()
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.resolver.asked.lock().unwrap().clone()
    }
}

pub(super) fn rule(entry: &str) -> RuleRef {
    RuleRef { file: "SOUL.md".into(), line: 14, column: 12, text: format!("hosts: {entry}") }
}

/// One call.
pub(super) struct TestCall {
    pub(super) network: CallNetwork,
    witness: Arc<Witness>,
}

impl TestCall {
    pub(super) fn of(skill: &Arc<SkillNetwork>) -> Self {
        Self::watched(skill, Arc::new(Unattended), None)
    }

    pub(super) fn watched(
        skill: &Arc<SkillNetwork>,
        overseer: Arc<dyn Overseer>,
        egress: Option<super::super::EgressBudget>,
    ) -> Self {
        let clock = CallClock::start(Duration::from_secs(60));
        let witness = Arc::new(Witness::new("browser".into(), "echo".into(), overseer, clock));
        Self { network: CallNetwork::new(Arc::clone(skill), Arc::clone(&witness), egress), witness }
    }

    pub(super) async fn send(&self, request: Request<WasiBody>) -> Result<Response<WasiBody>, Error> {
        self.network.send(request, None).await
    }

    pub(super) async fn get(&self, url: &str) -> Result<Response<WasiBody>, Error> {
        self.send(request("GET", url).unwrap()).await
    }

    /// Sends and reads the body to its end.
    pub(super) async fn text(&self, url: &str) -> Result<String, Error> {
        let body = self.get(url).await?.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }

    /// The guest is gone, as after a kill.
    pub(super) fn end(&self) {
        drop(LastWord(Arc::clone(&self.witness)));
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.witness.ledger()
    }

    pub(super) fn denial(&self) -> Denial {
        self.ledger().denials.first().cloned().expect("nothing was denied")
    }
}

/// A request as a guest makes it: scheme, authority and path apart, in the guest's own reading of the URL.
pub(super) fn request(method: &str, url: &str) -> Option<Request<WasiBody>> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap();
    request_of(method, scheme, authority, path)
}

/// The same from its parts, built the way wasmtime builds it; `None` where wasmtime would refuse to.
pub(super) fn request_of(
    method: &str,
    scheme: &str,
    authority: &str,
    path: &str,
) -> Option<Request<WasiBody>> {
    let uri = http::Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()?;
    Request::builder().method(method).uri(uri).body(empty()).ok()
}

pub(super) fn empty() -> WasiBody {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

pub(super) fn full(bytes: Vec<u8>) -> WasiBody {
    Full::new(Bytes::from(bytes)).map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

/// A body that never ends.
pub(super) fn endless() -> WasiBody {
    struct Endless(std::pin::Pin<Box<tokio::time::Sleep>>);
    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Error;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
            std::task::ready!(self.0.as_mut().poll(context));
            self.0 = Box::pin(tokio::time::sleep(Duration::from_millis(2)));
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(b"again")))))
        }
    }
    Endless(Box::pin(tokio::time::sleep(Duration::from_millis(2)))).boxed_unsync()
}

//! Servers over TLS on loopback, with a certificate authority of the test's own that the operator's `ca_file` names.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Agent;

/// A certificate authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A running server; it ends with the test's process.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Authority {
    /// One that nobody has heard of.
    #[must_use]
    pub fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes its certificate beside the agent, and gives the line of `gateway.toml` that trusts it.
    #[must_use]
    pub fn trusted_by(&self, agent: &Agent) -> String {
        let path: PathBuf = agent.outside("ca.pem");
        std::fs::write(&path, self.0.pem()).unwrap();
        format!("[network]\nca_file = \"{}\"\n", path.display())
    }

    /// A server on 127.0.0.1 that answers each request, by its head, with the whole text that `answer` makes.
    #[must_use]
    pub fn peer(&self, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> TlsPeer {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let (config, answer) = (Arc::new(config), Arc::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (config, answer, seen) = (Arc::clone(&config), Arc::clone(&answer), Arc::clone(&seen));
                thread::spawn(move || serve(stream, config, &seen, &*answer));
            }
        });
        TlsPeer { port, requests }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl TlsPeer {
    /// `https://127.0.0.1:PORT`: also how it is granted.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The requests so far, heads as they came.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An answer with this status, these further header lines and this content.
#[must_use]
pub fn reply(status: &str, headers: &str, content: &str) -> String {
    let length = content.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{content}")
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    seen: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str) -> String,
) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(head.clone());
    let _ = stream.write_all(answer(&head).as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

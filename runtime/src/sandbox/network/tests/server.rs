//! A recording HTTP/1.1 server on loopback, with TLS where the client starts it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the server does with each request.
#[derive(Clone)]
pub(super) enum Script {
    /// These bytes, then the next request.
    Reply(String),
    /// The first reply once, the second from then on.
    Then(String, String),
    /// Reads and never answers.
    Silence,
    /// The start of a response before the request's body, which is then read for as long as it comes.
    Early,
    /// `start`, then `piece` again and again with a pause.
    Drip { start: String, piece: String, pause: Duration },
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) connection: usize,
    pub(super) head: String,
    pub(super) body: usize,
    /// The body as it was on the wire.
    pub(super) bytes: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) requests: Mutex<Vec<Seen>>,
    pub(super) accepted: AtomicUsize,
    pub(super) closed: AtomicUsize,
}

impl Log {
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.requests.lock().unwrap().clone()
    }
}

/// A certificate authority of the test's own, and a certificate for these names and addresses.
pub(super) struct Identity {
    pub(super) ca_pem: String,
    acceptor: TlsAcceptor,
}

impl Identity {
    pub(super) fn of(names: &[&str]) -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        Self { ca_pem: issuer.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

/// Starts a server; it lives as long as the test's runtime.
pub(super) async fn start(identity: &Identity, script: Script) -> (SocketAddr, Arc<Log>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let log = Arc::new(Log::default());
    let (acceptor, shared) = (identity.acceptor.clone(), Arc::clone(&log));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = shared.accepted.fetch_add(1, Ordering::SeqCst);
            let (acceptor, script, log) = (acceptor.clone(), script.clone(), Arc::clone(&shared));
            tokio::spawn(async move {
                serve_either(stream, acceptor, &script, connection, &log).await;
                log.closed.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (at, log)
}

async fn serve_either(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    script: &Script,
    connection: usize,
    log: &Log,
) {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first == [0x16] => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, script, connection, log).await;
            }
        }
        Ok(1) => serve(stream, script, connection, log).await,
        _ => {}
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    script: &Script,
    connection: usize,
    log: &Log,
) {
    while let Some(head) = read_head(&mut stream).await {
        if let Script::Early = script {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
            while stream.read_u8().await.is_ok() {}
            return;
        }
        let bytes = read_body(&mut stream, &head).await;
        log.requests.lock().unwrap().push(Seen { connection, head, body: bytes.len(), bytes });
        let reply = match script {
            Script::Reply(reply) => reply,
            Script::Then(first, _) if log.seen().len() == 1 => first,
            Script::Then(_, later) => later,
            Script::Silence | Script::Early => {
                let _ = stream.read_u8().await;
                return;
            }
            Script::Drip { start, piece, pause } => {
                let mut ok = stream.write_all(start.as_bytes()).await.is_ok();
                while ok {
                    tokio::time::sleep(*pause).await;
                    ok = stream.write_all(piece.as_bytes()).await.is_ok() && stream.flush().await.is_ok();
                }
                return;
            }
        };
        if stream.write_all(reply.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if reply.to_ascii_lowercase().contains("connection: close") {
            return;
        }
    }
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Reads a body by its length, or a chunked one to its last chunk, as it was on the wire.
async fn read_body<S: AsyncRead + Unpin>(stream: &mut S, head: &str) -> Vec<u8> {
    let lower = head.to_ascii_lowercase();
    if let Some((_, rest)) = lower.split_once("content-length: ") {
        let length = rest.lines().next().unwrap().trim().parse().unwrap();
        let mut body = vec![0; length];
        let whole = stream.read_exact(&mut body).await.is_ok();
        return if whole { body } else { Vec::new() };
    }
    let mut body = Vec::new();
    while lower.contains("transfer-encoding: chunked") && !body.ends_with(b"0\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => body.push(byte),
            Err(_) => break,
        }
    }
    body
}

/// A small complete response.
pub(super) fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

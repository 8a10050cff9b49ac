//! The one server at which every connection of a probe ends. It writes down what arrives and answers 200, or the redirect
//! that was set.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::certificate::Identity;
use super::{Shared, lock};

/// The largest head that is read, and how much of a body is kept, in bytes.
const HEAD: usize = 128 << 10;
const BODY: usize = 64 << 10;
/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_millis(200);
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// Starts it.
pub(super) async fn start(identity: Identity, shared: Arc<Shared>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let acceptor = identity.acceptor(Arc::clone(&shared))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
            tokio::spawn(async move { either(stream, acceptor, &shared).await });
        }
    });
    Ok(address)
}

async fn either(stream: TcpStream, acceptor: TlsAcceptor, shared: &Shared) {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first == [HANDSHAKE] => {
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, shared).await;
            }
        }
        Ok(1) => serve(stream, shared).await,
        _ => {}
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, shared: &Shared) {
    while let Some(head) = head(&mut stream).await {
        // Noted before the body: a head that arrived is a contact.
        lock(&shared.traffic).requests.push((head.clone(), String::new()));
        let body = body(&mut stream, &head).await;
        if let Some((_, kept)) = lock(&shared.traffic).requests.last_mut() {
            *kept = body;
        }
        let (redirect, echo) = (lock(&shared.redirect).clone(), *lock(&shared.echo));
        let parts = match (redirect, echo) {
            (Some(to), _) => {
                let answer = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
                vec![answer.into_bytes()]
            }
            (None, Some(echo)) => echo.answer(&head),
            (None, None) => vec![b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec()],
        };
        for part in parts {
            if stream.write_all(&part).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}

async fn head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// The body as it stands on the wire.
async fn body<S: AsyncRead + Unpin>(stream: &mut S, head: &str) -> String {
    let lower = head.to_ascii_lowercase();
    let length =
        lower.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
    let chunked = lower.contains("transfer-encoding: chunked");
    let mut body = Vec::new();
    let reading = async {
        while length.is_some_and(|length: usize| body.len() < length.min(BODY))
            || (chunked && !body.ends_with(b"0\r\n\r\n") && body.len() < BODY)
        {
            match stream.read_u8().await {
                Ok(byte) => body.push(byte),
                Err(_) => break,
            }
        }
    };
    let _ = tokio::time::timeout(BODY_WITHIN, reading).await;
    String::from_utf8_lossy(&body).into_owned()
}

//! The operator's proxy: every connection becomes a `CONNECT` to the address that was checked.
//!
//! To the address and not to the name, for http and https alike: a proxy that resolved the name itself would
//! undo the second layer. The proxy sees addresses and, of https, nothing else.

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wasmtime_wasi_http::Error;

use super::NetworkError;
use crate::grant::host::{Scheme, Target};
use crate::visible;

/// The head of a proxy's answer is a line and a few headers.
const MOST_ANSWER: usize = 8 << 10;

/// A proxy that speaks HTTP `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl {
    target: Target,
}

impl ProxyUrl {
    /// Reads `http://host:port`.
    ///
    /// # Errors
    ///
    /// When it is anything else, credentials included.
    pub fn parse(url: &str) -> Result<Self, NetworkError> {
        let bare = url.strip_suffix('/').unwrap_or(url);
        let rest = bare.split_once("://").map(|(_, rest)| rest);
        match (Target::from_url(bare), rest) {
            (Ok(target), Some(rest)) if target.scheme == Scheme::Http && !rest.contains(['/', '?', '#']) => {
                Ok(Self { target })
            }
            _ => Err(NetworkError::Proxy(visible::quoted(url, 80))),
        }
    }

    /// Where the proxy is.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.target)
    }
}

/// Asks the proxy at the other end of `stream` for a tunnel to `address`.
pub(super) async fn tunnel(stream: &mut TcpStream, address: SocketAddr) -> Result<(), Error> {
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|_| Error::ConnectionTerminated)?;
    let mut answer = Vec::with_capacity(256);
    while !answer.ends_with(b"\r\n\r\n") {
        // Byte by byte: whatever follows the head belongs to the tunnel.
        let byte = stream.read_u8().await.map_err(|_| Error::ConnectionTerminated)?;
        answer.push(byte);
        if answer.len() > MOST_ANSWER {
            return Err(Error::HttpProtocolError);
        }
    }
    let mut words = answer.split(|byte| *byte == b' ');
    let version = words.next().is_some_and(|word| word.starts_with(b"HTTP/1."));
    if version && words.next() == Some(b"200") { Ok(()) } else { Err(Error::DestinationUnavailable) }
}

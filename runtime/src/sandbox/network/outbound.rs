//! The one way by which the program itself sends something: bytes, posted to a place that the operator named.
//!
//! It shares TLS, proxy and connections with the skills' requests and none of their grants. The rule: a URL of
//! an operator holds a credential (a hook's path, a bot's token), so no text that leaves here has more of it
//! than scheme and host; and whatever is at the other end, a post ends in 10 s.

mod reply;
mod url;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use http_body_util::Full;
use tokio::time::{Instant, timeout, timeout_at};
use wasmtime_wasi_http::Error;

use super::connection::Connection;
use super::{Network, NetworkConfig, NetworkError};
use crate::grant::host::{Scheme, TargetHost};

pub use url::{OutboundUrl, OutboundUrlError};

/// See [`Outbound::connect_within`].
const CONNECT: Duration = Duration::from_secs(5);
/// See [`Outbound::whole_within`].
const WHOLE: Duration = Duration::from_secs(10);
/// How much of an answer is read, in bytes.
const ANSWER: usize = 64 << 10;
/// Addresses of one name that are tried.
const MOST_TRIED: usize = 4;

/// The host's own way out.
#[derive(Debug, Clone)]
pub struct Outbound {
    network: Arc<Network>,
    /// The same without the proxy: this machine's loopback is not the proxy's.
    direct: Arc<Network>,
    /// For lookup, connection and TLS together.
    pub(super) connect_within: Duration,
    /// For all of a post, the answer's body included. A peer that drips a byte a second is cut off by this.
    pub(super) whole_within: Duration,
}

/// The other end took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The status, 200 to 299.
    pub status: u16,
}

/// Why a post did not arrive, in words that hold nothing of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The name has no address, or nobody could be asked for it.
    #[error("its name cannot be looked up")]
    Name,
    /// Nothing takes connections there.
    #[error("no connection can be made")]
    Connect,
    /// The certificate or the handshake failed.
    #[error("TLS fails: the certificate is not one that is trusted for this name, or no TLS is spoken")]
    Tls,
    /// It took longer than a post may.
    #[error("no whole answer came in time")]
    Timeout,
    /// The connection broke, or what came is no HTTP.
    #[error("the connection ended without an answer")]
    Broken,
    /// It answered with a redirect, which is not followed: the operator named one place.
    #[error("it answered {0}, a redirect, and none is followed")]
    Redirect(u16),
    /// It answered with a failure.
    #[error("it answered {status}{}", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    Status {
        /// The status.
        status: u16,
        /// A line of what it said, escaped and cut, if that is plain and holds nothing of the URL.
        said: Option<String>,
    },
    /// A header cannot be sent.
    #[error("a header of it cannot be sent")]
    Header,
}

impl OutboundError {
    /// Whether the same post may succeed in a while.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Name | Self::Connect | Self::Timeout | Self::Broken => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Tls | Self::Redirect(_) | Self::Header => false,
        }
    }
}

impl Outbound {
    /// The way out under the operator's certificates, proxy and resolver. Ceilings are for skills.
    ///
    /// # Errors
    ///
    /// When the extra certificates can't be read.
    pub fn new(config: &NetworkConfig) -> Result<Self, NetworkError> {
        let direct = NetworkConfig { proxy: None, ..config.clone() };
        Ok(Self {
            network: Network::new(config.clone())?,
            direct: Network::new(direct)?,
            connect_within: CONNECT,
            whole_within: WHOLE,
        })
    }

    /// Posts these bytes. Needs a Tokio runtime with timers and sockets; dropping the future ends it.
    ///
    /// # Errors
    ///
    /// Anything but a status from 200 to 299, and why.
    pub async fn post(
        &self,
        url: &OutboundUrl,
        headers: &[(&str, &str)],
        body: impl Into<Bytes> + Send,
    ) -> Result<Sent, OutboundError> {
        let request = request(url, headers, body.into())?;
        match timeout(self.whole_within, self.exchange(url, request)).await {
            Ok(done) => done,
            Err(_) => Err(OutboundError::Timeout),
        }
    }

    async fn exchange(
        &self,
        url: &OutboundUrl,
        request: Request<Full<Bytes>>,
    ) -> Result<Sent, OutboundError> {
        let mut connection = match timeout(self.connect_within, self.connect(url)).await {
            Ok(connection) => connection?,
            Err(_) => return Err(OutboundError::Timeout),
        };
        let response = connection.send(request).await.map_err(|_| OutboundError::Broken)?;
        let status = response.status();
        if status.is_success() {
            // What it says beside that is nobody's business; the connection is dropped, not reused.
            return Ok(Sent { status: status.as_u16() });
        }
        if status.is_redirection() {
            return Err(OutboundError::Redirect(status.as_u16()));
        }
        // An answer that does not end is a failure all the same, and its status is known.
        let said =
            timeout_at(Instant::now() + self.connect_within, reply::read(response.into_body(), ANSWER)).await;
        let said = said.ok().and_then(|bytes| reply::line(&bytes, url));
        Err(OutboundError::Status { status: status.as_u16(), said })
    }

    async fn connect(&self, url: &OutboundUrl) -> Result<Connection<Full<Bytes>>, OutboundError> {
        let target = url.target();
        let network = if target.scheme == Scheme::Http { &self.direct } else { &self.network };
        let found = match &target.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Name(name) => {
                let found = network.config().resolver.resolve(name).await;
                found.map_err(|_| OutboundError::Name)?
            }
        };
        let addresses: Vec<SocketAddr> =
            found.into_iter().take(MOST_TRIED).map(|address| SocketAddr::new(address, target.port)).collect();
        if addresses.is_empty() {
            return Err(OutboundError::Name);
        }
        let deadline = Instant::now() + self.connect_within;
        let opened = Connection::open(network, target, &addresses, deadline).await;
        opened.map(|(connection, _)| connection).map_err(|error| match error {
            Error::TlsCertificateError | Error::TlsAlertReceived { .. } | Error::TlsProtocolError => {
                OutboundError::Tls
            }
            Error::ConnectionTimeout => OutboundError::Timeout,
            _ => OutboundError::Connect,
        })
    }
}

fn request(
    url: &OutboundUrl,
    headers: &[(&str, &str)],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, OutboundError> {
    let unsendable = |_| OutboundError::Header;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.path().parse().map_err(|_| OutboundError::Header)?;
    let all = request.headers_mut();
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| OutboundError::Header)?;
        all.insert(name, HeaderValue::try_from(*value).map_err(unsendable)?);
    }
    all.insert(header::HOST, HeaderValue::try_from(url.target().authority()).map_err(unsendable)?);
    all.insert(header::USER_AGENT, HeaderValue::from_static("soulbound"));
    all.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

//! One HTTP/1.1 connection: to a judged address, for one origin, with a driver that dies with it.

use std::net::SocketAddr;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};
use wasmtime_wasi_http::Error;

use super::request_body::RequestBody;
use super::{Network, proxy, tls};
use crate::grant::host::{Scheme, Target, TargetHost};

/// Headers of one response. Their bytes are limited besides.
const MOST_HEADERS: usize = 200;
/// hyper's smallest.
const SMALLEST_BUFFER: usize = 8 << 10;
/// How much of a response is read at once.
const BUFFER: usize = 64 << 10;

/// An open connection, for bodies of one kind: a guest's, or the host's own.
pub(super) struct Connection<B = RequestBody> {
    sender: SendRequest<B>,
    // Dropping it aborts the task and with it closes the socket: a cancelled call leaves nothing behind.
    _driver: AbortOnDropJoinHandle<()>,
}

impl<B> Connection<B>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    /// Connects to the first of `addresses` that answers. Each gets its share of the time that is left.
    pub(super) async fn open(
        network: &Network,
        target: &Target,
        addresses: &[SocketAddr],
        deadline: Instant,
    ) -> Result<(Self, SocketAddr), Error> {
        let mut last = Error::DestinationNotFound;
        for (index, address) in addresses.iter().enumerate() {
            let tries = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX).max(1);
            let share = deadline.saturating_duration_since(Instant::now()) / tries;
            match timeout_at(Instant::now() + share, Self::open_one(network, target, *address)).await {
                Ok(Ok(connection)) => return Ok((connection, *address)),
                Ok(Err(error)) => last = error,
                Err(_) => last = Error::ConnectionTimeout,
            }
        }
        Err(last)
    }

    async fn open_one(network: &Network, target: &Target, address: SocketAddr) -> Result<Self, Error> {
        let stream = match &network.config.proxy {
            None => network.config.dialer.dial(address).await.map_err(|error| dial_error(&error))?,
            Some(url) => {
                let mut stream = dial_proxy(network, url.target()).await?;
                proxy::tunnel(&mut stream, address).await?;
                stream
            }
        };
        match target.scheme {
            Scheme::Http => Self::handshake(network, stream).await,
            Scheme::Https => {
                let name = tls::server_name(&target.host)?;
                let connector = TlsConnector::from(network.tls()?);
                let stream =
                    connector.connect(name, stream).await.map_err(|error| tls::handshake_error(&error))?;
                Self::handshake(network, stream).await
            }
        }
    }

    async fn handshake<S>(network: &Network, stream: S) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let headers = network.config.limits.headers;
        let (sender, driver) = Builder::new()
            .max_headers(MOST_HEADERS)
            .max_header_size(headers)
            .max_buf_size(headers.max(BUFFER).max(SMALLEST_BUFFER))
            .handshake(TokioIo::new(stream))
            .await?;
        let driver = spawn(async move {
            // Its errors arrive at the request or the body that they break.
            let _ = driver.await;
        });
        Ok(Self { sender, _driver: driver })
    }

    /// Whether another request can be sent now. False for one that the server closed.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Whether the other side has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request. A request of which not a byte was sent comes back with the error.
    pub(super) async fn send(
        &mut self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, (hyper::Error, Option<Request<B>>)> {
        self.sender.try_send_request(request).await.map_err(|mut error| {
            let unsent = error.take_message();
            (error.into_error(), unsent)
        })
    }
}

async fn dial_proxy(network: &Network, at: &Target) -> Result<TcpStream, Error> {
    // The operator chose the proxy, so its address is not judged: it is often private or on this machine.
    let addresses = match &at.host {
        TargetHost::Address(address) => vec![*address],
        TargetHost::Name(name) => network.config.resolver.resolve(name).await.map_err(|_| dns_error())?,
    };
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        match network.config.dialer.dial(SocketAddr::new(address, at.port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = dial_error(&error),
        }
    }
    Err(last)
}

/// A lookup that failed. What the system said about it is not the guest's business.
pub(super) fn dns_error() -> Error {
    Error::DnsError { rcode: None, info_code: None }
}

fn dial_error(error: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        ErrorKind::TimedOut => Error::ConnectionTimeout,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

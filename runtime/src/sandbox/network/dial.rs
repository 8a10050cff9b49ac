//! Opening a TCP connection to an address that was judged. There is no name here, so nothing can be looked up
//! again.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::sandbox::overseer::BoxFuture;

/// Opens TCP connections.
pub trait Dialer: Send + Sync + 'static {
    /// Connects to exactly this address. The caller's deadline drops the future.
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>>;
}

/// The dialer of every real program.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpDialer;

impl Dialer for TcpDialer {
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }
}

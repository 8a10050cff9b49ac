//! The addresses of this machine and the sockets that the gateway itself listens on.
//!
//! Loopback is not only `127.0.0.1`: a service bound to all interfaces answers at every address that the
//! machine has. The list is taken anew whenever something is about to connect, since interfaces come and go;
//! if it can't be had, nothing connects.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// A snapshot of what is this machine's own.
#[derive(Debug, Clone, Default)]
pub struct OwnAddresses {
    interfaces: Vec<IpAddr>,
    listeners: Vec<SocketAddr>,
}

impl OwnAddresses {
    /// The machine's addresses at this moment, and the sockets on which the gateway listens.
    ///
    /// # Errors
    ///
    /// When the system does not tell its interfaces.
    pub fn now(listeners: &[SocketAddr]) -> io::Result<Self> {
        let interfaces = if_addrs::get_if_addrs()?.iter().map(|interface| interface.ip()).collect();
        Ok(Self { interfaces, listeners: listeners.to_vec() })
    }

    /// A snapshot with these addresses: for programs that know them, and for tests.
    #[must_use]
    pub fn of(interfaces: Vec<IpAddr>, listeners: Vec<SocketAddr>) -> Self {
        Self { interfaces, listeners }
    }

    /// Whether the address is one of this machine's interfaces.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        self.interfaces.contains(&address)
    }

    /// Whether the gateway listens at this address. A listener on all interfaces is at each of the machine's
    /// addresses, loopback ones included.
    #[must_use]
    pub fn listens_at(&self, address: SocketAddr) -> bool {
        self.listeners.iter().any(|listener| {
            listener.port() == address.port()
                && (listener.ip() == address.ip()
                    || (listener.ip().is_unspecified()
                        && (address.ip().is_loopback() || self.holds(address.ip()))))
        })
    }
}

//! The second layer of every request: may this entry lead to this address?
//!
//! The name matched already. What it resolved to must be public, or private where the entry says so; this
//! machine itself only where the entry is that very literal. Metadata services and the gateway's own
//! listeners never.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::{AddressClass, OwnAddresses, metadata};
use crate::grant::HostGrant;

/// Why an address is not for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRefusal {
    /// A cloud's metadata service, and whose.
    Metadata(&'static str),
    /// The gateway itself listens there.
    OwnListener,
    /// Loopback, or an address of this machine, and the entry is not that literal.
    ThisMachine,
    /// Not public, and the entry does not open it.
    NotPublic(AddressClass),
}

impl fmt::Display for AddressRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata(owner) => write!(formatter, "a metadata service ({owner})"),
            Self::OwnListener => formatter.write_str("the gateway itself"),
            Self::ThisMachine => formatter.write_str("this machine itself"),
            Self::NotPublic(class) => write!(formatter, "a {class} address"),
        }
    }
}

/// Judges one resolved address for the entry that matched.
///
/// # Errors
///
/// Why the entry does not lead there.
pub fn judge(address: SocketAddr, entry: &HostGrant, own: &OwnAddresses) -> Result<(), AddressRefusal> {
    let ip = address.ip();
    if let Some(owner) = metadata::owner_of_address(ip) {
        return Err(AddressRefusal::Metadata(owner));
    }
    if own.listens_at(address) {
        return Err(AddressRefusal::OwnListener);
    }
    let class = AddressClass::of(ip);
    let literal = entry.literal() == Some(ip);
    if (class.is_loopback() || own.holds(ip)) && !literal {
        return Err(AddressRefusal::ThisMachine);
    }
    match class {
        AddressClass::Public => Ok(()),
        _ if class.is_loopback() => Ok(()),
        _ if class.is_private() && opened(entry, ip) => Ok(()),
        _ => Err(AddressRefusal::NotPublic(class)),
    }
}

fn opened(entry: &HostGrant, ip: IpAddr) -> bool {
    entry.private_range().is_some_and(|range| range.contains(&ip))
}

//! What an IP address is, whatever its spelling: public, or one of the kinds that a skill does not reach by a
//! name.
//!
//! The name in a request says nothing about where it leads: whoever owns a name can point it at `127.0.0.1`,
//! at a cloud's metadata service or into the operator's own network. So every address is classified here
//! before anything connects to it. The one rule: an address that carries another one inside (mapped, NAT64,
//! 6to4, …) is never public, because what it leads to is decided by routers that we can't see.

pub mod judgement;
pub mod metadata;
pub mod own;
pub mod special;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use judgement::{AddressRefusal, judge};
pub use own::OwnAddresses;
pub use special::{Kind, SpecialBlock};

/// What kind of address one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// Globally reachable unicast, in no special block.
    Public,
    /// In a block of the special-purpose registries, multicast, or outside what IPv6 has allocated.
    Special(&'static SpecialBlock),
    /// An IPv6 spelling of an IPv4 address.
    Embedded {
        /// The mechanism, such as `NAT64`.
        how: &'static str,
        /// The address inside.
        inner: Ipv4Addr,
    },
}

/// ISATAP's interface identifiers, `::0:5efe:a.b.c.d` and `::200:5efe:a.b.c.d` (RFC 5214 section 6.1), under
/// any prefix.
const ISATAP: [u32; 2] = [0x0000_5efe, 0x0200_5efe];

impl AddressClass {
    /// Classifies an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        special::V4
            .iter()
            .find(|block| block.contains(IpAddr::V4(address)))
            .map_or(Self::Public, Self::Special)
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if let Some((how, inner)) = embedded(address) {
            return Self::Embedded { how, inner };
        }
        special::V6
            .iter()
            .find(|block| block.contains(IpAddr::V6(address)))
            .map_or(Self::Public, Self::Special)
    }

    /// Whether it may be reached by any granted name.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(self, Self::Public)
    }

    /// Whether it is this machine's loopback: `127.0.0.0/8` or `::1`.
    #[must_use]
    pub fn is_loopback(self) -> bool {
        matches!(self, Self::Special(block) if block.kind == Kind::Loopback)
    }

    /// Whether it is private in the sense that `(private RANGE)` can open: RFC 1918 or unique-local.
    #[must_use]
    pub fn is_private(self) -> bool {
        matches!(self, Self::Special(block) if block.kind == Kind::Private)
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => formatter.write_str("public"),
            Self::Special(block) => write!(formatter, "{} ({})", block.name, block.source),
            Self::Embedded { how, inner } => {
                write!(formatter, "{how} spelling of a {} IPv4 address", Self::of_v4(*inner))
            }
        }
    }
}

/// The IPv4 address inside an IPv6 one, and by which mechanism.
fn embedded(address: Ipv6Addr) -> Option<(&'static str, Ipv4Addr)> {
    let bits = u128::from(address);
    let [a, b, c, ..] = address.segments();
    let low = Ipv4Addr::from(bits as u32);
    // `::` and `::1` are the unspecified address and loopback, not "compatible" spellings.
    if bits <= 1 {
        return None;
    }
    if bits >> 32 == 0xffff {
        return Some(("mapped", low));
    }
    if bits >> 32 == 0xffff_0000 {
        return Some(("translated", low)); // RFC 2765 `::ffff:0:a.b.c.d`
    }
    if bits >> 32 == 0 {
        return Some(("compatible", low));
    }
    if bits >> 32 == 0x0064_ff9b_0000_0000_0000_0000 {
        return Some(("NAT64", low));
    }
    if (a, b, c) == (0x64, 0xff9b, 1) {
        // RFC 8215: where the address stands depends on the prefix length in use.
        return Some(("local NAT64", low));
    }
    if a == 0x2002 {
        return Some(("6to4", Ipv4Addr::from((bits >> 80) as u32)));
    }
    if (a, b) == (0x2001, 0) {
        // RFC 4380 section 4: the client's address with every bit flipped.
        return Some(("Teredo", Ipv4Addr::from(!(bits as u32))));
    }
    ISATAP.contains(&((bits >> 32) as u32)).then_some(("ISATAP", low))
}

#[cfg(test)]
mod tests;

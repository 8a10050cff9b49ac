//! Which hosts an entry covers: a name, the names below one, an address, a network.
//!
//! Names match names and addresses match addresses: a name is never compared with what it resolves to (that
//! is the second layer, [`crate::grant::address::judge`]), and an address literal never matches a name.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::TargetHost;

/// The host part of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Exactly this name; lower case, no trailing dot.
    Name(String),
    /// Every name below this one, at any depth, and not the name itself.
    Below(String),
    /// Exactly this address.
    Address(IpAddr),
    /// Every address literal in this network.
    Network(IpNet),
}

impl HostPattern {
    /// Whether the host is covered.
    #[must_use]
    pub fn covers(&self, host: &TargetHost) -> bool {
        match (self, host) {
            (Self::Name(granted), TargetHost::Name(name)) => granted == name,
            (Self::Below(suffix), TargetHost::Name(name)) => is_below(name, suffix),
            (Self::Address(granted), TargetHost::Address(address)) => granted == address,
            (Self::Network(net), TargetHost::Address(address)) => net.contains(address),
            _ => false,
        }
    }

    /// How closely it describes a host that it covers: what decides between two entries that both match.
    pub(super) fn closeness(&self) -> usize {
        match self {
            Self::Name(_) | Self::Address(_) => usize::MAX,
            Self::Below(suffix) => suffix.len(),
            Self::Network(net) => usize::from(net.prefix_len()),
        }
    }
}

/// Whether `name` ends in `.suffix`. The dot is what keeps `evil-example.com` out of `*.example.com`.
pub(super) fn is_below(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Below(suffix) => write!(formatter, "*.{suffix}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
            Self::Address(address) => write!(formatter, "{address}"),
            Self::Network(net @ IpNet::V6(_)) => write!(formatter, "[{net}]"),
            Self::Network(net) => write!(formatter, "{net}"),
        }
    }
}

//! The blocks of addresses that are not the public internet: the IANA special-purpose registries for IPv4 and
//! IPv6 (as of 2026), multicast, and all of IPv6 outside `2000::/3`.
//!
//! One table, one copy: every check in this program asks it. A block that IANA calls globally reachable but
//! that no website lives in (AS112, AMT, ORCHID) is listed too: refusing it costs nobody anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What a block is for, as far as the judgement differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 1918 or unique-local: `(private RANGE)` can open it.
    Private,
    /// This machine: only a literal entry can open it.
    Loopback,
    /// Anything else: nothing opens it.
    Never,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialBlock {
    /// The block.
    pub net: IpNet,
    /// What it is, as an adjective: `link-local`.
    pub name: &'static str,
    /// Where that is written.
    pub source: &'static str,
    /// How it is judged.
    pub kind: Kind,
}

impl SpecialBlock {
    /// Whether the address lies in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.net.contains(&address)
    }

    /// Whether the block and `net` share an address.
    #[must_use]
    pub fn overlaps(&self, net: &IpNet) -> bool {
        self.net.contains(net) || net.contains(&self.net)
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of the table reads as the registry prints it")]
const fn v4(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    prefix: u8,
    name: &'static str,
    source: &'static str,
    kind: Kind,
) -> SpecialBlock {
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix));
    SpecialBlock { net, name, source, kind }
}

const fn v6(high: u128, prefix: u8, name: &'static str, source: &'static str, kind: Kind) -> SpecialBlock {
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(high), prefix));
    SpecialBlock { net, name, source, kind }
}

use Kind::{Loopback, Never, Private};

/// IPv4. The first row that holds an address names it.
pub const V4: &[SpecialBlock] = &[
    v4(0, 0, 0, 0, 32, "unspecified", "RFC 1122", Never),
    v4(0, 0, 0, 0, 8, "this-network", "RFC 791", Never),
    v4(10, 0, 0, 0, 8, "private", "RFC 1918", Private),
    v4(100, 64, 0, 0, 10, "shared (carrier NAT)", "RFC 6598", Never),
    v4(127, 0, 0, 0, 8, "loopback", "RFC 1122", Loopback),
    v4(169, 254, 0, 0, 16, "link-local", "RFC 3927", Never),
    v4(172, 16, 0, 0, 12, "private", "RFC 1918", Private),
    v4(192, 0, 0, 0, 24, "IETF protocol", "RFC 6890", Never),
    v4(192, 0, 2, 0, 24, "documentation", "RFC 5737", Never),
    v4(192, 31, 196, 0, 24, "AS112", "RFC 7535", Never),
    v4(192, 52, 193, 0, 24, "AMT", "RFC 7450", Never),
    v4(192, 88, 99, 0, 24, "6to4 relay", "RFC 7526", Never),
    v4(192, 168, 0, 0, 16, "private", "RFC 1918", Private),
    v4(192, 175, 48, 0, 24, "AS112", "RFC 7534", Never),
    v4(198, 18, 0, 0, 15, "benchmarking", "RFC 2544", Never),
    v4(198, 51, 100, 0, 24, "documentation", "RFC 5737", Never),
    v4(203, 0, 113, 0, 24, "documentation", "RFC 5737", Never),
    v4(224, 0, 0, 0, 4, "multicast", "RFC 5771", Never),
    v4(255, 255, 255, 255, 32, "broadcast", "RFC 919", Never),
    v4(240, 0, 0, 0, 4, "reserved", "RFC 1112", Never),
];

/// IPv6. The first row that holds an address names it; the rows from `::/3` on leave nothing but `2000::/3`.
pub const V6: &[SpecialBlock] = &[
    v6(0, 128, "unspecified", "RFC 4291", Never),
    v6(1, 128, "loopback", "RFC 4291", Loopback),
    v6(0x64_ff9b << 96, 96, "NAT64", "RFC 6052", Never),
    v6(0x0064_ff9b_0001 << 80, 48, "local NAT64", "RFC 8215", Never),
    v6(0x100 << 112, 64, "discard", "RFC 6666", Never),
    v6(0x2001 << 112, 23, "IETF protocol", "RFC 2928", Never),
    v6(0x2001_0db8 << 96, 32, "documentation", "RFC 3849", Never),
    v6(0x2002 << 112, 16, "6to4", "RFC 3056", Never),
    v6(0x2620_004f_8000 << 80, 48, "AS112", "RFC 7534", Never),
    v6(0x3fff << 112, 20, "documentation", "RFC 9637", Never),
    v6(0x5f00 << 112, 16, "SRv6 identifier", "RFC 9602", Never),
    v6(0xfc00 << 112, 7, "unique-local", "RFC 4193", Private),
    v6(0xfe80 << 112, 10, "link-local", "RFC 4291", Never),
    v6(0xfec0 << 112, 10, "site-local", "RFC 3879", Never),
    v6(0xff00 << 112, 8, "multicast", "RFC 4291", Never),
    v6(0, 3, "reserved", "RFC 4291", Never),
    v6(0x4000 << 112, 2, "unallocated", "RFC 4291", Never),
    v6(0x8000 << 112, 1, "unallocated", "RFC 4291", Never),
];

/// The first special block that shares an address with `net`.
#[must_use]
pub fn overlapping(net: &IpNet) -> Option<&'static SpecialBlock> {
    V4.iter().chain(V6).find(|block| block.overlaps(net))
}

/// Whether the whole of `net` is private: inside RFC 1918 or `fc00::/7`.
#[must_use]
pub fn is_private(net: &IpNet) -> bool {
    V4.iter().chain(V6).any(|block| block.kind == Private && block.net.contains(net))
}

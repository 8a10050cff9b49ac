//! IP addresses and networks as text: the canonical dotted quad, any RFC 4291 spelling of IPv6, CIDR without
//! host bits.
//!
//! IPv4 has many old spellings that parsers disagree on (octal, hex, fewer parts), so only one is read. The
//! spellings of IPv6 mean the same to every parser, so all are read and one is written. A zone is never read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::piece::Piece;
use crate::grant::EntryError;

/// A canonical dotted quad.
pub(super) fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = text.parse().ok()?;
    (address.to_string() == text).then_some(address)
}

/// An IPv6 address without brackets and without a zone.
pub(super) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok()
}

/// An IPv4 or a bare IPv6 address.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    ipv4(text).map(IpAddr::V4).or_else(|| ipv6(text).map(IpAddr::V6))
}

/// A network, from its address and its prefix length.
pub(super) fn network(address: IpAddr, prefix: Piece<'_>, whole: Piece<'_>) -> Result<IpNet, EntryError> {
    let most = if address.is_ipv4() { 32 } else { 128 };
    let net = decimal(prefix.text)
        .and_then(|length| u8::try_from(length).ok())
        .and_then(|length| IpNet::new(address, length).ok())
        .ok_or_else(|| {
            prefix
                .error(format!("expected a prefix length from 0 to {most}"))
                .hint(format!("such as `{address}/{most}`"))
        })?;
    if net.trunc() == net {
        Ok(net)
    } else {
        Err(whole
            .error("the address has bits set behind the prefix length")
            .hint(format!("write `{}` for the network, or the address without `/`", net.trunc())))
    }
}

/// A decimal number in its one spelling: digits, no sign, no leading zero.
pub(super) fn decimal(text: &str) -> Option<u32> {
    let plain = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

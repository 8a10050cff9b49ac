//! What an entry of SOUL.md may not grant, however well it is spelled.
//!
//! Three classes: what reaches further than its reader would think (a wildcard over names of many owners),
//! what must never be reached (metadata, unspecified, link-local, …), and what could never match, so that a
//! reviewer would believe in a grant that is not there.

use std::net::IpAddr;

use ipnet::IpNet;

use super::HostPattern;
use super::pattern::is_below;
use super::piece::Piece;
use crate::grant::EntryError;
use crate::grant::address::{AddressClass, metadata, special};

/// Names that are no public suffix but have some below them, such as `amazonaws.com`: a wildcard on one of
/// these covers names of many owners. From the public suffix list of crate `psl` 2.1.247 (its
/// `data/rules.txt`).
const ABOVE_SUFFIXES: &str = include_str!("above_suffix.txt");

type Private<'a> = Option<(Piece<'a>, IpNet)>;

/// Checks the host of an entry together with its private range.
pub(super) fn check(host: Piece<'_>, pattern: &HostPattern, private: Private<'_>) -> Result<(), EntryError> {
    match pattern {
        HostPattern::Name(name) => check_name(host, name, private),
        HostPattern::Below(suffix) => check_wildcard(host, suffix, private),
        HostPattern::Address(address) => check_address(host, *address, private),
        HostPattern::Network(net) => check_network(host, net, private),
    }
}

/// Checks that a private range is private.
pub(super) fn check_range(range: Piece<'_>, net: &IpNet) -> Result<(), EntryError> {
    if net.prefix_len() == net.max_prefix_len() && metadata::owner_of_address(net.addr()).is_some() {
        return Err(range.error("the range is a cloud's metadata address, which nothing opens"));
    }
    if special::is_private(net) {
        return Ok(());
    }
    Err(range
        .error("a private range lies within `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16` or `fc00::/7`")
        .hint("public addresses need no range; loopback is granted by a literal such as `http://127.0.0.1:8080`"))
}

fn check_name(host: Piece<'_>, name: &str, private: Private<'_>) -> Result<(), EntryError> {
    never_names(host, name)?;
    if !name.contains('.') && private.is_none() {
        return Err(host
            .error("a name of one label means whatever the local network says")
            .hint("write the full name, or say where it leads: `(private 10.2.0.0/16)`"));
    }
    Ok(())
}

fn never_names(host: Piece<'_>, name: &str) -> Result<(), EntryError> {
    if let Some(owner) = metadata::owner_of_name(name) {
        return Err(host.error(format!("a metadata service ({owner}), which nothing opens")));
    }
    // RFC 6761 section 6.3: these are loopback, and loopback is granted by a literal, which can't be
    // redirected.
    let loopback = ["localhost", "localdomain", "ip6-localhost", "ip6-loopback"];
    if loopback.iter().any(|local| name == *local || is_below(name, local)) {
        return Err(host
            .error("this machine is granted by its address, not by a name")
            .hint("write the literal, such as `http://127.0.0.1:8080` or `http://[::1]:8080`"));
    }
    // RFC 6761 section 6.4, RFC 7686: no resolver may answer for these.
    if ["invalid", "onion"].iter().any(|top| is_below(name, top)) {
        return Err(host.error("a name that never resolves, so the entry can never match"));
    }
    Ok(())
}

fn check_wildcard(host: Piece<'_>, suffix: &str, private: Private<'_>) -> Result<(), EntryError> {
    if let Some((range, _)) = private {
        return Err(range
            .error("a wildcard can't be opened for private addresses")
            .hint("name each private host on its own"));
    }
    never_names(host, suffix)?;
    if !suffix.contains('.') || is_on_or_above_public_suffix(suffix) {
        return Err(host
            .error(format!("`*.{suffix}` covers names that anybody can have"))
            .hint("name the hosts, or put the wildcard below a name of one owner: `*.example.com`"));
    }
    Ok(())
}

fn is_on_or_above_public_suffix(name: &str) -> bool {
    // The second question catches rules like `*.ck`: `ck` itself is listed otherwise, every name below is a
    // suffix.
    let probe = format!("x.{name}");
    let on = psl::suffix_str(name).is_some_and(|suffix| suffix == name);
    let directly_above = psl::suffix_str(&probe).is_some_and(|suffix| suffix == probe);
    on || directly_above || ABOVE_SUFFIXES.lines().any(|line| line == name)
}

fn check_address(host: Piece<'_>, address: IpAddr, private: Private<'_>) -> Result<(), EntryError> {
    if let Some(owner) = metadata::owner_of_address(address) {
        return Err(host.error(format!("a metadata service ({owner}), which nothing opens")));
    }
    let class = AddressClass::of(address);
    match private {
        Some((range, _)) if class.is_public() || class.is_loopback() => Err(range
            .error(format!("the address is {class}, so the range changes nothing"))
            .hint("leave `(private …)` out")),
        Some((_, net)) if class.is_private() && net.contains(&address) => Ok(()),
        Some((range, _)) if class.is_private() => {
            Err(range.error("the range does not hold the address, so the entry can never match"))
        }
        None if class.is_public() || class.is_loopback() => Ok(()),
        None if class.is_private() => Err(host
            .error(format!("a {class} address, so the entry can never match as it stands"))
            .hint(format!("if it is meant, write `{} (private {})`", host.text, IpNet::from(address)))),
        _ => Err(host.error(format!("a {class} address, which nothing opens"))),
    }
}

fn check_network(host: Piece<'_>, net: &IpNet, private: Private<'_>) -> Result<(), EntryError> {
    if net.prefix_len() == net.max_prefix_len() && metadata::owner_of_address(net.addr()).is_some() {
        return Err(host.error("the network is a cloud's metadata address, which nothing opens"));
    }
    match (special::overlapping(net), private) {
        (_, Some((_, range))) if range.contains(net) => Ok(()),
        (_, Some((range, _))) => Err(range
            .error("the range does not hold the whole network")
            .hint("a public network needs no `(private …)`; a private one lies wholly inside its range")),
        (None, None) => Ok(()),
        (Some(block), None) => {
            let error = host.error(format!("the network holds {} addresses ({})", block.name, block.source));
            Err(if special::is_private(net) {
                error.hint(format!("if it is meant, write `{} (private {net})`", host.text))
            } else {
                error.hint("write a network of public addresses only")
            })
        }
    }
}

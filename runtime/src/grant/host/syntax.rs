//! Reading `[scheme://]host[:port]`: the form that SOUL.md's entries and gateway.toml's share.
//!
//! Form only; what an entry of SOUL.md may not grant is in the policy beside it. An operator's ceiling may
//! say things that a grant may not (deny all of `10.0.0.0/8`, say).

use ipnet::IpNet;

use super::literal;
use super::name::{self, NameError};
use super::piece::Piece;
use super::{HostPattern, Scheme};
use crate::grant::EntryError;
use crate::visible;

/// What was written, with nothing filled in.
pub(super) struct Origin {
    pub(super) scheme: Option<Scheme>,
    pub(super) pattern: HostPattern,
    pub(super) port: Option<u16>,
}

/// Reads the form.
pub(super) fn origin(word: Piece<'_>) -> Result<Origin, EntryError> {
    if !word.text.is_ascii() {
        return Err(not_ascii(word));
    }
    let (scheme, rest) = match word.split_once("://") {
        Some((scheme, rest)) => (Some(read_scheme(scheme)?), rest),
        None => (None, word),
    };
    for (character, what) in [
        ('@', "a user name"),
        ('?', "a query"),
        ('#', "a fragment"),
        ('\\', "a backslash"),
        ('%', "a percent sign"),
    ] {
        if rest.text.contains(character) {
            return Err(rest
                .error(format!("{what} has no place in a host entry"))
                .hint("write the host alone"));
        }
    }
    let (pattern, port) = read_host_and_port(rest)?;
    Ok(Origin { scheme, pattern, port: port.map(read_port).transpose()? })
}

fn not_ascii(word: Piece<'_>) -> EntryError {
    let error = word.error("a host name with characters outside ASCII");
    let host = word.text.split_once("://").map_or(word.text, |(_, rest)| rest);
    let bare = host.strip_prefix("*.").unwrap_or(host);
    match idna::domain_to_ascii_strict(bare) {
        Ok(ascii) => error.hint(format!("if you mean this name, write `{ascii}`")),
        Err(_) => error.hint("write the name in ASCII, with `xn--` labels where it needs them"),
    }
}

fn read_scheme(scheme: Piece<'_>) -> Result<Scheme, EntryError> {
    Scheme::parse(scheme.text).ok_or_else(|| match scheme.text.to_ascii_lowercase().as_str() {
        kind @ ("tcp" | "udp") => scheme
            .error(format!("`{kind}://` is reserved: raw sockets can't be granted yet"))
            .hint("write `https://` or `http://` before the host"),
        _ => scheme
            .error(format!("expected `https://` or `http://`, found {}", visible::quoted(scheme.text, 32)))
            .hint("without a scheme an entry means https"),
    })
}

fn read_host_and_port(rest: Piece<'_>) -> Result<(HostPattern, Option<Piece<'_>>), EntryError> {
    if let Some(inner) = rest.strip_prefix("[") {
        let Some((inside, after)) = inner.split_once("]") else {
            return Err(rest
                .error("`[` without `]`")
                .hint("an IPv6 address stands in brackets: `[2606:2800::1]`"));
        };
        let port = match after.strip_prefix(":") {
            Some(port) => Some(port),
            None if after.text.is_empty() => None,
            None => return Err(path_or_rubbish(after)),
        };
        return Ok((bracketed(inside)?, port));
    }
    if rest.text.matches(':').count() > 1 {
        return Ok((bare_ipv6(rest)?, None));
    }
    if let Some((head, tail)) = rest.split_once("/") {
        let Some(address) = literal::ipv4(head.text) else {
            let slash = rest.text.len() - tail.text.len() - 1;
            let host = rest.text.get(..slash).unwrap_or_default();
            return Err(rest
                .error("a path has no place in a host entry")
                .hint(format!("a grant covers the whole host: write `{}`", visible::line(host))));
        };
        let (prefix, port) = match tail.split_once(":") {
            Some((prefix, port)) => (prefix, Some(port)),
            None => (tail, None),
        };
        return Ok((HostPattern::Network(literal::network(address.into(), prefix, rest)?), port));
    }
    let (host, port) = match rest.split_once(":") {
        Some((host, port)) => (host, Some(port)),
        None => (rest, None),
    };
    Ok((read_host(host)?, port))
}

fn path_or_rubbish(after: Piece<'_>) -> EntryError {
    if after.text.starts_with('/') {
        after
            .error("a path has no place in a host entry")
            .hint("a grant covers the whole host; a network is written `[2606:2800::/32]`")
    } else {
        after.error("expected a port after `]`").hint("such as `[2606:2800::1]:8443`")
    }
}

fn bracketed(inside: Piece<'_>) -> Result<HostPattern, EntryError> {
    if let Some((head, prefix)) = inside.split_once("/")
        && let Some(address) = literal::ipv6(head.text)
    {
        return literal::network(address.into(), prefix, inside).map(HostPattern::Network);
    }
    literal::ipv6(inside.text).map(|address| HostPattern::Address(address.into())).ok_or_else(|| {
        inside
            .error("expected an IPv6 address between the brackets")
            .hint("without a zone, such as `[2606:2800::1]`")
    })
}

fn bare_ipv6(rest: Piece<'_>) -> Result<HostPattern, EntryError> {
    if let Some((head, prefix)) = rest.split_once("/")
        && let Some(address) = literal::ipv6(head.text)
    {
        return literal::network(address.into(), prefix, rest).map(HostPattern::Network);
    }
    Err(match literal::ipv6(rest.text) {
        Some(address) => rest.error("an IPv6 address without brackets").hint(format!("write `[{address}]`")),
        None => rest.error("more than one `:` in a host entry").hint("an entry is `[scheme://]host[:port]`"),
    })
}

fn read_host(host: Piece<'_>) -> Result<HostPattern, EntryError> {
    if host.text == "*" {
        return Err(host
            .error("`*` would grant every host")
            .hint("name each host, or a domain's hosts with `*.example.com`"));
    }
    let (wildcard, bare) = match host.strip_prefix("*.") {
        Some(suffix) => (true, suffix),
        None => (false, host),
    };
    if bare.text.contains('*') {
        return Err(host
            .error("`*` stands only for whole labels in front, once")
            .hint("write `*.example.com`, or each host by its name"));
    }
    if !wildcard && let Some(address) = literal::ipv4(bare.text) {
        return Ok(HostPattern::Address(address.into()));
    }
    let name = name::canonical(bare.text).map_err(|error| name_error(bare, error))?;
    Ok(if wildcard { HostPattern::Below(name) } else { HostPattern::Name(name) })
}

fn name_error(host: Piece<'_>, error: NameError) -> EntryError {
    let remedy = match error {
        NameError::Number => "write the address as four decimal numbers, such as `93.184.216.34`",
        NameError::Underscore => "no web server can have such a name; check the spelling",
        NameError::Punycode => "write the `xn--` form that IDNA gives for the name",
        _ => "write the host's name, such as `api.example.com`",
    };
    host.error(error.to_string()).hint(remedy)
}

fn read_port(port: Piece<'_>) -> Result<u16, EntryError> {
    literal::decimal(port.text)
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| *number != 0)
        .ok_or_else(|| {
            port.error(format!("expected a port from 1 to 65535, found {}", visible::quoted(port.text, 32)))
                .hint("one entry for each port; without one an entry means the scheme's own")
        })
}

/// A network on its own, such as a private range.
pub(super) fn network(word: Piece<'_>) -> Result<IpNet, EntryError> {
    let Some((head, prefix)) = word.split_once("/") else {
        let error = word.error("expected a range, such as `10.2.0.0/16`");
        return Err(match literal::address(word.text) {
            Some(address) => error.hint(format!(
                "for one address write `{address}/{}`",
                if address.is_ipv4() { 32 } else { 128 }
            )),
            None => error,
        });
    };
    let Some(address) = literal::address(head.text) else {
        return Err(head.error("expected an address, such as `10.2.0.0`"));
    };
    literal::network(address, prefix, word)
}

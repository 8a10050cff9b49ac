//! Where a request wants to go: scheme, host and port, read strictly from a URL or from what `wasi:http`
//! hands over.
//!
//! Parsers disagree about userinfo, backslashes, percent signs, control characters and old number spellings,
//! and every disagreement has been somebody's hole. The one rule: a text on which two parsers could differ is
//! malformed.

use std::fmt;
use std::net::IpAddr;

use super::literal;
use super::name::{self, NameError};

/// The schemes that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that a URL of this scheme means when it names none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// Reads a scheme, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

/// A host: a name or an address, never one posing as the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TargetHost {
    /// A name; lower case, without a trailing dot.
    Name(String),
    /// An address literal.
    Address(IpAddr),
}

impl fmt::Display for TargetHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(formatter, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(formatter, "[{address}]"),
        }
    }
}

/// Where a request wants to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: TargetHost,
    /// The port, never 0.
    pub port: u16,
}

/// Why a text is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MalformedTarget {
    /// Not `http` or `https`, or not followed by `://`.
    Scheme,
    /// A space, a control character or one outside ASCII.
    Character,
    /// A user name or password before the host.
    Userinfo,
    /// A bracket without its partner, or something other than an IPv6 address between them.
    Brackets,
    /// Not a number from 1 to 65535.
    Port,
    /// Not a host name.
    Name(NameError),
}

impl fmt::Display for MalformedTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => formatter.write_str("only `http://` and `https://` are spoken"),
            Self::Character => {
                formatter.write_str("it holds a space, a control character or one outside ASCII")
            }
            Self::Userinfo => formatter.write_str("it holds a user name before `@`"),
            Self::Brackets => formatter.write_str("brackets hold one IPv6 address without a zone"),
            Self::Port => formatter.write_str("a port is a number from 1 to 65535"),
            Self::Name(error) => write!(formatter, "it has {error}"),
        }
    }
}

impl std::error::Error for MalformedTarget {}

impl Target {
    /// Reads the origin of an absolute URL; its path, query and fragment are checked for stray characters
    /// only.
    ///
    /// # Errors
    ///
    /// Says what makes it malformed.
    pub fn from_url(url: &str) -> Result<Self, MalformedTarget> {
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MalformedTarget::Character);
        }
        let (scheme, rest) = url.split_once("://").ok_or(MalformedTarget::Scheme)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Self::from_parts(scheme, authority)
    }

    /// Reads a scheme and an authority, as `wasi:http` gives them. An empty port is the scheme's own (RFC
    /// 3986, 3.2.3).
    ///
    /// # Errors
    ///
    /// Says what makes it malformed.
    pub fn from_parts(scheme: &str, authority: &str) -> Result<Self, MalformedTarget> {
        let scheme = Scheme::parse(scheme).ok_or(MalformedTarget::Scheme)?;
        if !authority.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MalformedTarget::Character);
        }
        if authority.contains('@') {
            return Err(MalformedTarget::Userinfo);
        }
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (inside, after) = rest.split_once(']').ok_or(MalformedTarget::Brackets)?;
            let address = literal::ipv6(inside).ok_or(MalformedTarget::Brackets)?;
            let port = match after.strip_prefix(':') {
                Some(port) => port,
                None if after.is_empty() => "",
                None => return Err(MalformedTarget::Port),
            };
            (TargetHost::Address(IpAddr::V6(address)), port)
        } else {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (read_host(host)?, port)
        };
        let port = if port.is_empty() { scheme.default_port() } else { read_port(port)? };
        Ok(Self { scheme, host, port })
    }

    /// The origin as a browser would show it: without the scheme's own port.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }

    /// Host and port as they stand in a `Host` header: without the scheme's own port.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Always with the port: `https://example.com:443`.
impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }
}

fn read_host(text: &str) -> Result<TargetHost, MalformedTarget> {
    if let Some(address) = literal::ipv4(text) {
        return Ok(TargetHost::Address(IpAddr::V4(address)));
    }
    name::canonical(text).map(TargetHost::Name).map_err(MalformedTarget::Name)
}

fn read_port(text: &str) -> Result<u16, MalformedTarget> {
    // A request's port may have leading zeros (RFC 3986 allows them, every parser agrees on their meaning).
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = if digits { text.parse().ok() } else { None };
    port.filter(|port| *port != 0).ok_or(MalformedTarget::Port)
}

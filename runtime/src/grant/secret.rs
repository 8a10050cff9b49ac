//! A secret that the host adds to requests on their way out: `TOKEN for https://api.example.com as header
//! Authorization: Bearer {}`. The skill never holds it, so it cannot send it anywhere else.
//!
//! The one rule: a secret goes to one exact host over TLS.

use std::fmt;

use crate::denial::RuleRef;
use crate::grant::environment::is_name;
use crate::grant::host::{HostPattern, Scheme, Target, TargetHost};
use crate::grant::{EntryError, HostGrant};

/// One entry of a `secrets` line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretGrant {
    /// The name by which the operator stored it.
    pub name: String,
    /// The one origin that gets it, `https://` and without a wildcard.
    pub host: HostGrant,
    /// The header that carries it, in lower case.
    pub header: String,
    /// The header's value, with `{}` once where the secret goes.
    pub template: String,
    /// The line, with the entry's column.
    pub rule: RuleRef,
}

/// Headers that say where a request goes or where it ends, and those that the host sets itself beside a secret.
const FORBIDDEN: [&str; 12] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "expect",
    "accept-encoding",
    "range",
    "if-range",
];

const SHAPE: &str = "write `NAME for https://host as header Authorization: Bearer {}`";

impl SecretGrant {
    /// Reads one entry. The caller has taken the backticks off.
    ///
    /// # Errors
    ///
    /// Says what does not parse.
    pub fn parse(entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        let expected = |message: &str| EntryError::whole(entry, message).hint(SHAPE);
        let (name, rest) =
            entry.split_once(" for ").ok_or_else(|| expected("expected `NAME for https://host …`"))?;
        let (host, rest) =
            rest.split_once(" as header ").ok_or_else(|| expected("expected `… as header NAME: value`"))?;
        let (header, template) =
            rest.split_once(':').ok_or_else(|| expected("expected `NAME: value` after `as header`"))?;
        let header_at = entry.len() - rest.len();
        if !is_name(name) {
            return Err(EntryError::at(
                0..name.len(),
                "a secret's name is letters, digits and `_`, and starts with no digit",
            )
            .hint(SHAPE));
        }
        let host_at = name.len() + " for ".len();
        let host = Self::host(host, rule.clone())
            .map_err(|error| EntryError { at: host_at + error.at.start..host_at + error.at.end, ..error })?;
        let at = header_at..header_at + header.len();
        let header = header.to_ascii_lowercase();
        if http::HeaderName::from_bytes(header.as_bytes()).is_err() {
            return Err(EntryError::at(at, "not the name of a header").hint(SHAPE));
        }
        if FORBIDDEN.contains(&header.as_str()) || header.starts_with("proxy-") {
            return Err(EntryError::at(at, "this header says where a request goes, and carries no secret")
                .hint("such as `Authorization` or `X-Api-Key`"));
        }
        let at = at.end + 1..entry.len();
        let template = template.trim();
        if template.matches("{}").count() != 1 {
            return Err(EntryError::at(at, "expected `{}` once, where the secret goes").hint(SHAPE));
        }
        if !template.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            return Err(EntryError::at(at, "a header's value is visible ASCII").hint(SHAPE));
        }
        Ok(Self { name: name.to_owned(), host, header, template: template.to_owned(), rule })
    }

    /// The exact host: what [`HostGrant`] takes, with a scheme and without anything that matches more than
    /// one.
    fn host(host: &str, rule: RuleRef) -> Result<HostGrant, EntryError> {
        let error = |message: &str| {
            Err(EntryError::whole(host, message).hint("write one exact host: `https://api.example.com`"))
        };
        let Some(authority) = host.strip_prefix("https://") else {
            return error("a secret goes only over `https://`");
        };
        if authority.contains(['*', '/', ' ', '(', ')', ',']) {
            return error("a secret goes to one exact host");
        }
        let granted = HostGrant::parse(host, rule)?;
        match granted.pattern() {
            HostPattern::Name(_) | HostPattern::Address(_) => Ok(granted),
            _ => error("a secret goes to one exact host"),
        }
    }

    /// Whether a request to this target carries it: this origin exactly, and TLS.
    #[must_use]
    pub fn is_for(&self, target: &Target) -> bool {
        target.scheme == Scheme::Https
            && self.host.scheme() == Scheme::Https
            && self.host.port() == target.port
            && self.host.pattern().covers(&target.host)
    }

    /// The origin that gets it, as an operator names it: `https://api.example.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        let host = match self.host.pattern() {
            HostPattern::Name(name) => TargetHost::Name(name.clone()),
            HostPattern::Address(address) => TargetHost::Address(*address),
            // A secret's host has no wildcard and is no network; such an entry would match nothing.
            other => TargetHost::Name(other.to_string()),
        };
        Target { scheme: Scheme::Https, host, port: self.host.port() }.origin()
    }

    /// Whether both would set one header of one request.
    pub(crate) fn collides_with(&self, other: &Self) -> bool {
        self.header == other.header && self.host.to_string() == other.host.to_string()
    }
}

impl fmt::Display for SecretGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, host, header, template, .. } = self;
        let host = host.to_string();
        let scheme = if host.starts_with("https://") { "" } else { "https://" };
        write!(formatter, "{name} for {scheme}{host} as header {header}: {template}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entry: &str) -> Result<SecretGrant, EntryError> {
        SecretGrant::parse(entry, RuleRef { file: "SOUL.md".into(), line: 1, column: 1, text: String::new() })
    }

    #[test]
    fn a_secret_goes_to_one_host_in_one_header() {
        let secret =
            read("TOKEN for https://api.example.com:8443 as header Authorization: Bearer {}").unwrap();
        assert_eq!(
            (secret.name.as_str(), secret.header.as_str(), secret.template.as_str()),
            ("TOKEN", "authorization", "Bearer {}")
        );
        assert_eq!(read(&secret.to_string()).unwrap(), secret);
        assert_eq!(secret.origin(), "https://api.example.com:8443");
        for (url, is_for) in [
            ("https://api.example.com:8443/x", true),
            ("https://API.example.com.:8443", true),
            ("https://api.example.com", false),
            ("http://api.example.com:8443", false),
            ("https://example.com:8443", false),
            ("https://x.api.example.com:8443", false),
            ("https://93.184.215.14:8443", false),
        ] {
            assert_eq!(secret.is_for(&Target::from_url(url).unwrap()), is_for, "{url}");
        }
    }

    #[test]
    fn what_could_leak_a_secret_is_refused() {
        for (entry, part) in [
            ("TOKEN", "for https"),
            ("TOKEN for https://a.example.com", "as header"),
            ("TOKEN for https://a.example.com as header X-Key", "after `as header`"),
            ("TO KEN for https://a.example.com as header X: {}", "name"),
            ("TOKEN for http://a.example.com as header X: {}", "only over"),
            ("TOKEN for a.example.com as header X: {}", "only over"),
            ("TOKEN for https://*.example.com as header X: {}", "exact host"),
            ("TOKEN for https://a.example.com/x as header X: {}", "exact host"),
            ("TOKEN for https://a.example.com b.example.com as header X: {}", "exact host"),
            ("TOKEN for https://a.example.com as header X Y: {}", "name of a header"),
            ("TOKEN for https://a.example.com as header : {}", "name of a header"),
            ("TOKEN for https://a.example.com as header Host: {}", "where a request goes"),
            ("TOKEN for https://a.example.com as header Accept-Encoding: {}", "where a request goes"),
            ("TOKEN for https://a.example.com as header Proxy-Authorization: {}", "where a request goes"),
            ("TOKEN for https://a.example.com as header X: key", "once"),
            ("TOKEN for https://a.example.com as header X: {}{}", "once"),
            ("TOKEN for https://a.example.com as header X: {}\u{e9}", "visible ASCII"),
        ] {
            let error = read(entry).expect_err(entry);
            assert!(error.message.contains(part), "{entry}: {}", error.message);
            assert!(error.hint.is_some() && entry.get(error.at.clone()).is_some(), "{entry}: {:?}", error.at);
        }
    }
}

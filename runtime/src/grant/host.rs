//! A granted host: one entry of a `hosts` line, `[METHOD …] [scheme://]host[:port] [(private RANGE)]`.
//!
//! An entry is read once, strictly: whatever two readers could take for two hosts is an error with the
//! spelling that would do. There is one matcher for the whole program ([`permits`]), which never looks at
//! text again: it compares an entry's parts with those of a [`Target`]. The one rule: an entry that cannot be
//! enforced to the letter, or can never match, does not parse.

pub mod ceiling;
mod entry;
mod literal;
mod matching;
mod meet;
mod method;
mod name;
mod pattern;
mod piece;
mod policy;
mod syntax;
pub mod target;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::denial::RuleRef;
use crate::grant::EntryError;

pub use ceiling::{CeilingRefusal, HostCeiling};
pub use matching::{HostRefusal, permits};
pub use meet::{covers, meet};
pub use pattern::HostPattern;
pub use target::{MalformedTarget, Scheme, Target, TargetHost};

/// The methods of an entry that names none.
pub const DEFAULT_METHODS: &[&str] = &["GET", "HEAD"];

/// One entry of a `hosts` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGrant {
    /// The line, with the entry's column.
    pub rule: RuleRef,
    methods: Vec<&'static str>,
    scheme: Scheme,
    pattern: HostPattern,
    port: u16,
    private: Option<IpNet>,
    text: String,
}

impl HostGrant {
    /// Reads one entry. The caller has split the line's value at commas and taken backticks off.
    ///
    /// ```
    /// # use soulbound_runtime::{RuleRef, grant::HostGrant};
    /// # let rule = RuleRef { file: "SOUL.md".into(), line: 9, column: 5, text: String::new() };
    /// let grant = HostGrant::parse("POST Api.Example.com:8443", rule.clone()).unwrap();
    /// assert_eq!(grant.to_string(), "POST https://api.example.com:8443");
    /// assert!(HostGrant::parse("*.github.io", rule).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// Says what does not parse and what would do.
    pub fn parse(entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        entry::parse(entry, rule)
    }

    /// The line of SOUL.md, with the entry's column.
    #[must_use]
    pub fn rule(&self) -> &RuleRef {
        &self.rule
    }

    /// The methods that the entry allows, upper case, in the order written; without any written, `GET` and
    /// `HEAD`.
    #[must_use]
    pub fn methods(&self) -> &[&'static str] {
        if self.methods.is_empty() { DEFAULT_METHODS } else { &self.methods }
    }

    /// The scheme; https if none was written.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The hosts that it covers.
    #[must_use]
    pub fn pattern(&self) -> &HostPattern {
        &self.pattern
    }

    /// The port; the scheme's own if none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The range of private addresses that the entry's name may resolve to.
    #[must_use]
    pub fn private_range(&self) -> Option<IpNet> {
        self.private
    }

    /// The address, if the entry is one.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        match self.pattern {
            HostPattern::Address(address) => Some(address),
            _ => None,
        }
    }

    /// Whether it leads out to the internet: neither a loopback literal nor opened for private addresses.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.private.is_none() && !self.literal().is_some_and(|address| address.is_loopback())
    }

    /// The canonical text: what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Reads back as the same entry: methods, scheme, host, a port that is not the scheme's own, the private
/// range.
impl fmt::Display for HostGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;

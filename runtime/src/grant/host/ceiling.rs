//! The operator's ceiling on hosts: what any agent may reach at most, from `gateway.toml`.
//!
//! Entries are `[scheme://]host[:port]`; here a scheme or port that is not written means any. Deny wins over
//! allow; a denied wildcard includes the apex; a denied address or network is judged on what a name resolves
//! to as well.

use std::net::IpAddr;

use super::piece::Piece;
use super::syntax::{self, Origin};
use super::{HostPattern, Target, TargetHost};
use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::visible;

/// The ceiling. The default one restricts nothing.
#[derive(Debug, Clone, Default)]
pub struct HostCeiling {
    allow: Option<Vec<Entry>>,
    deny: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    scheme: Option<super::Scheme>,
    pattern: HostPattern,
    port: Option<u16>,
    rule: RuleRef,
}

/// Which list refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CeilingRefusal<'a> {
    /// This `deny_hosts` entry.
    Denied(&'a RuleRef),
    /// There is an `allow_hosts` list and nothing on it matches.
    NotAllowed,
}

impl HostCeiling {
    /// Reads the two lists. Without an allow list there is no restriction; an empty one allows nothing.
    /// `rule` makes the place of an entry from its list's name and its text.
    ///
    /// # Errors
    ///
    /// The list's name, the entry as written, and what does not parse.
    pub fn parse(
        file: &str,
        allow: Option<&[String]>,
        deny: &[String],
    ) -> Result<Self, (&'static str, String, EntryError)> {
        let read = |list: &'static str, entries: &[String]| {
            entries
                .iter()
                .map(|text| Entry::parse(file, list, text).map_err(|error| (list, text.clone(), error)))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            allow: allow.map(|list| read("allow_hosts", list)).transpose()?,
            deny: read("deny_hosts", deny)?,
        })
    }

    /// Whether a request to this target stays under the ceiling, as far as its name or literal tells.
    ///
    /// # Errors
    ///
    /// The entry that refuses it.
    pub fn permits(&self, target: &Target) -> Result<(), CeilingRefusal<'_>> {
        if let Some(entry) = self.deny.iter().find(|entry| entry.denies(target)) {
            return Err(CeilingRefusal::Denied(&entry.rule));
        }
        match &self.allow {
            Some(allow)
                if !allow
                    .iter()
                    .any(|entry| entry.is_origin_of(target) && entry.pattern.covers(&target.host)) =>
            {
                Err(CeilingRefusal::NotAllowed)
            }
            _ => Ok(()),
        }
    }

    /// Whether an address that the target's name resolved to stays under the ceiling.
    ///
    /// # Errors
    ///
    /// The entry that refuses it.
    pub fn permits_address(&self, target: &Target, address: IpAddr) -> Result<(), CeilingRefusal<'_>> {
        let host = TargetHost::Address(address.to_canonical());
        match self.deny.iter().find(|entry| entry.is_origin_of(target) && entry.pattern.covers(&host)) {
            Some(entry) => Err(CeilingRefusal::Denied(&entry.rule)),
            None => Ok(()),
        }
    }
}

impl Entry {
    fn parse(file: &str, list: &str, text: &str) -> Result<Self, EntryError> {
        let whole = Piece::whole(text);
        if text.is_empty()
            || text.len() > 1_024
            || text.contains([' ', '\t'])
            || text.chars().any(visible::is_invisible)
        {
            return Err(whole
                .error("expected one `[scheme://]host[:port]`, without methods or ranges in parentheses")
                .hint("such as `*.internal.example` or `10.0.0.0/8`"));
        }
        let Origin { scheme, pattern, port } = syntax::origin(whole)?;
        let rule = RuleRef { file: file.to_owned(), line: 0, column: 0, text: format!("{list}: {text}") };
        Ok(Self { scheme, pattern, port, rule })
    }

    fn is_origin_of(&self, target: &Target) -> bool {
        self.scheme.is_none_or(|scheme| scheme == target.scheme)
            && self.port.is_none_or(|port| port == target.port)
    }

    fn denies(&self, target: &Target) -> bool {
        let apex = matches!((&self.pattern, &target.host),
            (HostPattern::Below(suffix), TargetHost::Name(name)) if suffix == name);
        self.is_origin_of(target) && (apex || self.pattern.covers(&target.host))
    }
}

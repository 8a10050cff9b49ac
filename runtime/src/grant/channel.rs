//! A channel of the agent as a skill has it: its name, and whether each message waits for a person.
//!
//! It is listed once for the agent, under `## Channels`, and is in the grant of each of its skills: whatever narrows
//! the agent narrows them. Where the channel leads is the operator's business, not SOUL.md's.

use std::fmt;

use super::EntryError;
use crate::denial::RuleRef;

/// One listed channel.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelGrant {
    /// What kind of place: `slack`, `mail`, …
    pub kind: String,
    /// Which one of that kind.
    pub target: String,
    /// What says that each message waits for a person: the channel's `approve: always`, or the rule that all outputs are
    /// reviewed before publishing. None if SOUL.md says nothing.
    pub review: Option<RuleRef>,
    /// The channel's line.
    pub rule: RuleRef,
}

impl ChannelGrant {
    /// A channel of this kind and target, listed in this line.
    #[must_use]
    pub fn new(kind: &str, target: &str, rule: RuleRef, review: Option<RuleRef>) -> Self {
        Self { kind: kind.to_owned(), target: target.to_owned(), review, rule }
    }

    /// Whether `name` means this channel: `kind: target`, spaces around the colon or none.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        parse(name).is_ok_and(|(kind, target)| kind == self.kind && target == self.target)
    }
}

/// A channel's name in its two parts.
///
/// # Errors
///
/// There is no colon, or nothing on one side of it.
pub fn parse(name: &str) -> Result<(&str, &str), EntryError> {
    match name.split_once(':').map(|(kind, target)| (kind.trim(), target.trim())) {
        Some((kind, target)) if !kind.is_empty() && !target.is_empty() => Ok((kind, target)),
        _ => Err(EntryError::whole(name, "expected a channel as `kind: target`")
            .hint("write it as SOUL.md does: `slack: content-team`")),
    }
}

impl fmt::Display for ChannelGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind, self.target)
    }
}

/// The channels that both have; each waits if either says so.
pub(super) fn meet(own: &[ChannelGrant], other: &[ChannelGrant]) -> Vec<ChannelGrant> {
    let both = |own: &ChannelGrant| {
        let theirs = other.iter().find(|other| other.kind == own.kind && other.target == own.target)?;
        let review = own.review.clone().or_else(|| theirs.review.clone());
        Some(ChannelGrant { review, ..own.clone() })
    };
    own.iter().filter_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(kind: &str, target: &str, review: bool) -> ChannelGrant {
        let rule = |line| RuleRef { file: "SOUL.md".to_owned(), line, column: 1, text: String::new() };
        ChannelGrant::new(kind, target, rule(1), review.then(|| rule(2)))
    }

    #[test]
    fn a_name_is_a_kind_and_a_target() {
        let team = channel("slack", "content-team", false);
        for (name, named) in [
            ("slack: content-team", true),
            ("slack:content-team", true),
            (" slack : content-team ", true),
            ("slack", false),
            ("content-team", false),
            ("Slack: content-team", false),
            ("slack: content-team: more", false),
            ("", false),
        ] {
            assert_eq!(team.is_named(name), named, "{name}");
        }
        assert!(team.is_named(&team.to_string()));
    }

    #[test]
    fn what_either_makes_wait_waits() {
        let own = [channel("slack", "a", false), channel("slack", "b", true), channel("mail", "a", true)];
        let other = [channel("slack", "b", false), channel("slack", "a", true)];
        let both = meet(&own, &other);
        let shown: Vec<(String, bool)> =
            both.iter().map(|one| (one.to_string(), one.review.is_some())).collect();
        assert_eq!(shown, [("slack: a".to_owned(), true), ("slack: b".to_owned(), true)]);
    }
}

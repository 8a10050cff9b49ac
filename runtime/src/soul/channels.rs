//! `## Channels`: where the agent's words go, `- <kind>: <target>`, with at most an `approve: always` below.

use super::bullets::{self, Pair};
use super::diagnostic::{Findings, literal};
use super::grants::key_and_value;
use super::outline::Block;
use super::rules::Rule;
use super::sections::Section;
use super::skills::{SkillEntry, head, prose};
use super::source::Source;
use super::{standing, value};
use crate::denial::RuleRef;
use crate::grant::approval::Approval;
use crate::grant::{ApprovalGrant, ChannelGrant, EntryError};

/// A place outside to which the agent's output goes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Channel {
    /// What kind of place: `slack`, `mail`, …
    pub kind: String,
    /// Which one of that kind, as written.
    pub target: String,
    /// Its line, from 1.
    pub line: u32,
    /// What waits for a person before it goes there; the only value is `always`.
    pub approve: Vec<ApprovalGrant>,
    /// Its line, for findings about it.
    pub rule: RuleRef,
}

/// Reads the section.
pub(super) fn read(blocks: &[&Block], source: &Source<'_>, findings: &mut Findings<'_>) -> Vec<Channel> {
    let mut channels: Vec<Channel> = Vec::new();
    for bullet in bullets::read(Section::Channels, blocks, findings) {
        let Pair { text, head: kind, value: target } =
            match head(Section::Channels, &bullet, source, findings) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(finding) => {
                    findings.error(finding);
                    continue;
                }
            };
        if let Err(finding) = prose(bullet.block, &target, source) {
            findings.error(finding);
        }
        let rule = source.rule(&text, text.start);
        let mut channel = Channel {
            kind: source.slice(&kind).to_owned(),
            target: source.slice(&target).to_owned(),
            line: rule.line,
            approve: Vec::new(),
            rule,
        };
        for nested in bullet.nested {
            if let Err(finding) = approve(&mut channel, nested, source) {
                findings.error(finding);
            }
        }
        match channels.iter().find(|other| other.kind == channel.kind && other.target == channel.target) {
            Some(first) => findings.error(
                EntryError::at(text, format!("this channel is listed twice, first in line {}", first.line))
                    .hint("delete one of the two"),
            ),
            None => channels.push(channel),
        }
    }
    channels
}

/// Gives every skill the agent's channels, each with what it waits for. What narrows the grants narrows these too.
pub(super) fn grant_to_skills(channels: &[Channel], rules: &[Rule], skills: &mut [SkillEntry]) {
    let reviewed = rules.iter().find(|rule| standing::requires_review(rule)).map(|rule| &rule.rule);
    let granted: Vec<ChannelGrant> = channels
        .iter()
        .map(|channel| {
            let own = channel.approve.first().map(|approve| &approve.rule);
            let review = own.or(reviewed).cloned();
            ChannelGrant::new(&channel.kind, &channel.target, channel.rule.clone(), review)
        })
        .collect();
    for skill in skills {
        skill.grant.channels.clone_from(&granted);
    }
}

fn approve(channel: &mut Channel, block: &Block, source: &Source<'_>) -> Result<(), EntryError> {
    let owner = format!("channel `{}`", channel.kind);
    let Pair { text, head, value } = key_and_value(&owner, block, source, |key| key == "approve")?;
    if !channel.approve.is_empty() {
        return Err(
            EntryError::at(head, format!("a second `approve` for {owner}")).hint("delete one of the two")
        );
    }
    for entry in value::entries(block, &value, false, source)? {
        let rule = source.rule(&text, entry.at().start);
        let approval = ApprovalGrant::parse(&entry.text, rule)
            .map_err(|error| EntryError { at: entry.locate(&error.at), ..error })?;
        if approval.what != Approval::Always || !channel.approve.is_empty() {
            return Err(EntryError::at(
                entry.at(),
                format!("{} is nothing that a channel can wait for", literal(&entry.text)),
            )
            .hint("write `approve: always`"));
        }
        channel.approve.push(approval);
    }
    Ok(())
}

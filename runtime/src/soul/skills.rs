//! `## Skills`: each top-level bullet `- <slug>: <purpose>` lists a skill, its nested bullets grant.

use std::ops::Range;

use super::bullets::{self, Bullet, Pair};
use super::diagnostic::{Findings, literal};
use super::grants;
use super::keys::Key;
use super::name;
use super::outline::{Block, Inline};
use super::sections::{Section, at_text};
use super::source::Source;
use crate::grant::{EntryError, Grant};

/// At most this many skills.
pub(super) const MAXIMUM_SKILLS: usize = 256;

/// One skill that the agent may use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SkillEntry {
    /// Its slug.
    pub name: String,
    /// What the agent is to use it for, as written.
    pub purpose: String,
    /// Its line, from 1.
    pub line: u32,
    /// What it may reach.
    pub grant: Grant,
}

/// Reads the section.
pub(super) fn read(blocks: &[&Block], source: &Source<'_>, findings: &mut Findings<'_>) -> Vec<SkillEntry> {
    let mut skills: Vec<SkillEntry> = Vec::new();
    for bullet in bullets::read(Section::Skills, blocks, findings) {
        let Pair { text, head, value: purpose } = match head(Section::Skills, &bullet, source, findings) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(finding) => {
                findings.error(finding);
                continue;
            }
        };
        let name = source.slice(&head);
        if let Some(first) = skills.iter().find(|skill| skill.name == name) {
            findings.error(
                EntryError::at(
                    head,
                    format!("the skill `{name}` is listed twice, first in line {}", first.line),
                )
                .hint("write all that it is granted below the first one: nothing is merged"),
            );
            continue;
        }
        if skills.len() == MAXIMUM_SKILLS {
            findings.error(
                EntryError::at(head, format!("more than {MAXIMUM_SKILLS} skills"))
                    .hint("split the agent in two"),
            );
            break;
        }
        if let Err(finding) = prose(bullet.block, &purpose, source) {
            findings.error(finding);
        }
        let rule = source.rule(&text, text.start);
        skills.push(SkillEntry {
            name: name.to_owned(),
            purpose: source.slice(&purpose).to_owned(),
            line: rule.line,
            grant: grants::read(name, rule, &bullet.nested, source, findings),
        });
    }
    skills
}

/// The places of a top-level bullet's text, slug and value; nothing for a bullet of plain prose, which is
/// warned of.
pub(super) fn head(
    section: Section,
    bullet: &Bullet<'_>,
    source: &Source<'_>,
    findings: &mut Findings<'_>,
) -> Result<Option<Pair>, EntryError> {
    let (kind, value_name) = match section {
        Section::Channels => ("channel", "target"),
        _ => ("skill", "purpose"),
    };
    let text = match bullets::one_line(bullet.block, source) {
        Ok(text) => text,
        // Prose may go on in the next line.
        Err(finding) => match bullet.block.text() {
            Some(text) if is_prose(source.slice(&text)) => text,
            _ => return Err(finding),
        },
    };
    let raw = source.slice(&text);
    let pair = match bullets::split(&text, source)? {
        Some(pair) => pair,
        None if name::slug_error(raw).is_none() => {
            return Err(EntryError::at(text, format!("the {kind} {} has no {value_name}", literal(raw)))
                .hint(format!("write `- {raw}: {value_name}`")));
        }
        None => {
            if let Some(nested) = bullet.nested.iter().find(|nested| is_grant(nested, source)) {
                return Err(at_text(nested, "a grant below a bullet that lists nothing")
                    .hint(format!("write the bullet above it as `- name: {value_name}`")));
            }
            findings.warn(
                EntryError::at(text, format!("this bullet is prose: it lists no {kind} and grants nothing"))
                    .hint(format!("write `- name: {value_name}`, or move it to another section")),
            );
            return Ok(None);
        }
    };
    let slug = source.slice(&pair.head);
    if let Some(reason) = name::entry_error(slug) {
        let message = format!("{} cannot name a {kind}: {reason}", literal(slug));
        let hint = if Key::parse(slug).is_some() {
            format!("indent it by two spaces, below the {kind} that it belongs to")
        } else if let Some(near) = name::slug_near(slug) {
            format!("did you mean `{near}`?")
        } else {
            "a name is 1 to 64 characters of `a-z`, `0-9` and `-`".into()
        };
        return Err(
            EntryError::at(pair.head.start..pair.head.end.max(pair.head.start + 1), message).hint(hint)
        );
    }
    if pair.value.is_empty() {
        return Err(EntryError::at(pair.head, format!("the {kind} `{slug}` has no {value_name}"))
            .hint(format!("write `- {slug}: {value_name}`")));
    }
    Ok(Some(pair))
}

/// Whether a text of one or more lines is plain prose: nothing in it looks like a separator, and it is no
/// slug.
fn is_prose(text: &str) -> bool {
    !text.contains(':') && text.split_whitespace().nth(1).is_some()
}

fn is_grant(block: &Block, source: &Source<'_>) -> bool {
    let raw = block.text().map(|text| source.slice(&text)).unwrap_or_default();
    let first = raw.split([':', ' ', '\t']).next().unwrap_or_default();
    Key::parse(first).is_some()
}

/// A purpose may be emphasised and hold code; whatever else a page shows otherwise is refused, since the
/// model reads the source and the reviewer the page.
pub(super) fn prose(block: &Block, at: &Range<usize>, source: &Source<'_>) -> Result<(), EntryError> {
    for inline in block.inlines.iter().filter(|inline| inline.at().start >= at.start) {
        let what = match inline {
            Inline::Text { plain: false, .. } => "an entity",
            Inline::Other { what, .. } => what,
            _ => continue,
        };
        let found = literal(source.slice(inline.at()));
        return Err(EntryError::at(
            inline.at().clone(),
            format!("{found} is {what}, and a page would show it otherwise"),
        )
        .hint("write it as plain text, or in backticks"));
    }
    Ok(())
}

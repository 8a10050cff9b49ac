//! The nested bullets of one skill, assembled into its [`Grant`]: each key once, each entry by its own
//! parser, and no two entries that contradict each other.

use std::ops::Range;

use super::bullets::{self, Pair};
use super::diagnostic::{Findings, literal};
use super::keys::Key;
use super::outline::Block;
use super::source::Source;
use super::value::{self, Entry};
use crate::denial::RuleRef;
use crate::grant::{
    ApprovalGrant, Capability, DirectoryGrant, EntryError, EnvironmentGrant, Grant, HostGrant, SecretGrant,
};
use crate::spelling;

/// Reads the nested bullets of the skill called `skill`.
pub(super) fn read(
    skill: &str,
    line: RuleRef,
    nested: &[&Block],
    source: &Source<'_>,
    findings: &mut Findings<'_>,
) -> Grant {
    let mut reader = Reader {
        source,
        findings,
        grant: Grant { line: Some(line), ..Grant::default() },
        seen: Vec::new(),
        refused: Vec::new(),
    };
    for block in nested {
        if let Err(finding) = reader.line(skill, block) {
            reader.findings.error(finding);
        }
    }
    reader.contradictions();
    reader.grant
}

/// The key and the value of a nested bullet.
pub(super) fn key_and_value(
    owner: &str,
    block: &Block,
    source: &Source<'_>,
    is_key: impl Fn(&str) -> bool,
) -> Result<Pair, EntryError> {
    let text = bullets::one_line(block, source)?;
    let Some(pair) = bullets::split(&text, source)? else {
        let raw = source.slice(&text);
        let first = raw.split([' ', '\t']).next().unwrap_or_default();
        let hint = if is_key(first) { format!("write `- {first}: …`") } else { Key::hint(first) };
        return Err(EntryError::at(
            text,
            format!("expected `key: value` for {owner}, found {}", literal(raw)),
        )
        .hint(hint));
    };
    let key = source.slice(&pair.head);
    if !is_key(key) {
        return Err(EntryError::at(pair.head, format!("unknown key {} for {owner}", literal(key)))
            .hint(Key::hint(key)));
    }
    if pair.value.is_empty() {
        return Err(EntryError::at(pair.head, format!("the key `{key}` of {owner} has no value"))
            .hint("write the value on the same line, or delete the line"));
    }
    Ok(pair)
}

struct Reader<'a, 'b> {
    source: &'a Source<'a>,
    findings: &'a mut Findings<'b>,
    grant: Grant,
    seen: Vec<Key>,
    refused: Vec<(Capability, Range<usize>)>,
}

impl Reader<'_, '_> {
    fn line(&mut self, skill: &str, block: &Block) -> Result<(), EntryError> {
        let owner = format!("skill `{skill}`");
        let Pair { text, head, value } =
            key_and_value(&owner, block, self.source, |key| Key::parse(key).is_some())?;
        let Some(key) = Key::parse(self.source.slice(&head)) else { return Ok(()) };
        if self.seen.contains(&key) {
            return Err(EntryError::at(head, format!("a second `{}` for {owner}", key.name()))
                .hint("write all entries on one line, separated by commas"));
        }
        self.seen.push(key);
        let entries = value::entries(block, &value, matches!(key, Key::Directories(_)), self.source)?;
        if key == Key::Sha256 && entries.len() > 1 {
            return Err(EntryError::at(value, "more than one digest")
                .hint("a skill is one component: write its SHA-256"));
        }
        for entry in entries {
            let rule = self.source.rule(&text, entry.at().start);
            if let Err(error) = self.entry(key, &entry, rule) {
                self.findings.error(EntryError { at: entry.locate(&error.at), ..error });
            }
        }
        Ok(())
    }

    fn entry(&mut self, key: Key, entry: &Entry, rule: RuleRef) -> Result<(), EntryError> {
        let text = entry.text.as_str();
        match key {
            Key::Directories(mode) => {
                let directory = DirectoryGrant::parse(mode, text, rule)?;
                self.beside_the_others(text, &directory)?;
                self.grant.directories.push(directory);
            }
            Key::Hosts => {
                let host = HostGrant::parse(text, rule)?;
                self.once(text, self.grant.hosts.iter().any(|other| other.to_string() == host.to_string()))?;
                self.grant.hosts.push(host);
            }
            Key::Environment => {
                let variable = EnvironmentGrant::parse(text, rule)?;
                self.once(text, self.grant.environment.iter().any(|other| other.name == variable.name))?;
                self.grant.environment.push(variable);
            }
            Key::Secrets => {
                let secret = SecretGrant::parse(text, rule)?;
                self.once(text, self.grant.secrets.iter().any(|other| other.collides_with(&secret)))?;
                self.grant.secrets.push(secret);
            }
            Key::Approve => {
                let approval = ApprovalGrant::parse(text, rule)?;
                self.once(text, self.grant.approve.iter().any(|other| other.what == approval.what))?;
                self.grant.approve.push(approval);
            }
            Key::Limit => self.grant.limits.add(text, rule)?,
            Key::Refuse => {
                let capability = capability(text)?;
                self.once(text, self.grant.refuse.iter().any(|(other, _)| *other == capability))?;
                self.grant.refuse.push((capability, rule));
                self.refused.push((capability, entry.at()));
            }
            Key::Sha256 => self.grant.sha256.push((digest(text)?, rule)),
        }
        Ok(())
    }

    fn once(&self, entry: &str, twice: bool) -> Result<(), EntryError> {
        if twice {
            Err(EntryError::whole(entry, "this stands twice on the line").hint("delete one of the two"))
        } else {
            Ok(())
        }
    }

    /// Two grants whose directories overlap would be one merged tree: what is read-only in the one could be
    /// written through the other.
    fn beside_the_others(&self, entry: &str, new: &DirectoryGrant) -> Result<(), EntryError> {
        for old in &self.grant.directories {
            let message = if overlap(&old.location(), &new.location()) {
                format!("overlaps the directory {} of line {}", literal(&old.path), old.rule.line)
            } else if overlap(&old.guest, &new.guest) {
                format!(
                    "the skill would see it at {}, which overlaps {} of line {}",
                    literal(&new.guest),
                    literal(&old.guest),
                    old.rule.line
                )
            } else {
                continue;
            };
            let hint = if overlap(&old.location(), &new.location()) {
                "grant directories that lie beside each other"
            } else {
                "write `as /another-name` after it"
            };
            return Err(EntryError::whole(entry, message).hint(hint));
        }
        Ok(())
    }

    /// A line that both grants and refuses one capability says two things.
    fn contradictions(&mut self) {
        for (capability, at) in std::mem::take(&mut self.refused) {
            let key = match capability {
                Capability::Files => (!self.grant.directories.is_empty()).then_some("its directories"),
                Capability::Environment => (!self.grant.environment.is_empty()).then_some("its `env` line"),
                Capability::Http | Capability::Sockets => (!self.grant.hosts.is_empty()
                    && capability == Capability::Http)
                    .then_some("its `hosts` line"),
                // Listed for the agent, not for this skill: refusing them here is how one skill is kept from them.
                Capability::Channels => None,
            };
            if let Some(key) = key {
                self.findings.error(
                    EntryError::at(at, format!("`{capability}` is refused here and granted by {key}"))
                        .hint("delete one of the two lines"),
                );
            }
        }
    }
}

/// Whether two normal paths are equal or one lies in the other.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        outer == "." && !inner.starts_with('/')
            || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}

fn capability(text: &str) -> Result<Capability, EntryError> {
    Capability::parse(text).ok_or_else(|| {
        let names = Capability::ALL.iter().map(|capability| capability.name());
        let hint = match spelling::nearest(text, names.clone()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                format!("the capabilities are {}", names.join(", "))
            }
        };
        EntryError::whole(text, format!("unknown capability {}", literal(text))).hint(hint)
    })
}

fn digest(text: &str) -> Result<[u8; 32], EntryError> {
    let error = || {
        EntryError::whole(text, format!("{} is no SHA-256: expected 64 hexadecimal digits", literal(text)))
            .hint("`soulbound inspect` prints a component's digest")
    };
    let mut digest = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(error());
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| error())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| error())?;
    }
    Ok(digest)
}

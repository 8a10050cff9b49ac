//! `agents/ID/agent.toml`: where an agent's folder is, what is trusted of it, and what was before.
//!
//! Strict and versioned: a record that this build does not understand is refused rather than half read. Replaced as a
//! whole, so that a crash leaves the old one or the new one. Whether an agent is disabled or removed is not in here but a
//! file beside it, so that stopping it needs neither this file nor a lock.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::{Digest, files};
use soulbound_runtime::visible;

use crate::durable;
use crate::operator::Who;

/// The record's name in the agent's state folder.
pub(crate) const FILE: &str = "agent.toml";
/// The version of the format.
const VERSION: u32 = 1;
/// So many acts of trust are kept; the audit trail has all of them.
const HISTORY: usize = 100;
/// The largest record, in bytes: a hundred acts take a fifth of it.
const RECORD_BYTES: u64 = 256 << 10;

/// What the gateway knows of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    /// The id, fixed when the agent was added.
    pub(crate) id: String,
    /// The name in the trusted SOUL.md.
    pub(crate) name: String,
    /// The folder of its SOUL.md: absolute, without links.
    pub(crate) folder: PathBuf,
    /// The manifest that is trusted now.
    pub(crate) trusted: Digest,
    /// What the trusted files' stamps were when they were as trusted ([`super::Fingerprint`]); for quick lists only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<Digest>,
    /// The acts that made it so, oldest first.
    pub(crate) history: Vec<Trusting>,
}

/// One act of trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trusting {
    /// What was trusted.
    pub(crate) manifest: Digest,
    /// When, as the clock writes it.
    pub(crate) when: String,
    /// By which act.
    pub(crate) how: How,
    /// By whom.
    pub(crate) who: Who,
}

/// Which act made a manifest the trusted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum How {
    /// The agent was added, or added again.
    Added,
    /// A change was accepted.
    Trusted,
    /// An earlier state was returned to.
    RolledBack,
}

impl Record {
    /// A new agent's record.
    pub(crate) fn new(id: &str, name: &str, folder: &Path, first: Trusting) -> Self {
        Self {
            version: VERSION,
            id: id.to_owned(),
            name: name.to_owned(),
            folder: folder.to_owned(),
            trusted: first.manifest,
            fingerprint: None,
            history: vec![first],
        }
    }

    /// Reads the record in an agent's state folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = files::read_file(&path, RECORD_BYTES)?;
        let shown = || format!("`{}`", path.display());
        let text = std::str::from_utf8(&bytes).with_context(shown)?;
        let record: Self = toml::from_str(text).with_context(shown)?;
        if record.version != VERSION {
            bail!("`{}` is of version {}, this build knows {VERSION}", path.display(), record.version);
        }
        if folder.file_name().is_none_or(|name| name != record.id.as_str()) {
            bail!("`{}` is the record of agent `{}`", path.display(), record.id);
        }
        Ok(record)
    }

    /// Replaces the record.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        durable::replace(&folder.join(FILE), toml::to_string(self)?.as_bytes())
    }

    /// Another manifest is the trusted one from now on.
    pub(crate) fn accept(&mut self, act: Trusting) {
        self.trusted = act.manifest;
        self.history.push(act);
        let old = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..old);
    }

    /// The manifest that was trusted before the one that is now. What was rolled back from is not: going back again goes
    /// further back, never forth.
    pub(crate) fn before(&self) -> Option<Digest> {
        let mut steps: Vec<Digest> = Vec::new();
        for act in &self.history {
            if act.how == How::RolledBack
                && let Some(at) = steps.iter().rposition(|step| *step == act.manifest)
            {
                steps.truncate(at);
            }
            steps.push(act.manifest);
        }
        steps.into_iter().rev().find(|manifest| *manifest != self.trusted)
    }

    /// The one manifest of the history whose digest begins so.
    ///
    /// # Errors
    ///
    /// None does, or several do.
    pub(crate) fn of_history(&self, begins: &str) -> Result<Digest> {
        let mut found: Vec<Digest> = self.history.iter().map(|act| act.manifest).collect();
        found.retain(|digest| !begins.is_empty() && digest.to_string().starts_with(begins));
        found.sort();
        found.dedup();
        match found.as_slice() {
            [one] => Ok(*one),
            _ => bail!(
                "{} begins {} of the digests in the history of agent `{}`\n  hint: `soulbound agents history {}` lists them",
                visible::quoted_target(begins),
                if found.is_empty() { "none" } else { "several" },
                self.id,
                self.id
            ),
        }
    }

    /// When what is trusted now became so.
    pub(crate) fn since(&self) -> &str {
        self.history.last().map_or("", |act| act.when.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(byte: u8) -> Trusting {
        let who = Who { uid: 1000, user: Some("ada".into()), pid: 7, tty: None };
        Trusting {
            manifest: Digest([byte; 32]),
            when: "2026-11-21T05:49:55.123Z".into(),
            how: How::Added,
            who,
        }
    }

    #[test]
    fn a_record_reads_back_and_its_history_is_bounded() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("echo");
        std::fs::create_dir(&folder).unwrap();
        let mut record = Record::new("echo", "Echo", Path::new("/agents/echo"), act(1));
        assert_eq!(record.before(), None);
        (0..200).for_each(|number| record.accept(act(number)));
        record.write(&folder).unwrap();
        let read = Record::read(&folder).unwrap();
        assert_eq!(read, record);
        assert_eq!((read.history.len(), read.before()), (HISTORY, Some(Digest([198; 32]))));
    }

    #[test]
    fn going_back_again_goes_further_back_and_never_forth() {
        let mut record = Record::new("echo", "Echo", Path::new("/agents/echo"), act(1));
        let digest = |byte| Some(Digest([byte; 32]));
        let back = |record: &mut Record, byte| {
            record.accept(Trusting { how: How::RolledBack, ..act(byte) });
            record.before()
        };
        record.accept(act(2));
        record.accept(act(3));
        assert_eq!(record.before(), digest(2));
        assert_eq!(back(&mut record, 2), digest(1));
        assert_eq!(back(&mut record, 1), None);
        // Forth by name, and what is trusted anew can be taken back again.
        assert_eq!(back(&mut record, 3), digest(1));
        record.accept(act(4));
        assert_eq!(record.before(), digest(3));
        assert_eq!(back(&mut record, 3), digest(1));
    }

    #[test]
    fn a_record_that_is_not_understood_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("echo");
        std::fs::create_dir(&folder).unwrap();
        let good = toml::to_string(&Record::new("echo", "Echo", Path::new("/a"), act(1))).unwrap();
        for (from, to) in [
            ("version = 1", "version = 2"),
            ("id = \"echo\"", "id = \"other\""),
            ("name =", "nom ="),
            ("trusted = \"", "trusted = \"0"),
        ] {
            std::fs::write(folder.join(FILE), good.replacen(from, to, 1)).unwrap();
            assert!(Record::read(&folder).is_err(), "{to}");
        }
    }
}

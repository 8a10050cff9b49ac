//! Which agents there are: `agents/ID/` in the state folder, a record and two markers each.
//!
//! The rule: `disabled` and `removed` are files that only need to be there. They are made first, without a lock and without
//! reading anything, so that stopping an agent never waits; and one that cannot be looked for counts as there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use soulbound_runtime::soul::agent_id;
use soulbound_runtime::spelling;

use super::record::{FILE, Record};
use super::store::Store;
use super::trusted::Trusted;
use crate::operator::Who;
use crate::state::StateFolder;

/// So many agents are named in a hint; more are a list of their own.
const NAMED: usize = 8;

/// The agents of a state folder.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    state: PathBuf,
    store: Store,
}

/// Whether an agent may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Condition {
    /// It may, as far as trust lets it.
    Enabled,
    /// An operator stopped it.
    Disabled,
    /// An operator removed it.
    Removed,
    /// There never was such an agent.
    Unknown,
}

impl Condition {
    /// The word that people read.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }
}

/// A marker file in an agent's state folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// `disabled`
    Disabled,
    /// `removed`
    Removed,
}

impl Marker {
    fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }
}

/// An agent with what is trusted of it.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    /// What is written down of it.
    pub(crate) record: Record,
    /// What is trusted of it.
    pub(crate) trusted: Trusted,
}

impl Registry {
    /// The agents of this state folder, which need not be there yet.
    pub(crate) fn open(state: &StateFolder) -> Self {
        Self { state: state.path().to_owned(), store: Store::of(state) }
    }

    /// The trusted bytes.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The state folder.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// An agent's own folder in the state folder. `id` is one that [`id`] made or [`Registry::ids`] gave.
    pub(crate) fn folder(&self, id: &str) -> PathBuf {
        self.state.join("agents").join(id)
    }

    /// The ids of all agents that are not removed, sorted.
    pub(crate) fn ids(&self) -> Result<Vec<String>> {
        Ok(self.conditions()?.into_iter().map(|(id, _)| id).collect())
    }

    /// All agents that are not removed, and whether they may run. Sorted by id.
    pub(crate) fn conditions(&self) -> Result<Vec<(String, Condition)>> {
        let folder = self.state.join("agents");
        let listed = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.with_context(|| format!("`{}` cannot be listed", folder.display()))?,
        };
        let mut found = Vec::new();
        for entry in listed {
            let entry = entry.with_context(|| format!("`{}` cannot be listed", folder.display()))?;
            // Whatever is no id was not made by us.
            if let Some(id) = entry.file_name().to_str().filter(|name| agent_id(name).as_deref() == Ok(*name))
                && let condition @ (Condition::Enabled | Condition::Disabled) = self.condition(id)
            {
                found.push((id.to_owned(), condition));
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }

    /// Whether this agent may run: a system call or two, to be asked before each call.
    pub(crate) fn condition(&self, id: &str) -> Condition {
        let folder = self.folder(id);
        let is_there = |name: &str| match fs::symlink_metadata(folder.join(name)) {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        match () {
            () if is_there(Marker::Removed.name()) => Condition::Removed,
            () if is_there(Marker::Disabled.name()) => Condition::Disabled,
            () if is_there(FILE) => Condition::Enabled,
            () => Condition::Unknown,
        }
    }

    /// What is written down of an agent that is not removed.
    pub(crate) fn record(&self, id: &str) -> Result<Record> {
        match self.condition(id) {
            Condition::Enabled | Condition::Disabled => Record::read(&self.folder(id)),
            Condition::Removed => bail!(
                "agent `{id}` was removed\n  hint: `soulbound agents add DIR` adds it again; its trail goes on"
            ),
            Condition::Unknown => bail!("there is no agent `{id}`{}", self.near(id)),
        }
    }

    /// An agent with what is trusted of it. Reads the record, the manifest and SOUL.md from the store, and no component.
    pub(crate) fn load(&self, id: &str) -> Result<Agent> {
        let record = self.record(id)?;
        let trusted = Trusted::load(&self.store, id, &record.folder, record.trusted)?;
        Ok(Agent { record, trusted })
    }

    /// Makes a marker; one that is there already is left as it is.
    pub(crate) fn mark(&self, id: &str, marker: Marker, who: &Who) -> Result<()> {
        if self.condition(id) == Condition::Unknown {
            bail!("there is no agent `{id}`{}", self.near(id));
        }
        let path = self.folder(id).join(marker.name());
        let made = File::options().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            // Its being there is all that counts. What is in it is for whoever wonders.
            Ok(mut file) => {
                let _ = writeln!(file, "{} by {who}, pid {}", crate::clock::Moment::now(), who.pid);
                let _ = file.sync_all();
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("`{}` cannot be made", path.display())),
        }
        let synced = File::open(self.folder(id)).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("`{}` may not survive a power failure", path.display()))
    }

    /// Takes a marker away; one that is not there is fine.
    pub(crate) fn unmark(&self, id: &str, marker: Marker) -> Result<()> {
        let path = self.folder(id).join(marker.name());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("`{}` cannot be removed", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Makes an agent's folder, for this user alone.
    pub(crate) fn make_folder(&self, id: &str) -> Result<PathBuf> {
        let folder = self.folder(id);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.with_context(|| format!("`{}` cannot be made", folder.display()))?;
        Ok(folder)
    }

    fn near(&self, id: &str) -> String {
        let ids = self.ids().unwrap_or_default();
        let shown: Vec<String> = ids.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
        match spelling::nearest(id, ids.iter().map(String::as_str)) {
            Some(near) => format!("\n  hint: did you mean `{near}`?"),
            None if ids.is_empty() => {
                "\n  hint: there are no agents yet: `soulbound agents add DIR` adds one".to_owned()
            }
            None if ids.len() > NAMED => "\n  hint: `soulbound agents` lists those that there are".to_owned(),
            None => format!("\n  hint: there is {}", shown.join(", ")),
        }
    }
}

/// The id that an operator's argument means: an id, or an agent's name. Never a path.
pub(crate) fn id(argument: &str) -> Result<String> {
    agent_id(argument).map_err(|reason| {
        let shown = soulbound_runtime::visible::quoted_target(argument);
        anyhow::anyhow!("{shown} is no agent's id: {reason}\n  hint: `soulbound agents` lists the ids")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_path_or_looks_like_an_id_is_none() {
        for bad in
            ["", ".", "..", "../x", "a/b", "a.b", "/", "e\u{441}ho", "echo\u{200b}", "-x", "a\0b", "a\nb"]
        {
            assert!(id(bad).is_err(), "{bad:?}");
        }
        assert_eq!(id("Blog Writer").unwrap(), "blog-writer");
    }
}

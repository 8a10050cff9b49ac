//! What a person approved for more than once: for a time, in memory; until it is revoked, in `approvals.json` of the agent's
//! part of the state folder.
//!
//! The rule: a permission is for exactly one binding. Another component, SOUL.md, setting, argument or byte is not covered,
//! so nothing has to be taken back when one of them changes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::Digest;
use tokio::time::Instant;

use super::decision::{Approved, Decider};
use super::subject::Subject;
use crate::clock::Moment;
use crate::durable;
use crate::state::StateFolder;

/// Permissions of one agent, of either kind. More than anybody can oversee.
const MOST: usize = 256;

/// A permission, as it is listed and kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Permission {
    /// The request that it was given for: `echo-37`.
    pub(crate) name: String,
    /// What it covers.
    pub(crate) binding: String,
    /// The skill.
    pub(crate) skill: String,
    /// The tool.
    pub(crate) tool: String,
    /// What it covers, as a person reads it.
    pub(crate) what: String,
    /// The component that it was given for.
    pub(crate) component: String,
    /// When, for a person; nothing is decided by it.
    pub(crate) granted: String,
    /// Who gave it, and how.
    pub(crate) by: String,
}

/// All permissions.
pub(super) struct Kept {
    state: StateFolder,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By agent and binding, with the end by the monotonic clock.
    timed: HashMap<(String, String), (Instant, Permission)>,
    /// By agent, as read from the disk.
    lasting: HashMap<String, Vec<Permission>>,
}

impl Kept {
    pub(super) fn of(state: &StateFolder) -> Self {
        Self { state: state.clone(), inner: Mutex::default() }
    }

    /// Whether exactly this was approved before, and still is.
    pub(super) fn covers(&self, agent: &str, binding: Digest) -> Option<Approved> {
        let binding = binding.to_string();
        let mut inner = self.lock();
        let now = Instant::now();
        inner.timed.retain(|_, (until, _)| *until > now);
        if let Some((_, permission)) = inner.timed.get(&(agent.to_owned(), binding.clone())) {
            return Some(Approved { name: permission.name.clone(), who: permission.by.clone() });
        }
        let lasting = self.lasting(&mut inner, agent);
        let permission = lasting.iter().find(|permission| permission.binding == binding)?;
        Some(Approved { name: permission.name.clone(), who: permission.by.clone() })
    }

    /// Keeps a permission for a time.
    pub(super) fn keep_for(&self, agent: &str, permission: Permission, time: Duration) -> Result<()> {
        let mut inner = self.lock();
        if inner.timed.keys().filter(|(of, _)| of == agent).count() >= MOST {
            bail!("agent `{agent}` has {MOST} approvals for a time already");
        }
        let until = Instant::now() + time;
        inner.timed.insert((agent.to_owned(), permission.binding.clone()), (until, permission));
        Ok(())
    }

    /// Keeps a permission until it is revoked.
    pub(super) fn keep(&self, agent: &str, permission: Permission) -> Result<()> {
        let mut inner = self.lock();
        let mut all = self.lasting(&mut inner, agent).to_vec();
        if all.len() >= MOST {
            bail!(
                "agent `{agent}` has {MOST} standing approvals already\n  hint: soulbound approvals revoke ID"
            );
        }
        all.push(permission);
        self.write(&mut inner, agent, all)
    }

    /// Takes a permission back.
    pub(super) fn revoke(&self, agent: &str, name: &str) -> Result<Option<Permission>> {
        let mut inner = self.lock();
        let timed =
            inner.timed.iter().find(|((of, _), (_, permission))| of == agent && permission.name == name);
        if let Some(key) = timed.map(|(key, _)| key.clone()) {
            return Ok(inner.timed.remove(&key).map(|(_, permission)| permission));
        }
        let mut all = self.lasting(&mut inner, agent).to_vec();
        let Some(at) = all.iter().position(|permission| permission.name == name) else { return Ok(None) };
        let permission = all.remove(at);
        self.write(&mut inner, agent, all)?;
        Ok(Some(permission))
    }

    /// The permissions of an agent, each with the seconds that it still lasts.
    pub(super) fn list(&self, agent: &str) -> Vec<(Permission, Option<u64>)> {
        let mut inner = self.lock();
        let now = Instant::now();
        inner.timed.retain(|_, (until, _)| *until > now);
        let timed = inner.timed.iter().filter(|((of, _), _)| of == agent);
        let mut all: Vec<(Permission, Option<u64>)> = timed
            .map(|(_, (until, permission))| (permission.clone(), Some(until.duration_since(now).as_secs())))
            .collect();
        all.extend(self.lasting(&mut inner, agent).iter().map(|permission| (permission.clone(), None)));
        all.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        all
    }

    /// Nothing of an agent's is approved any more: it was removed.
    pub(super) fn forget(&self, agent: &str) {
        let mut inner = self.lock();
        inner.timed.retain(|(of, _), _| of != agent);
        inner.lasting.remove(agent);
    }

    fn path(&self, agent: &str) -> PathBuf {
        self.state.agent(agent).join("approvals.json")
    }

    fn lasting<'a>(&self, inner: &'a mut Inner, agent: &str) -> &'a [Permission] {
        inner.lasting.entry(agent.to_owned()).or_insert_with(|| {
            read(&self.path(agent)).unwrap_or_else(|error| {
                // What cannot be read permits nothing.
                tracing::error!(agent, error = format!("{error:#}"), "standing approvals cannot be read");
                Vec::new()
            })
        })
    }

    fn write(&self, inner: &mut Inner, agent: &str, all: Vec<Permission>) -> Result<()> {
        // One that cannot be read is not replaced by an empty one.
        read(&self.path(agent))?;
        durable::replace(&self.path(agent), &serde_json::to_vec_pretty(&all)?)?;
        inner.lasting.insert(agent.to_owned(), all);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permission {
    /// What a person gives when they approve this for longer.
    pub(super) fn of(subject: &Subject, name: &str, binding: Digest, by: &Decider) -> Self {
        Self {
            name: name.to_owned(),
            binding: binding.to_string(),
            skill: subject.skill.clone(),
            tool: subject.tool.clone(),
            what: super::card::line(subject),
            component: subject.component.to_string(),
            granted: Moment::now().to_string(),
            by: format!("{} ({})", by.who, by.way.name()),
        }
    }
}

/// Whether the standing approvals of an agent can be read.
pub(crate) fn readable(state: &StateFolder, agent: &str) -> Result<()> {
    read(&state.agent(agent).join("approvals.json")).map(drop)
}

fn read(path: &std::path::Path) -> Result<Vec<Permission>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("`{}` holds no standing approvals", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::decision::Way;
    use super::super::subject::What;
    use super::super::subject::tests::subject;
    use super::*;

    fn permission(name: &str, binding: Digest) -> Permission {
        let by = Decider { who: "root".to_owned(), way: Way::Cli };
        Permission::of(&subject(serde_json::json!({}), What::Call), name, binding, &by)
    }

    #[test]
    fn a_lasting_permission_survives_a_restart_and_a_timed_one_does_not() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        std::fs::create_dir_all(state.agent("echo")).unwrap();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let kept = Kept::of(&state);
        kept.keep("echo", permission("echo-1", one)).unwrap();
        kept.keep_for("echo", permission("echo-2", other), Duration::from_secs(60)).unwrap();
        assert!(kept.covers("echo", one).is_some() && kept.covers("echo", other).is_some());
        assert!(kept.covers("eve", one).is_none() && kept.covers("echo", Digest::of(b"x")).is_none());
        let again = Kept::of(&state);
        assert!(again.covers("echo", one).is_some() && again.covers("echo", other).is_none());
        assert!(again.revoke("echo", "echo-9").unwrap().is_none());
        assert_eq!(again.revoke("echo", "echo-1").unwrap().unwrap().name, "echo-1");
        assert!(again.covers("echo", one).is_none() && Kept::of(&state).covers("echo", one).is_none());
    }

    #[test]
    fn a_permission_for_a_time_ends_with_it() {
        let place = tempfile::tempdir().unwrap();
        let kept = Kept::of(&StateFolder::at(place.path().to_owned()));
        kept.keep_for("echo", permission("echo-2", Digest::of(b"x")), Duration::from_secs(60)).unwrap();
        assert!(kept.covers("echo", Digest::of(b"x")).is_some());
        assert_eq!(kept.list("echo").len(), 1);
        kept.keep_for("echo", permission("echo-2", Digest::of(b"x")), Duration::ZERO).unwrap();
        assert!(kept.covers("echo", Digest::of(b"x")).is_none() && kept.list("echo").is_empty());
    }

    #[test]
    fn what_cannot_be_read_permits_nothing_and_is_not_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        std::fs::create_dir_all(state.agent("echo")).unwrap();
        let path = state.agent("echo").join("approvals.json");
        std::fs::write(&path, "[{\"name\": 1}]").unwrap();
        let kept = Kept::of(&state);
        assert!(kept.list("echo").is_empty());
        assert!(kept.keep("echo", permission("echo-1", Digest::of(b"x"))).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[{\"name\": 1}]");
    }
}

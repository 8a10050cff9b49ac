//! The breakers that are open, in memory and in `agents/<id>/breakers.json`.
//!
//! The rule: whatever is not known to be closed is open. The file is there as long as anything is open, and one that cannot be
//! read opens everything. It is written before anybody is told of the trip or of the call that tripped it: what a killed
//! gateway leaves is either an open breaker or a call that nobody was answered.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::{Denial, DenialId, visible};

use super::kind::Kind;
use crate::durable;
use crate::trust::Registry;

/// The file's name in an agent's folder.
const NAME: &str = "breakers.json";

/// Why a breaker opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// What tripped it; none when the file cannot be read.
    pub(crate) kind: Option<Kind>,
    /// When, by the wall clock.
    pub(crate) when: String,
    /// What was seen.
    pub(crate) observed: String,
    /// Of which skill the anomaly was, if of one.
    pub(crate) by: Option<String>,
}

/// Open breakers by what they stop: the agent (`None`), or a skill.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Open(pub(crate) BTreeMap<Option<String>, Opened>);

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    skill: Option<String>,
    #[serde(flatten)]
    opened: Opened,
}

impl Open {
    /// What is open of the agent with this folder in the state folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let path = folder.join(NAME);
        let read = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::default(),
            Err(error) => Err(anyhow::Error::from(error)),
            Ok(bytes) => serde_json::from_slice::<Vec<Kept>>(&bytes).map_err(anyhow::Error::from),
        };
        match read {
            Ok(kept) => Self(kept.into_iter().map(|kept| (kept.skill, kept.opened)).collect()),
            Err(error) => {
                let observed = format!("`{}` cannot be read: {error:#}", path.display());
                let opened = Opened { kind: None, when: "an unknown time".to_owned(), observed, by: None };
                Self(BTreeMap::from([(None, opened)]))
            }
        }
    }

    /// Writes it down; with nothing open there is no file. `settled` waits for the disk.
    pub(crate) fn write(&self, folder: &Path, settled: bool) -> Result<()> {
        let path = folder.join(NAME);
        if self.0.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("`{}` cannot be removed", path.display()))
                }
                _ => Ok(()),
            };
        }
        let kept: Vec<Kept> = self
            .0
            .iter()
            .map(|(skill, opened)| Kept { skill: skill.clone(), opened: opened.clone() })
            .collect();
        let bytes = serde_json::to_vec_pretty(&kept)?;
        if settled { durable::replace(&path, &bytes) } else { durable::replace_lightly(&path, &bytes) }
    }

    /// Opens one. Whether it was closed.
    pub(crate) fn trip(&mut self, of: Option<&str>, opened: Opened) -> bool {
        match self.0.entry(of.map(str::to_owned)) {
            // The first anomaly is the one that an operator has to look at.
            std::collections::btree_map::Entry::Occupied(_) => false,
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(opened);
                true
            }
        }
    }

    /// Closes that of a skill, or all of the agent's. Which were open.
    pub(crate) fn close(&mut self, skill: Option<&str>) -> Vec<Option<String>> {
        match skill {
            None => std::mem::take(&mut self.0).into_keys().collect(),
            Some(skill) => {
                let key = Some(skill.to_owned());
                self.0.remove(&key).map(|_| key).into_iter().collect()
            }
        }
    }

    /// Whether a skill's calls may run.
    ///
    /// # Errors
    ///
    /// `breaker.open`, which names what tripped it.
    pub(crate) fn permits(&self, agent: &str, skill: &str) -> Result<(), Denial> {
        if let Some(opened) = self.0.get(&None) {
            return Err(denial(
                &format!("agent `{agent}`"),
                opened,
                &format!("soulbound agents reset {agent}"),
            ));
        }
        match self.0.get(&Some(skill.to_owned())) {
            Some(opened) => {
                let hint = format!("soulbound agents reset {agent} --skill {skill}");
                Err(denial(&format!("skill `{skill}`"), opened, &hint))
            }
            None => Ok(()),
        }
    }

    /// Each open breaker in a few words: `probe (many refused paths, hosts or imports)`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let why = |opened: &Opened| opened.kind.map_or("its file cannot be read", Kind::sentence);
        self.0.iter().map(|(of, opened)| format!("{} ({})", name(of.as_deref()), why(opened))).collect()
    }

    /// For programs.
    pub(crate) fn document(&self) -> serde_json::Value {
        let entry = |(skill, opened): (&Option<String>, &Opened)| {
            serde_json::json!({
                "skill": skill, "kind": opened.kind, "when": opened.when, "observed": opened.observed, "by": opened.by,
            })
        };
        self.0.iter().map(entry).collect()
    }
}

/// What a breaker stops, in a word: the whole agent has none of its own.
pub(crate) fn name(of: Option<&str>) -> &str {
    of.unwrap_or("the whole agent")
}

/// Closes breakers in an agent's folder, for an operator. Which were open.
pub(crate) fn reset(folder: &Path, skill: Option<&str>) -> Result<Vec<Option<String>>> {
    let mut open = Open::read(folder);
    if skill.is_some() && open.0.values().any(|opened| opened.kind.is_none()) {
        bail!(
            "which breakers are open cannot be read, so all count as open\n  hint: look at the agent's trail, then close all: \
             `soulbound agents reset AGENT`"
        );
    }
    let closed = open.close(skill);
    open.write(folder, true)?;
    Ok(closed)
}

/// What is open of any agent that is not removed: a look at one file each.
pub(crate) fn all(registry: &Registry) -> Vec<(String, Open)> {
    let ids = registry.ids().unwrap_or_default();
    let open = ids.into_iter().map(|id| (Open::read(&registry.folder(&id)), id));
    open.filter(|(open, _)| !open.0.is_empty()).map(|(open, id)| (id, open)).collect()
}

fn denial(what: &str, opened: &Opened, remedy: &str) -> Denial {
    let kind = opened.kind.map_or("unreadable", Kind::name);
    let message = format!(
        "the breaker of {what} is open since {}: {kind}, {}",
        visible::line(&opened.when),
        visible::line(&opened.observed)
    );
    Denial::new(DenialId::BreakerOpen, message)
        .hint(format!("look at the trail, then an operator closes it: {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Opened {
        Opened {
            kind: Some(Kind::ScopeViolation),
            when: "2026-11-21T10:15:00.000Z".to_owned(),
            observed: "31 refused accesses, the newest path.outside \"/etc/shadow\"".to_owned(),
            by: Some("probe".to_owned()),
        }
    }

    #[test]
    fn what_is_open_is_read_back_and_with_nothing_open_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Open::read(folder.path()), Open::default());
        let mut open = Open::default();
        assert!(open.trip(Some("probe"), opened()) && open.trip(None, opened()));
        assert!(!open.trip(None, Opened { kind: Some(Kind::NewHost), ..opened() }), "the first one stands");
        for settled in [false, true] {
            open.write(folder.path(), settled).unwrap();
            assert_eq!(Open::read(folder.path()), open);
        }
        assert_eq!(open.permits("echo", "other").unwrap_err().id, DenialId::BreakerOpen);
        assert_eq!(reset(folder.path(), Some("other")).unwrap(), []);
        assert_eq!(reset(folder.path(), Some("probe")).unwrap(), [Some("probe".to_owned())]);
        assert_eq!(reset(folder.path(), None).unwrap(), [None]);
        assert!(!folder.path().join(NAME).exists());
        Open::default().permits("echo", "probe").unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_read_opens_everything_until_all_is_reset() {
        for broken in [
            "",
            "{",
            "null",
            "[{\"skill\": null}]",
            "[{\"skill\":null,\"kind\":\"nice\",\"when\":\"\",\"observed\":\"\"}]",
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(NAME), broken).unwrap();
            let open = Open::read(folder.path());
            assert_eq!(open.permits("echo", "any").unwrap_err().id, DenialId::BreakerOpen, "{broken}");
            assert!(reset(folder.path(), Some("any")).is_err(), "{broken}");
            assert_eq!(reset(folder.path(), None).unwrap(), [None], "{broken}");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(NAME)).unwrap();
        assert!(Open::read(folder.path()).permits("echo", "any").is_err());
    }

    #[test]
    fn the_denial_names_what_when_and_the_way_out() {
        let mut open = Open::default();
        open.trip(Some("probe"), opened());
        insta::assert_snapshot!(open.permits("echo", "probe").unwrap_err(), @r#"
        denied[breaker.open]: the breaker of skill `probe` is open since 2026-11-21T10:15:00.000Z: scope-violation, 31 refused accesses, the newest path.outside "/etc/shadow"
          hint:     look at the trail, then an operator closes it: soulbound agents reset echo --skill probe
        "#);
        assert_eq!(open.lines(), ["probe (many refused paths, hosts or imports)"]);
    }
}

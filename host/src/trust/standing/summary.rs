//! How an agent's folder differs from what is trusted, in a few words a kind: for lists, where every change would be too much.

use serde::Serialize;

use super::Standing;
use crate::trust::change::Amounts;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Differs {
    /// SOUL.md is gone or cannot be used: nothing may run.
    NothingRuns,
    /// SOUL.md has other text.
    Soul,
    /// A skill's files are others, or gone.
    Skill,
    /// A granted directory is gone, or another one.
    Directory,
}

/// One way in which a folder differs, and a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// What differs.
    pub(crate) what: Differs,
    /// Of which skill, where it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skill: Option<String>,
    /// In words, escaped.
    pub(crate) text: String,
}

impl Standing {
    /// What differs from what is trusted.
    pub(crate) fn summary(&self) -> Vec<Difference> {
        let of =
            |what, skill: Option<&String>, text: String| Difference { what, skill: skill.cloned(), text };
        let mut all: Vec<Difference> =
            self.soul_differs().into_iter().map(|(what, text)| of(what, None, text)).collect();
        for skill in self.skills.iter().filter(|skill| !skill.changes.is_empty()) {
            let text = if skill.is_gone {
                format!("the folder of skill `{}` is gone", skill.name)
            } else {
                format!("skill `{}` has other bytes", skill.name)
            };
            all.push(of(Differs::Skill, Some(&skill.name), text));
        }
        for change in self.changes.iter().filter(|change| change.directory.is_some()) {
            let skill = change.skill.as_deref().unwrap_or_default();
            let text = format!("skill `{skill}` {}", change.text);
            all.push(of(Differs::Directory, change.skill.as_ref(), text));
        }
        all
    }

    fn soul_differs(&self) -> Option<(Differs, String)> {
        let of_soul = || {
            let of_skills = || self.skills.iter().flat_map(|skill| &skill.changes);
            self.changes.iter().filter(move |change| {
                change.directory.is_none() && !of_skills().any(|other| other == *change)
            })
        };
        if self.effective.is_none() {
            let why = of_soul().find(|change| change.effect == Amounts::Narrowing);
            return Some((Differs::NothingRuns, why.map_or_else(String::new, |change| change.text.clone())));
        }
        let changed = of_soul().any(|change| change.file.is_some());
        let narrows = of_soul().any(|change| change.effect == Amounts::Narrowing);
        let waits = of_soul().any(|change| matches!(change.effect, Amounts::Widening | Amounts::Words));
        // What comes of it is told once, for all of it ([`crate::trust::Runs`]).
        let text = match (narrows, waits) {
            (true, true) => "SOUL.md takes away and adds",
            (true, false) => "SOUL.md takes away",
            (false, _) => "SOUL.md changed",
        };
        changed.then(|| (Differs::Soul, text.to_owned()))
    }
}

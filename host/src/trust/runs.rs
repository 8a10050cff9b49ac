//! What of an agent runs now, in a word and in a sentence: the same ones wherever an operator asks.
//!
//! The rule: that something changed is never told without what comes of it. A changed agent that a gateway already ran goes on
//! with what is trusted, narrowed; one that no gateway has looked at since does not start at all, and nor does one that
//! lacks what the operator's settings ask for.

use serde::Serialize;
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, DenialId};

use super::attacked::{self, Lacks, clean_run};
use super::change::{Amounts, Lost};
use super::registry::Registry;
use super::standing::Standing;

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Runs {
    /// What was trusted.
    AsTrusted,
    /// What was trusted, and the folder is another by now.
    Changed {
        /// Less may be reached, at once.
        narrows: bool,
        /// Something is there that an operator has not accepted.
        waits: bool,
    },
    /// What was trusted, without directories that the operator's own settings deny.
    Ceiling,
    /// Nothing: no redteam run that the operator's settings ask for.
    Unproven(Lacks),
    /// Nothing: it changed before a gateway first looked at it.
    Held,
    /// Nothing: its SOUL.md cannot be used.
    Unusable,
    /// Nothing: its folder is not where it was.
    Gone,
}

/// The same for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// Whether any call can be answered at all.
    nothing: bool,
    /// The word of the table.
    word: &'static str,
    /// The sentence.
    sentence: String,
}

impl Runs {
    /// By how the folder stands, whether a gateway holds the agent back, and what it lacks of what the settings ask for.
    pub(crate) fn of(standing: &Standing, is_held: bool, lacks: Option<Lacks>) -> Self {
        if standing.is_folder_gone() {
            return Self::Gone;
        }
        if standing.effective.is_none() {
            return Self::Unusable;
        }
        if let Some(lacks) = lacks {
            return Self::Unproven(lacks);
        }
        if is_held {
            return Self::Held;
        }
        let mut changed = standing.changes.iter().filter(|change| change.directory != Some(Lost::Denied));
        if standing.is_as_trusted() {
            return Self::AsTrusted;
        }
        if changed.clone().next().is_none() {
            return Self::Ceiling;
        }
        let narrows = changed.clone().any(|change| change.effect == Amounts::Narrowing);
        // That SOUL.md has other bytes is said by what they amount to, where that can be told.
        let is_told = |change: &super::Change| change.skill.is_some() || change.file.is_none();
        let waits = changed.any(|change| change.effect != Amounts::Narrowing && is_told(change));
        Self::Changed { narrows, waits: waits || !narrows }
    }

    /// Of an agent whose folder is as it was trusted.
    pub(crate) fn of_unchanged(lacks: Option<Lacks>) -> Self {
        lacks.map_or(Self::AsTrusted, Self::Unproven)
    }

    /// Whether all runs that was trusted.
    pub(crate) fn is_as_trusted(&self) -> bool {
        *self == Self::AsTrusted
    }

    /// Whether nothing runs.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Unproven(_) | Self::Held | Self::Unusable | Self::Gone)
    }

    /// The word of a table's column.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::AsTrusted => "as trusted",
            Self::Changed { narrows: true, .. } => "narrowed",
            Self::Changed { narrows: false, .. } => "changed",
            Self::Ceiling => "ceiling",
            Self::Unproven(_) | Self::Held | Self::Unusable | Self::Gone => "nothing runs",
        }
    }

    /// The whole of it.
    pub(crate) fn sentence(&self) -> String {
        let told = match self {
            Self::AsTrusted => "as trusted",
            Self::Changed { narrows: true, waits: true } => {
                "changed: narrowing is in force, the rest waits for trust"
            }
            Self::Changed { narrows: true, waits: false } => "changed: narrowing is in force",
            Self::Changed { narrows: false, .. } => {
                "changed: what is trusted runs on, what changed waits for trust"
            }
            Self::Ceiling => {
                "gateway.toml (`[ceiling] deny_dirs`) denies a directory that it is granted: calls that need it are refused"
            }
            Self::Unproven(lacks) => {
                return format!(
                    "nothing runs until redteam did, with nothing out: {lacks}, and `[trust] require_redteam` of gateway.toml asks for it"
                );
            }
            Self::Held => "changed: nothing runs until you trust or roll back",
            Self::Unusable => "changed: nothing runs until SOUL.md is mended or you roll back",
            Self::Gone => "nothing runs until the agent's folder is back where it was",
        };
        told.to_owned()
    }

    /// What a call is answered that all else would allow; none where that runs.
    pub(crate) fn denial(&self, id: &str) -> Option<Denial> {
        match self {
            Self::Unproven(lacks) => Some(attacked::required(id, lacks)),
            Self::Held => Some(held(id)),
            // These refuse each skill for itself: [`Standing::refusal`].
            Self::Unusable | Self::Gone => None,
            Self::AsTrusted | Self::Changed { .. } | Self::Ceiling => None,
        }
    }

    /// The same for programs.
    pub(crate) fn told(&self) -> Told {
        Told { nothing: self.is_nothing(), word: self.word(), sentence: self.sentence() }
    }
}

/// What every call of an agent is answered that changed before a gateway first looked at it.
pub(crate) fn held(id: &str) -> Denial {
    let hint = format!(
        "soulbound agents diff {id}, then soulbound agents trust {id} or soulbound agents rollback {id}"
    );
    Denial::new(DenialId::SkillNotTrusted, format!("agent `{id}` changed since an operator trusted it"))
        .hint(hint)
}

/// What a trusted manifest lacks, where the operator's settings ask for a redteam run.
pub(crate) fn lacks(registry: &Registry, manifest: Digest, require_redteam: bool) -> Option<Lacks> {
    if require_redteam { clean_run(registry.state(), manifest).err() } else { None }
}

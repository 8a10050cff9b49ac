//! Whether `soulbound agents trust` would accept what is in an agent's folder, and if not, what has to be done first.
//!
//! The rule: nobody is told to run a command that would refuse. What is asked here is what `trust` asks, by the same reading.

use soulbound_runtime::visible;

use super::Looked;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::{Candidate, runs};

/// What stands between the folder and trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing but the operator's word.
    Acceptable,
    /// What is there, first to be mended.
    Refused(String),
    /// A redteam run that the operator's settings ask for.
    Unproven,
}

impl Verdict {
    /// Reads the folder as `trust` does.
    pub(super) fn of(looked: &Looked, state: &StateFolder, settings: Settings) -> Self {
        let id = &looked.agent.record.id;
        let require_redteam = settings.require_redteam;
        let start = |settings| crate::cli::check::runtime(state, settings);
        let candidate = match Candidate::read(&looked.agent.record.folder, state, settings, start) {
            Ok(candidate) => candidate,
            Err(error) => return Self::Refused(first_line(&format!("{error:#}"))),
        };
        let Some((manifest, digest)) = candidate.manifest() else {
            let first = candidate.review.view.errors.first();
            let why = first.map(|error| format!("{}:{}: {}", error.line, error.column, error.message));
            return Self::Refused(format!("SOUL.md:{}", first_line(&why.unwrap_or_default())));
        };
        if manifest.id != *id {
            return Self::Refused(format!("its SOUL.md has the `Name` of agent `{}`", manifest.id));
        }
        match runs::lacks(&looked.registry, digest, require_redteam) {
            Some(_) => Self::Unproven,
            None => Self::Acceptable,
        }
    }

    /// Why it would be refused, for programs; none if it would not.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::Acceptable => None,
            Self::Refused(why) => Some(why.clone()),
            Self::Unproven => Some("`[trust] require_redteam` asks for a run with nothing out".to_owned()),
        }
    }

    /// What to do.
    pub(super) fn hint(&self, id: &str, folder: &str) -> String {
        let back = format!("`soulbound agents rollback {id}` puts back what is trusted");
        match self {
            Self::Acceptable => format!("`soulbound agents trust {id}` accepts, {back}"),
            Self::Refused(why) => format!(
                "`soulbound agents trust {id}` would refuse this: {why}; mend that (`soulbound check {folder}` lists all that is \
                 wrong), or {back}"
            ),
            Self::Unproven => format!(
                "`soulbound agents trust {id} --redteam` attacks it first, as `[trust] require_redteam` of gateway.toml asks, and \
                 accepts if nothing gets out; {back}"
            ),
        }
    }
}

fn first_line(text: &str) -> String {
    visible::line(text.lines().next().unwrap_or_default())
}

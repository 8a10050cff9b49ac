//! `soulbound agents add DIR`: the grant card, the question, and the agent.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::accept::{Answer, Said, say_difference};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::act::{self, Act};
use crate::trust::{Candidate, Condition, Registry, card};

/// Show what an agent's folder would let its skills do, and add the agent if you say yes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents add examples/guardian")]
pub(super) struct Add {
    /// The folder that holds the agent's SOUL.md
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    answer: Answer,
    /// The card as one JSON document
    #[arg(long)]
    json: bool,
}

impl Add {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let settings = Settings::read(&state)?;
        let start = |settings| crate::cli::check::runtime(&state, settings);
        let candidate = Candidate::read(&self.folder, &state, settings, start)?;
        if self.json {
            crate::cli::print_json(&card::document(&candidate)?)?;
        } else {
            crate::cli::print(&card::text(&candidate, Style::stdout()));
        }
        let Some((manifest, digest)) = candidate.manifest() else { return Ok(Exit::Refused) };
        let registry = Registry::open(&state);
        // Before anybody reads the card to the end and answers.
        if matches!(registry.condition(&manifest.id), Condition::Enabled | Condition::Disabled) {
            return Err(act::taken(&registry, &manifest.id));
        }
        let named = format!("{}/SOUL.md", candidate.folder.display());
        if !self.answer.attacked(&named, &candidate, &state)? {
            return Ok(Exit::Refused);
        }
        let folder = candidate.folder.clone();
        let command = format!("soulbound agents add {}", self.folder.display());
        match self.answer.to(digest, &command)? {
            Said::Other(expected) => {
                say_difference(&registry, &candidate, expected);
                return Ok(Exit::Refused);
            }
            Said::No(exit) => return Ok(exit),
            Said::Yes => {}
        }
        state.make()?;
        let manifest = candidate.store(registry.store())?;
        super::perform(&state, Act::Add { folder, manifest })
    }
}

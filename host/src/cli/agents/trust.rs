//! `soulbound agents trust ID`: what changed, the card of what would be trusted, the question.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::accept::{Answer, Said, say_difference};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::act::Act;
use crate::trust::registry::id;
use crate::trust::standing::put_folder_back;
use crate::trust::{Candidate, Registry, card};

/// Show what changed in an agent's folder, and accept it if you say yes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents trust guardian")]
pub(super) struct Trust {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    #[command(flatten)]
    answer: Answer,
    /// The changes and the card as one JSON document
    #[arg(long)]
    json: bool,
}

impl Trust {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let registry = Registry::open(&state);
        let agent = registry.load(&id(&self.agent)?)?;
        let folder = &agent.record.folder;
        if !folder.is_dir() {
            bail!(
                "the agent's folder `{}` is gone\n  hint: {}",
                folder.display(),
                put_folder_back(&agent.record.id)
            );
        }
        let settings = Settings::read(&state)?;
        let start = |settings| crate::cli::check::runtime(&state, settings);
        let candidate = Candidate::read(&agent.record.folder, &state, settings, start)?;
        let changes = candidate.changes(&agent.trusted);
        if self.json {
            crate::cli::print_json(&json!({"changes": changes, "card": card::document(&candidate)?}))?;
        } else {
            let style = Style::stdout();
            if !changes.is_empty() {
                crate::cli::print(&style.bold("changes since it was trusted"));
                crate::cli::print(&format!("{}\n", card::changes(&changes, style)));
            }
            crate::cli::print(&card::text(&candidate, style));
        }
        let Some((manifest, digest)) = candidate.manifest() else { return Ok(Exit::Refused) };
        let id = &agent.record.id;
        if manifest.id != *id {
            bail!(
                "its SOUL.md is that of agent `{}` now; the id of `{id}` was fixed when it was added\n  hint: put the `Name` \
                 back, or remove `{id}` and add the folder anew",
                manifest.id
            );
        }
        if digest == agent.trusted.digest {
            crate::cli::note(&format!("agent `{id}` is as trusted; there is nothing to accept"));
            return Ok(Exit::Done);
        }
        let named = format!("{}/SOUL.md", candidate.folder.display());
        if !self.answer.attacked(&named, &candidate, &state)? {
            return Ok(Exit::Refused);
        }
        match self.answer.to(digest, &format!("soulbound agents trust {id}"))? {
            Said::Other(expected) => {
                say_difference(&registry, &candidate, expected);
                return Ok(Exit::Refused);
            }
            Said::No(exit) => return Ok(exit),
            Said::Yes => {}
        }
        let manifest = candidate.store(registry.store())?;
        super::perform(&state, Act::Trust { id: id.clone(), manifest })
    }
}

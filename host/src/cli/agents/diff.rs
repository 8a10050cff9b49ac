//! `soulbound agents diff ID`: what differs between what is trusted and what is in the folder.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use soulbound_runtime::visible;

use super::acceptable::Verdict;
use crate::exit::Exit;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::standing::{put_back, put_folder_back};
use crate::trust::{Lost, card};

/// Say what changed in an agent's folder since it was trusted; exit 1 if anything did
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents diff guardian")]
pub(super) struct Diff {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let looked = super::look(&state, &self.agent)?;
        let (id, changes) = (&looked.agent.record.id, &looked.standing.changes);
        let exit = if looked.standing.is_as_trusted() { Exit::Done } else { Exit::Refused };
        let (runs, folder) = (&looked.runs, &looked.agent.record.folder);
        let lost = changes.iter().filter(|change| change.directory.is_some()).count();
        let is_acceptable = (lost < changes.len() && folder.is_dir())
            .then(|| Settings::read(&state).map(|settings| Verdict::of(&looked, &state, settings)))
            .transpose()?;
        if self.json {
            let trusted = looked.agent.trusted.digest;
            let refused = is_acceptable.as_ref().and_then(Verdict::refusal);
            crate::cli::print_json(&json!({
                "id": id, "trusted": trusted, "changes": changes, "runs": runs.told(), "trust_would_refuse": refused
            }))?;
            return Ok(exit);
        }
        if changes.is_empty() {
            crate::cli::print(&format!("agent `{id}` is as trusted"));
            if runs.is_nothing() {
                crate::cli::print(&visible::line(&runs.sentence()));
                crate::cli::note(&format!("  hint: soulbound redteam {id}"));
            }
            return Ok(exit);
        }
        crate::cli::print(&card::changes(changes, Style::stdout()));
        crate::cli::print(&format!("\n{}", visible::line(&runs.sentence())));
        if !folder.is_dir() {
            crate::cli::note(&format!("  hint: {}", put_folder_back(id)));
        }
        if let Some(verdict) = is_acceptable {
            crate::cli::note(&format!(
                "  hint: {}",
                verdict.hint(id, &format!("{}/SOUL.md", folder.display()))
            ));
        }
        let of = |how| changes.iter().any(|change| change.directory == Some(how));
        if of(Lost::Denied) {
            crate::cli::note("  hint: take the place out of `deny_dirs`, or the directory out of SOUL.md");
        }
        if of(Lost::Closed) || of(Lost::Moved) {
            // No bytes of it are trusted, so there are none to put back.
            crate::cli::note(&format!("  hint: {}", put_back(id)));
        }
        Ok(exit)
    }
}

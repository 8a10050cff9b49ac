//! `soulbound agents diff ID`: what differs between what is trusted and what is in the folder.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::exit::Exit;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::card;
use crate::trust::change::Amounts;
use crate::trust::standing::{put_back, put_folder_back};

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
        let looked = super::look(&StateFolder::find()?, &self.agent)?;
        let (id, changes) = (&looked.agent.record.id, &looked.standing.changes);
        let exit = if looked.standing.is_as_trusted() { Exit::Done } else { Exit::Refused };
        if self.json {
            let trusted = looked.agent.trusted.digest;
            crate::cli::print_json(&json!({"id": id, "trusted": trusted, "changes": changes}))?;
            return Ok(exit);
        }
        if changes.is_empty() {
            crate::cli::print(&format!("agent `{id}` is as trusted"));
            return Ok(exit);
        }
        crate::cli::print(&card::changes(changes, Style::stdout()));
        let narrowing = changes.iter().filter(|change| change.effect == Amounts::Narrowing).count();
        crate::cli::print(&format!(
            "\nwhat narrows ({narrowing}) applies already; the rest ({}) waits for trust",
            changes.len() - narrowing
        ));
        let lost = changes.iter().filter(|change| change.directory.is_some()).count();
        if !looked.agent.record.folder.is_dir() {
            crate::cli::note(&format!("  hint: {}", put_folder_back(id)));
        } else if lost < changes.len() {
            crate::cli::note(&format!(
                "  hint: `soulbound agents trust {id}` accepts, `soulbound agents rollback {id}` puts back what is trusted"
            ));
        }
        if lost > 0 {
            // No bytes of it are trusted, so there are none to put back.
            crate::cli::note(&format!("  hint: {}", put_back(id)));
        }
        Ok(exit)
    }
}

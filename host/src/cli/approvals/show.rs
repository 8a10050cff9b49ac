//! `soulbound approvals show ID`: one question, exactly as it runs if it is approved.

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::operator::approvals::{Ask, ask_running, text};
use crate::state::StateFolder;

/// Show what waits: what runs if you approve it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound approvals show echo-37\n  soulbound approvals show echo-37 --full"
)]
pub(super) struct Show {
    /// Its name, as `approvals list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// The whole of every value, however long
    #[arg(long)]
    full: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> Result<Exit> {
        let reply = ask_running(&StateFolder::find()?, Ask::Show { id: self.id, full: self.full })?;
        super::told(reply, |value| {
            if self.json {
                return crate::cli::print_json(&value);
            }
            crate::cli::print(text(&value, "card").trim_end());
            Ok(())
        })
    }
}

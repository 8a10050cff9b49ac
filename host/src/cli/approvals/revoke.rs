//! `soulbound approvals revoke ID`: what was approved for longer is not any more.

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::operator::approvals::{Ask, ask_running, text};
use crate::state::StateFolder;

/// Take back what you approved for a time or for always
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound approvals revoke echo-37")]
pub(super) struct Revoke {
    /// Its name, as `approvals list` shows it
    #[arg(value_name = "ID")]
    id: String,
}

impl Revoke {
    pub(super) fn run(self) -> Result<Exit> {
        let reply = ask_running(&StateFolder::find()?, Ask::Revoke { id: self.id })?;
        super::told(reply, |value| {
            crate::cli::note(text(&value, "said"));
            Ok(())
        })
    }
}

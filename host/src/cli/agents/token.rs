//! `soulbound agents token ID`: a new token, shown once. The one before is worth nothing from then on.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::operator::{Who, tokens};
use crate::state::StateFolder;
use crate::trust::registry;

/// Make the agent's token for MCP over HTTP and show it once; the one before is worth nothing then
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound agents token guardian\n  soulbound agents token guardian --token-file guardian.token"
)]
pub(super) struct Token {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// Write it into this file (0600) instead of showing it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl Token {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let id = registry::id(&self.agent)?;
        let made = tokens::make(&state, Some(&id), &Who::this_process())?;
        crate::cli::show_token(&made, self.token_file.as_deref())
    }
}

//! `soulbound mcp serve | config`: what clients start, and what people paste so that they do.

mod clients;
mod config;
mod only;
mod serve;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::state::StateFolder;

/// Connect an MCP client to an agent's skills
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Example:\n  soulbound mcp config --client claude-code --agent echo\n  soulbound mcp serve --agent echo"
)]
pub(super) struct Mcp {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Serve),
    Config(config::Config),
}

impl Mcp {
    /// `ensure` makes sure that a gateway runs on this state folder; its error says why none does.
    pub(super) fn run(self, ensure: impl Fn(&StateFolder) -> Result<()>) -> Result<Exit> {
        match self.verb {
            Verb::Serve(serve) => serve.run(ensure),
            Verb::Config(config) => config.run(),
        }
    }
}

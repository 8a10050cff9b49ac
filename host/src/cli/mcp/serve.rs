//! `soulbound mcp serve --agent A`: the stdio server that clients start.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::mcp::shim;
use crate::state::StateFolder;
use crate::trust::Registry;

/// Serve an agent's skills over MCP on standard input and output
#[derive(Debug, Args)]
#[command(
    after_help = "Clients start it; `soulbound mcp config` prints how. It passes messages to the gateway, which it starts unless an operator stopped it.\n\nExample:\n  soulbound mcp serve --agent echo"
)]
pub(super) struct Serve {
    /// The agent's id
    #[arg(long, value_name = "ID")]
    agent: String,
}

impl Serve {
    pub(super) fn run(self, ensure: impl Fn(&StateFolder) -> Result<()>) -> Result<Exit> {
        let state = StateFolder::find()?;
        // A client that waits for an agent that there is not would only ever hear refusals.
        Registry::open(&state).record(&self.agent)?;
        let socket = state.path().join("gateway.sock");
        let output: shim::Output = Arc::new(Mutex::new(std::io::stdout()));
        shim::serve(&self.agent, &socket, || ensure(&state), std::io::stdin().lock(), output)?;
        Ok(Exit::Done)
    }
}

//! `soulbound agents rollback ID`: back to what is trusted, or to what was before.

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::state::StateFolder;
use crate::trust::Registry;
use crate::trust::act::Act;
use crate::trust::registry::id;

/// Put the trusted files back into an agent's folder; where nothing differs, return to what was trusted before that, one step each time
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound agents rollback guardian\n  soulbound agents rollback guardian --to 4f1d2c9a0b3e"
)]
pub(super) struct Rollback {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// Return to this one of its history: the digest, or how it begins
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

impl Rollback {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let record = Registry::open(&state).record(&id(&self.agent)?)?;
        let to = self.to.as_deref().map(|begins| record.of_history(begins)).transpose()?;
        super::perform(&state, Act::Rollback { id: record.id, to })
    }
}

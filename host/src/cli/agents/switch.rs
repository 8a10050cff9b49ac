//! `soulbound agents enable|disable|remove ID`. Stopping asks nobody and needs no running gateway.

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::state::StateFolder;
use crate::trust::act::Act;

/// Let a disabled agent run again
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents enable guardian")]
pub(super) struct Enable {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
}

/// Stop an agent at once, until it is enabled
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents disable guardian")]
pub(super) struct Disable {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
}

/// Stop an agent at once and forget it; its trail is kept, its folder untouched
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents remove guardian")]
pub(super) struct Remove {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// Accepted for scripts of other programs; nobody is asked anyway
    #[arg(long, visible_alias = "yes")]
    force: bool,
}

impl Enable {
    pub(super) fn run(self) -> Result<Exit> {
        super::perform(&StateFolder::find()?, Act::Enable { id: self.agent })
    }
}

impl Disable {
    pub(super) fn run(self) -> Result<Exit> {
        super::perform(&StateFolder::find_to_stop()?, Act::Disable { id: self.agent })
    }
}

impl Remove {
    pub(super) fn run(self) -> Result<Exit> {
        super::perform(&StateFolder::find_to_stop()?, Act::Remove { id: self.agent })
    }
}

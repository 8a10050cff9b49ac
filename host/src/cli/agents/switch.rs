//! `soulbound agents enable|disable|reset|remove ID`. Stopping asks nobody and needs no running gateway.

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

/// Close the breakers that an anomaly tripped, and begin to count anew
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound agents reset guardian\n  soulbound agents reset guardian --skill browser"
)]
pub(super) struct Reset {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// The breaker of this skill alone; without, all of the agent's
    #[arg(long)]
    skill: Option<String>,
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

impl Reset {
    pub(super) fn run(self) -> Result<Exit> {
        super::perform(&StateFolder::find()?, Act::Reset { id: self.agent, skill: self.skill })
    }
}

impl Remove {
    pub(super) fn run(self) -> Result<Exit> {
        super::perform(&StateFolder::find_to_stop()?, Act::Remove { id: self.agent })
    }
}

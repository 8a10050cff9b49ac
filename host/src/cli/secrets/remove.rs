//! `soulbound secrets remove NAME --agent A`: from the next request on it is not there.

use anyhow::Result;
use clap::Args;

use crate::exit::Exit;
use crate::oversight::secrets::act::{self, SecretAct};
use crate::state::StateFolder;
use crate::trust::registry;

/// Remove a secret of an agent; requests that would carry it are refused from then on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound secrets remove API_TOKEN --agent guardian")]
pub(super) struct Remove {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// The agent
    #[arg(long, value_name = "AGENT")]
    agent: String,
}

impl Remove {
    pub(super) fn run(self) -> Result<Exit> {
        let agent = registry::id(&self.agent)?;
        let said =
            format!("secret `{}` of `{agent}` is removed", soulbound_runtime::visible::line(&self.name));
        act::perform(&StateFolder::find()?, SecretAct::Remove { agent, name: self.name })?;
        crate::cli::note(&said);
        Ok(Exit::Done)
    }
}

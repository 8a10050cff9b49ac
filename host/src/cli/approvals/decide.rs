//! `soulbound approvals approve ID` and `deny ID`.

use anyhow::{Context, Result};
use clap::Args;
use soulbound_runtime::grant::limit::duration;

use crate::exit::Exit;
use crate::operator::approvals::{Ask, ask_running, text};
use crate::oversight::approvals::Decision;
use crate::state::StateFolder;

/// Let what waits go on: once, or exactly the same for a time or until you revoke it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound approvals approve echo-37\n  soulbound approvals approve echo-37 --for 30m\n  soulbound approvals approve echo-37 --always"
)]
pub(super) struct Approve {
    /// Its name, as `approvals list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// Exactly this again, for so long; a restart of the gateway ends it
    #[arg(long = "for", value_name = "TIME", conflicts_with = "always")]
    time: Option<String>,
    /// Exactly this again, until `approvals revoke`
    #[arg(long)]
    always: bool,
}

/// Refuse what waits
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound approvals deny echo-37 --reason \"not to this list\"")]
pub(super) struct Deny {
    /// Its name, as `approvals list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// Why not; the model is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Approve {
    pub(super) fn run(self) -> Result<Exit> {
        let decision = match self.time {
            _ if self.always => Decision::Always {},
            None => Decision::Once {},
            Some(text) => {
                let time = duration(&text)
                    .with_context(|| format!("`--for` is `{text}`; expected a time such as `30m`"))?;
                Decision::For { seconds: time.as_secs() }
            }
        };
        decide(self.id, decision)
    }
}

impl Deny {
    pub(super) fn run(self) -> Result<Exit> {
        decide(self.id, Decision::Deny { reason: self.reason })
    }
}

fn decide(id: String, decision: Decision) -> Result<Exit> {
    let reply = ask_running(&StateFolder::find()?, Ask::Decide { id, decision })?;
    super::told(reply, |value| {
        crate::cli::note(text(&value, "said"));
        Ok(())
    })
}

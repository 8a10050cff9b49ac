//! `soulbound secrets move-key --to keyring|file`: the same key in another place; what it sealed is not touched.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::audit::Event;
use crate::exit::Exit;
use crate::operator::{self, Who, client};
use crate::oversight::secrets::place::Destination;
use crate::state::StateFolder;
use crate::state::lock::Waited;

/// Move the key that seals secrets into the system's keyring, or out of it into a file
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound secrets move-key --to keyring\n  soulbound secrets move-key --to file"
)]
pub(super) struct MoveKey {
    /// Where to
    #[arg(long, value_name = "PLACE")]
    to: Destination,
}

impl MoveKey {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        // Between two places there is no moment at which a gateway could read the key.
        let _lock = match client::or_lock(&state)? {
            Waited::Ours(lock) => lock,
            Waited::Otherwise(_) => {
                bail!("a gateway uses the key\n  hint: soulbound gateway stop, then do this again")
            }
        };
        let store = super::store(&state)?;
        let left = store.move_key(self.to)?;
        let to = match self.to {
            Destination::Keyring => "keyring",
            Destination::File => "file",
        };
        operator::note(&state, Event::SecretKeyMoved, &Who::this_process(), &json!({"to": to}))?;
        if let Some(place) = store.key_place()? {
            crate::cli::note(&place.to_string());
        }
        if let Some(left) = left {
            crate::cli::note(&left);
        }
        Ok(Exit::Done)
    }
}

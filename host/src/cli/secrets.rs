//! `soulbound secrets`: what the operator gave an agent to be added to its requests. One file a verb.
//!
//! The rule: a value comes in on standard input and goes out nowhere: not as an argument, which `ps` shows, and not through
//! the environment, which every child inherits.

pub(super) mod list;
mod move_key;
mod prompt;
mod remove;
mod set;

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::oversight::secrets::SecretStore;
use crate::oversight::secrets::survey::{Row, survey};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::Registry;

/// Set, list and remove the secrets that the host adds to an agent's requests
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound secrets set API_TOKEN --agent guardian --for https://api.example.com\n  soulbound secrets list --agent guardian\n  soulbound secrets remove API_TOKEN --agent guardian"
)]
pub(super) struct Secrets {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Set(set::Set),
    List(list::List),
    #[command(aliases = ["delete", "rm"])]
    Remove(remove::Remove),
    MoveKey(move_key::MoveKey),
}

impl Secrets {
    pub(super) fn run(self) -> Result<Exit> {
        match self.verb {
            None => list::List { agent: None, json: self.json }.run(),
            Some(Verb::Set(set)) => set.run(),
            Some(Verb::List(list)) => list.run(),
            Some(Verb::Remove(remove)) => remove.run(),
            Some(Verb::MoveKey(move_key)) => move_key.run(),
        }
    }
}

/// The secrets of a state folder, under the operator's settings.
pub(super) fn store(state: &StateFolder) -> Result<Arc<SecretStore>> {
    Ok(SecretStore::open(state, Settings::read(state)?.secrets))
}

/// What there is of one agent's secrets, and what its trusted SOUL.md asks for.
pub(super) fn rows(state: &StateFolder, agent: &str) -> Result<Vec<Row>> {
    let store = store(state)?;
    let soul = Registry::open(state).load(agent).ok().map(|agent| agent.trusted.soul);
    survey(&store, agent, soul.as_ref())
}

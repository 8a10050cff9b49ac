//! What an operator asks about approvals, over the socket. Only there: no token of an agent's leads here.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operator::client::Client;
use crate::operator::{Reply, Request, Who};
use crate::oversight::approvals::Decision;
use crate::state::StateFolder;

/// A request about approvals.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// What waits, and what was approved for longer.
    List {},
    /// The same, as soon as it is other than at this version, or after so long. Whoever asks so watches.
    Watch {
        /// The version that is known.
        version: u64,
        /// How long to wait, in milliseconds.
        milliseconds: u64,
    },
    /// One question as a person reads it.
    Show {
        /// Its name or id.
        id: String,
        /// The whole of every value.
        full: bool,
    },
    /// A decision.
    Decide {
        /// The question's name or id.
        id: String,
        /// The decision.
        decision: Decision,
    },
    /// Takes back what was approved for longer.
    Revoke {
        /// Its name.
        id: String,
    },
}

/// Asks the running gateway; `None` where none runs.
pub(crate) fn ask(state: &StateFolder, ask: Ask, within: Option<Duration>) -> Result<Option<Reply>> {
    let Some(client) = Client::connect(state)? else { return Ok(None) };
    client.ask(&Request::Approvals { ask, who: Who::this_process() }, within).map(Some)
}

/// The same where one has to run.
pub(crate) fn ask_running(state: &StateFolder, wanted: Ask) -> Result<Reply> {
    ask(state, wanted, None)?.context(
        "no gateway runs, so nothing waits and nothing can be decided\n  hint: soulbound gateway start",
    )
}

/// What a reply that is no refusal holds under this name.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

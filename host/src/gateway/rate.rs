//! What concerns all agents together: how often they may call, kept over restarts, and which of their breakers are open.

use soulbound_runtime::sandbox::BudgetState;

use crate::durable;
use crate::gateway::Gateway;
use crate::oversight::breakers::open::{self, Open};
use crate::state::{StateFolder, kept};

/// What was left of the rate of all agents, in the state folder.
pub(crate) const RATE: &str = "rate.json";

impl Gateway {
    /// The breakers that are open of any agent, loaded or not, as they stand in the state folder.
    pub(crate) fn open_breakers(&self) -> Vec<(String, Open)> {
        open::all(&self.registry)
    }

    /// Writes down what is left of the rate of all agents.
    pub(super) fn keep_meter(&self) {
        let states = self.meter.states();
        let Some(text) = (!states.is_empty()).then(|| serde_json::to_vec(&states).ok()).flatten() else {
            return;
        };
        if let Err(error) = durable::replace_lightly(&self.state.path().join(RATE), &text) {
            tracing::error!(
                error = format!("{error:#}"),
                "what is left of the gateway's rate could not be kept"
            );
        }
    }
}

/// What was left. A file that is not understood is set aside and counts as a full bucket, as for skills; so does one that cannot
/// be read at the start, which the log says.
pub(super) fn kept(state: &StateFolder) -> Vec<BudgetState> {
    kept::read(&state.path().join(RATE)).unwrap_or_else(|error| {
        tracing::error!(%error, "what is left of the gateway's rate cannot be read, and begins anew");
        Vec::new()
    })
}

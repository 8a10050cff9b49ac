//! What an agent has spent, written down: its budgets outlive the gateway.

use std::sync::PoisonError;

use super::Agent;
use crate::gateway::budgets;

impl Agent {
    /// Writes down what is left of its skills' budgets, if that changed.
    pub(crate) fn keep_budgets(&self) {
        let (Some(gateway), Some(live)) = (self.gateway.upgrade(), self.last()) else { return };
        let mut kept = self.kept_budgets.lock().unwrap_or_else(PoisonError::into_inner);
        // A skill that is not there now keeps what it has spent: it may be back in a moment.
        let mut now = kept.clone();
        now.extend(live.budgets());
        let meter = self.oversight.breakers().meter().states();
        if !meter.is_empty() {
            now.insert(budgets::OF_THE_AGENT.to_owned(), meter);
        }
        if *kept == now {
            return;
        }
        match budgets::keep(gateway.state(), &self.id, &now) {
            Ok(()) => *kept = now,
            Err(error) => {
                tracing::error!(agent = self.id, error = format!("{error:#}"), "budgets could not be kept")
            }
        }
    }
}

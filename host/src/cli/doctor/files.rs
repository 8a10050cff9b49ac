//! Doctor's look at the small files of each agent: what cannot be read, and what was set aside because of that.
//!
//! Breakers and secrets have checks of their own.

use super::{Finding, Severity};
use crate::gateway::rate::RATE;
use crate::oversight::approvals::readable;
use crate::state::{StateFolder, kept};
use crate::trust::Registry;
use crate::trust::manifest::Manifest;

/// What is learned or counted anew when its file cannot be read.
const KEPT: [(&str, &str); 2] = [
    ("baseline.json", "what is usual for its skills is learned anew"),
    ("budgets.json", "what was left of its budgets is full again"),
];

/// What is wrong with any agent's files.
pub(super) fn findings(state: &StateFolder) -> Vec<Finding> {
    let registry = Registry::open(state);
    let ids = match registry.ids() {
        Ok(ids) => ids,
        Err(error) => {
            let message = format!("the agents cannot be listed: {error:#}");
            return vec![Finding::new(
                "agents.readable",
                Severity::Error,
                message,
                "mend its owner and mode (0700)",
            )];
        }
    };
    let mut found = Vec::new();
    let rate = kept::aside(&state.path().join(RATE));
    if rate.symlink_metadata().is_ok() {
        found.push(Finding::new(
            "state.set-aside",
            Severity::Warning,
            format!("`{RATE}` was not understood and set aside: what was left of all agents' rate together is full again"),
            format!("find out what wrote or tore it, then delete `{}`", rate.display()),
        ));
    }
    for id in ids {
        let record = registry.record(&id).and_then(|record| Manifest::load(registry.store(), record.trusted));
        if let Err(error) = record {
            let text = format!("{error:#}");
            let what = text.lines().next().unwrap_or_default();
            found.push(Finding::new(
                "agents.readable",
                Severity::Error,
                format!("what is trusted of agent `{id}` cannot be read, so nothing of it runs: {what}"),
                format!("put the state folder back from a backup, or: soulbound agents remove {id}, and add it again"),
            ));
        }
        if let Err(error) = readable(state, &id) {
            found.push(Finding::new(
                "approvals.readable",
                Severity::Warning,
                format!("what was approved for good of agent `{id}` counts as not approved: {error:#}"),
                format!(
                    "put `{}` back from a backup, or take it away and approve again",
                    state.agent(&id).join("approvals.json").display()
                ),
            ));
        }
        for (name, what) in KEPT {
            let aside = kept::aside(&state.agent(&id).join(name));
            if aside.symlink_metadata().is_ok() {
                found.push(Finding::new(
                    "agents.set-aside",
                    Severity::Warning,
                    format!("`{name}` of agent `{id}` was not understood and set aside: {what}"),
                    format!("find out what wrote or tore it, then delete `{}`", aside.display()),
                ));
            }
        }
    }
    found
}

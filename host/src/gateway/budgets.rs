//! Budgets over time outlive the gateway: what is left of each skill's is kept beside the agent's trail, every few seconds
//! and when the gateway leaves. Otherwise a restart would give a `rate 2/hour` anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use soulbound_runtime::sandbox::{BoundSkill, BudgetState};
use soulbound_runtime::{Denial, DenialId};

use crate::durable;
use crate::state::{StateFolder, kept};

/// What was left, by skill.
pub(crate) type Kept = BTreeMap<String, Vec<BudgetState>>;

/// Under which name the agent's own rate stands. No skill's: a slug has no parentheses.
pub(crate) const OF_THE_AGENT: &str = "(agent)";

/// Takes a skill's budgets up as they were left. A file that is not understood is set aside: budgets are full then, as they
/// are for an agent that is new.
///
/// # Errors
///
/// It cannot be read now.
pub(crate) fn resume(
    state: &StateFolder,
    agent: &str,
    skill: &str,
    bound: &BoundSkill,
) -> Result<(), Denial> {
    if let Some(states) = kept(state, agent)?.get(skill) {
        bound.resume_budgets(states);
    }
    Ok(())
}

/// What was left when it was last written down.
///
/// # Errors
///
/// It cannot be read now: nothing is begun anew, and nothing runs on a budget that nobody knows.
pub(crate) fn kept(state: &StateFolder, agent: &str) -> Result<Kept, Denial> {
    kept::read(&path(state, agent)).map_err(|error| {
        tracing::error!(agent, %error, "what is left of an agent's budgets cannot be read");
        Denial::new(DenialId::Busy, "what is left of the agent's budgets cannot be read at the moment")
    })
}

/// Writes down what is left.
pub(crate) fn keep(state: &StateFolder, agent: &str, kept: &Kept) -> Result<()> {
    durable::replace_lightly(&path(state, agent), &serde_json::to_vec(kept)?)
}

fn path(state: &StateFolder, agent: &str) -> PathBuf {
    state.agent(agent).join("budgets.json")
}

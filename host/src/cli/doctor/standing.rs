//! Doctor's look at the agents that should run and of which nothing does: to their clients all is refused, and no check of
//! the machine would say why.
//!
//! The rule: the sentence is the one of `agents list`, since both ask the same rows. An agent that an operator disabled is no
//! finding: that is as it was asked for.

use super::{Finding, Severity};
use crate::cli::agents::list::rows;
use crate::state::StateFolder;
use crate::trust::{Condition, Runs, standing};

/// Agents that are told of one by one.
const TOLD: usize = 10;

/// Every enabled agent of which nothing runs, the first of them by name.
pub(super) fn findings(state: &StateFolder) -> Vec<Finding> {
    // That the agents cannot be listed is a finding of their files.
    let rows = rows(state).unwrap_or_default();
    let enabled = rows.iter().filter(|row| row.state == Condition::Enabled);
    let runs = enabled.filter_map(|row| Some((row.id.as_str(), row.runs.as_ref()?)));
    let mut nothing = runs.filter(|(_, runs)| runs.is_nothing());
    let finding = |message, fix| Finding::new("agents.running", Severity::Warning, message, fix);
    let mut found: Vec<Finding> = nothing
        .by_ref()
        .take(TOLD)
        .map(|(id, runs)| finding(format!("agent `{id}`: {}", runs.sentence()), fix(id, runs)))
        .collect();
    let more = nothing.count();
    if more > 0 {
        let message = format!("of {more} more agents nothing runs");
        found.push(finding(message, "soulbound agents list says it of each".to_owned()));
    }
    found
}

/// What lets it run again.
fn fix(id: &str, runs: &Runs) -> String {
    match runs {
        Runs::Unproven(_) => format!("soulbound redteam {id}"),
        Runs::Gone => standing::put_folder_back(id),
        Runs::Unusable => {
            format!("soulbound agents diff {id} says why; mend SOUL.md, or: soulbound agents rollback {id}")
        }
        _ => format!(
            "soulbound agents diff {id}, then soulbound agents trust {id} or soulbound agents rollback {id}"
        ),
    }
}

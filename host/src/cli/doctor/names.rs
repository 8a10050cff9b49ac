//! What `gateway.toml` names and is not there: a denied directory, a program that is to be told, an agent. The file is sound
//! without them, since each may come later; mistyped, it denies or tells nothing, and no error says so.

use std::path::Path;

use super::{Finding, Severity};
use crate::oversight::alerts::Way;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::Registry;

/// All of them in one finding, the first by name.
pub(super) fn finding(state: Option<&StateFolder>) -> Option<Finding> {
    let state = state?;
    // Settings that cannot be read are a finding of their own.
    let settings = Settings::read(state).ok()?;
    let agents = Registry::open(state).ids().ok()?;
    let missing = missing(&settings, &agents);
    let more = match missing.len() {
        0 | 1 => String::new(),
        count => format!(", and {} more like it", count - 1),
    };
    let first = missing.first()?;
    Some(Finding::new(
        "settings.names",
        Severity::Warning,
        format!("gateway.toml: {first}{more}"),
        "mend the name, or leave it if what it names is still to come",
    ))
}

fn missing(settings: &Settings, agents: &[String]) -> Vec<String> {
    let mut missing = Vec::new();
    for path in settings.denied_directories().iter().filter(|path| !path.exists()) {
        missing.push(format!("`deny_dirs` has `{}`, which is not there", path.display()));
    }
    for target in &settings.alerts {
        if let Way::Run(command) = &target.way
            && !Path::new(command.program()).is_file()
        {
            let program = command.program();
            missing.push(format!("the alert `{}` runs `{program}`, which is not there", target.name));
        }
    }
    let alerts = settings.alerts.iter().map(|one| (format!("the alert `{}`", one.name), &one.agents));
    let channels =
        settings.channels.iter().map(|one| (format!("the channel `{}`", one.channel), &one.agents));
    for (what, named) in alerts.chain(channels) {
        let unknown = named.iter().flatten().filter(|id| !agents.contains(id));
        missing.extend(unknown.map(|id| format!("{what} is for the agent `{id}`, which is not there")));
    }
    missing
}

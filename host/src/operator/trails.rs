//! Writing an operator's act into the trails, by whoever holds the state folder's lock.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::audit::{Audit, Book, Event, GatewayTrail, Header, Options};
use crate::operator::Who;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::event::{self, What};
use crate::trust::{Condition, Registry};

/// Begins the gateway's own trail if it is not there, before the first agent's folder is made: from then on a folder without
/// that trail tells that it was taken away.
pub(super) fn begin(state: &StateFolder) -> Result<()> {
    if crate::audit::agent_folders(state.path())?.is_empty() {
        open(state)?.gateway().context("the act cannot be recorded")?;
    }
    Ok(())
}

/// Writes an act into the gateway's own trail, where no gateway runs.
pub(crate) fn note(state: &StateFolder, event: Event, who: &Who, note: &Value) -> Result<()> {
    let (trail, _) = open(state)?.gateway()?;
    trail.note(event, &who.to_string(), note).map(drop).context("the act cannot be recorded")
}

/// Writes an act on an agent into that agent's trail and the gateway's, where no gateway runs.
pub(crate) fn note_act(state: &StateFolder, done: &event::Event) -> Result<()> {
    let (event, note) = described(&done.what);
    // What was attacked need not be an agent yet: then it has no trail.
    if Registry::open(state).condition(&done.agent) == Condition::Unknown {
        return self::note(state, event, &done.who, &of_agent(&done.agent, note));
    }
    note_of_agent(state, &done.agent, event, &done.who, &note)
}

/// Writes something that an operator did about an agent into that agent's trail and the gateway's, where no gateway runs.
pub(crate) fn note_of_agent(
    state: &StateFolder,
    agent: &str,
    event: Event,
    who: &Who,
    note: &Value,
) -> Result<()> {
    let audit = open(state)?;
    let known = crate::trust::record::Record::read(&Registry::open(state).folder(agent));
    let header = Header { name: known.map_or_else(|_| agent.to_owned(), |record| record.name), role: None };
    let (trail, _) = audit.gateway()?;
    let (book, _) = audit.book(agent, header)?;
    record(&book, &trail, agent, event, who, note)
}

/// Writes an act on an agent into both trails.
pub(crate) fn record_act(book: &Book, trail: &GatewayTrail, done: &event::Event) -> Result<()> {
    let (event, note) = described(&done.what);
    record(book, trail, &done.agent, event, &done.who, &note)
}

/// Writes what an operator did about an agent into both trails.
pub(crate) fn record(
    book: &Book,
    trail: &GatewayTrail,
    agent: &str,
    event: Event,
    who: &Who,
    note: &Value,
) -> Result<()> {
    let who = who.to_string();
    book.note(event, &who, note).context("the act cannot be recorded")?;
    trail.note(event, &who, &of_agent(agent, note.clone())).context("the act cannot be recorded")?;
    Ok(())
}

/// Writes an act on what is no agent yet into the gateway's trail.
pub(crate) fn record_alone(trail: &GatewayTrail, done: &event::Event) -> Result<()> {
    let (event, note) = described(&done.what);
    let noted = trail.note(event, &done.who.to_string(), &of_agent(&done.agent, note));
    noted.map(drop).context("the act cannot be recorded")
}

fn of_agent(agent: &str, mut note: Value) -> Value {
    if let Value::Object(members) = &mut note {
        members.insert("agent".to_owned(), json!(agent));
    }
    note
}

fn described(what: &What) -> (Event, Value) {
    match what {
        What::Added { manifest, folder } => {
            (Event::AgentAdded, json!({"manifest": manifest, "folder": folder}))
        }
        What::Trusted { manifest, before } => {
            (Event::AgentTrusted, json!({"manifest": manifest, "before": before}))
        }
        What::RolledBack { manifest, before } => {
            (Event::AgentRolledBack, json!({"manifest": manifest, "before": before}))
        }
        What::Enabled => (Event::AgentEnabled, json!({})),
        What::Disabled => (Event::AgentDisabled, json!({})),
        What::Reset { skill, closed } => (Event::BreakerClosed, json!({"skill": skill, "closed": closed})),
        What::Attacked { ran } => (Event::AgentAttacked, json!({"redteam": ran})),
        What::Removed => (Event::AgentRemoved, json!({})),
    }
}

/// The trails, under the operator's settings; a stop must not fail for settings that cannot be read.
fn open(state: &StateFolder) -> Result<Audit> {
    let options = Settings::read(state).map_or_else(|_| Options::default(), |settings| settings.audit);
    Ok(Audit::open(state.path(), options)?)
}

//! Every act that changes agents or trust, in one function: the command line's and the gateway's.
//!
//! The rule: an act names bytes by digest, never a folder to be read again. What an operator saw is already in the store;
//! whoever holds the state folder's lock only makes it the trusted one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{spelling, visible};

use super::attacked::{self, Ran};
use super::event::{Event, What};
use super::manifest::Manifest;
use super::record::{How, Record, Trusting};
use super::registry::{self, Condition, Marker, Registry};
use super::trusted::Trusted;
use super::{rollback, standing};
use crate::clock::Moment;
use crate::operator::Who;
use crate::oversight::breakers::open;
use crate::state::StateFolder;

/// What an operator wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Act {
    /// Adds the agent whose manifest this is.
    Add {
        /// The folder of its SOUL.md.
        folder: PathBuf,
        /// The manifest that was displayed, in the store.
        manifest: Digest,
    },
    /// Makes this manifest the trusted one.
    Trust {
        /// The agent.
        id: String,
        /// The manifest that was displayed, in the store.
        manifest: Digest,
    },
    /// Puts the trusted bytes back into the folder, or returns to an earlier manifest.
    Rollback {
        /// The agent.
        id: String,
        /// Which manifest of its history; without, what is trusted now, or the one before where nothing differs.
        to: Option<Digest>,
    },
    /// Writes down what redteam found. Of an agent, or of a folder that may become one.
    Attacked {
        /// What came of the run.
        ran: Ran,
    },
    /// Lets a disabled agent run again.
    Enable {
        /// The agent.
        id: String,
    },
    /// Stops an agent until it is enabled.
    Disable {
        /// The agent.
        id: String,
    },
    /// Closes breakers.
    Reset {
        /// The agent.
        id: String,
        /// That of this skill alone; without, all of the agent's.
        skill: Option<String>,
    },
    /// Makes an agent none. Its trail is kept.
    Remove {
        /// The agent.
        id: String,
    },
}

/// What came of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// What the trail is told.
    pub(crate) event: Event,
    /// What the operator is told, a line each.
    pub(crate) said: Vec<String>,
    /// Whether something of what was asked for could not be done.
    #[serde(default)]
    pub(crate) falls_short: bool,
}

/// What the operator's settings ask of an act beside the operator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asks {
    /// That redteam ran on what is trusted from now on, and nothing got out.
    pub(crate) redteam: bool,
}

impl Act {
    /// Whether it makes something the trusted one, so that the operator's settings have a say.
    pub(crate) fn trusts(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::Trust { .. } | Self::Rollback { .. })
    }
}

/// Carries an act out. The caller holds the state folder's lock and records the event.
pub(crate) fn act(state: &StateFolder, act: Act, who: Who, asks: Asks) -> Result<Done> {
    let registry = Registry::open(state);
    match act {
        Act::Add { folder, manifest } => {
            asked(&registry, manifest, asks, &format!("soulbound redteam {}/SOUL.md", folder.display()))?;
            add(&registry, &folder, manifest, who)
        }
        Act::Trust { id, manifest } => {
            let record = registry.record(&registry::id(&id)?)?;
            asked(
                &registry,
                manifest,
                asks,
                &format!("soulbound redteam {}/SOUL.md", record.folder.display()),
            )?;
            trust(&registry, &record.id, manifest, who)
        }
        Act::Rollback { id, to } => rollback::roll_back(&registry, &registry::id(&id)?, to, who, asks),
        Act::Attacked { ran } => attacked(state, ran, who),
        Act::Enable { id } => enable(&registry, &registry::id(&id)?, who),
        Act::Disable { id } => disable(&registry, &registry::id(&id)?, who),
        Act::Reset { id, skill } => reset(&registry, &registry::id(&id)?, skill, who),
        Act::Remove { id } => remove(&registry, &registry::id(&id)?, who),
    }
}

/// Whether what is to be trusted was attacked, where that is asked for.
pub(super) fn asked(registry: &Registry, manifest: Digest, asks: Asks, remedy: &str) -> Result<()> {
    if asks.redteam { attacked::require(registry.state(), manifest, remedy) } else { Ok(()) }
}

fn attacked(state: &StateFolder, ran: Ran, who: Who) -> Result<Done> {
    let id = registry::id(&ran.agent)?;
    if !ran.says_something() {
        bail!("a run that shows nothing is not written down");
    }
    attacked::keep(state.path(), ran.clone())?;
    let said = vec![format!(
        "redteam's run on {} is written down, in {}",
        short(ran.manifest),
        state.path().display()
    )];
    Ok(done(&id, What::Attacked { ran }, who, said))
}

fn done(id: &str, what: What, who: Who, said: Vec<String>) -> Done {
    Done { event: Event { agent: id.to_owned(), what, who }, said, falls_short: false }
}

pub(super) fn trusting(manifest: Digest, how: How, who: &Who) -> Trusting {
    Trusting { manifest, when: Moment::now().to_string(), how, who: who.clone() }
}

fn add(registry: &Registry, folder: &Path, digest: Digest, who: Who) -> Result<Done> {
    let folder = standing_place(registry, folder)?;
    let manifest = Manifest::load(registry.store(), digest)?;
    manifest.verify(registry.store())?;
    let id = registry::id(&manifest.id)?;
    let trusted = Trusted::load(registry.store(), &id, &folder, digest)?;
    let own = registry.folder(&id);
    let first = trusting(digest, How::Added, &who);
    let record = match registry.condition(&id) {
        Condition::Enabled | Condition::Disabled => return Err(taken(registry, &id)),
        // Its history goes on, as its trail does.
        Condition::Removed => match Record::read(&own) {
            Ok(mut record) => {
                record.accept(first);
                record.folder.clone_from(&folder);
                record.name = trusted.soul.name().to_owned();
                record
            }
            Err(_) => Record::new(&id, trusted.soul.name(), &folder, first),
        },
        Condition::Unknown => Record::new(&id, trusted.soul.name(), &folder, first),
    };
    registry.make_folder(&id)?;
    // The record first: until the marker is gone too, the agent is removed as before.
    write(registry, record, &trusted)?;
    registry.unmark(&id, Marker::Disabled)?;
    registry.unmark(&id, Marker::Removed)?;
    let said = vec![format!("agent `{id}` added: {} is trusted from now on", short(digest))];
    Ok(done(&id, What::Added { manifest: digest, folder: folder.display().to_string() }, who, said))
}

fn trust(registry: &Registry, id: &str, digest: Digest, who: Who) -> Result<Done> {
    let mut record = registry.record(id)?;
    Manifest::load(registry.store(), digest)?.verify(registry.store())?;
    let trusted = Trusted::load(registry.store(), id, &record.folder, digest)?;
    let before = record.trusted;
    record.accept(trusting(digest, How::Trusted, &who));
    record.name = trusted.soul.name().to_owned();
    write(registry, record, &trusted)?;
    let said =
        vec![format!("agent `{id}`: {} is trusted from now on, and was {}", short(digest), short(before))];
    Ok(done(id, What::Trusted { manifest: digest, before }, who, said))
}

fn enable(registry: &Registry, id: &str, who: Who) -> Result<Done> {
    // One that cannot be loaded is not enabled: it could not run.
    registry.load(id)?;
    registry.unmark(id, Marker::Disabled)?;
    Ok(done(id, What::Enabled, who, vec![format!("agent `{id}` is enabled")]))
}

fn disable(registry: &Registry, id: &str, who: Who) -> Result<Done> {
    registry.mark(id, Marker::Disabled, &who)?;
    let said = vec![format!("agent `{id}` is disabled, in {}", registry.state().display())];
    Ok(done(id, What::Disabled, who, said))
}

fn reset(registry: &Registry, id: &str, skill: Option<String>, who: Who) -> Result<Done> {
    registry.record(id)?;
    if let Some(skill) = &skill {
        known(registry, id, skill)?;
    }
    let closed = open::reset(&registry.folder(id), skill.as_deref())?;
    let of: Vec<String> = closed.iter().map(|of| open::name(of.as_deref()).to_owned()).collect();
    let said = match (of.as_slice(), &skill) {
        ([], Some(skill)) => {
            let others = open::Open::read(&registry.folder(id)).lines();
            let others =
                if others.is_empty() { String::new() } else { format!("; open is: {}", others.join(", ")) };
            format!("no breaker of agent `{id}`, skill `{skill}`, is open; its counts begin anew{others}")
        }
        ([], None) => format!("no breaker of agent `{id}` is open; its counts begin anew"),
        (of, _) => format!("closed the breaker of {}, of agent `{id}`; the counts begin anew", of.join(", ")),
    };
    Ok(done(id, What::Reset { skill, closed: of }, who, vec![said]))
}

/// What an operator is told who adds an agent under an id that another has.
pub(crate) fn taken(registry: &Registry, id: &str) -> anyhow::Error {
    let place =
        Record::read(&registry.folder(id)).map(|record| format!(" from `{}`", record.folder.display()));
    anyhow::anyhow!(
        "there is an agent `{id}` already{}\n  hint: two agents can't have one id; `soulbound agents trust {id}` accepts a \
         change, another `Name` in SOUL.md makes another agent",
        place.unwrap_or_default()
    )
}

/// Refuses a name that no skill of the agent has: whoever mistypes one believes a breaker closed.
fn known(registry: &Registry, id: &str, skill: &str) -> Result<()> {
    let open = open::Open::read(&registry.folder(id));
    let mut names: Vec<String> = open.0.keys().flatten().cloned().collect();
    match registry.load(id) {
        Ok(agent) => names.extend(agent.trusted.manifest.skills.into_iter().map(|skill| skill.name)),
        // Which skills it has cannot be told, so any may be one.
        Err(_) => return Ok(()),
    }
    if names.iter().any(|name| name == skill) {
        return Ok(());
    }
    let hint = match spelling::nearest(skill, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => "it has no skill".to_owned(),
        None => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("its skills are {}", names.join(", "))
        }
    };
    bail!("agent `{id}` has no skill {}\n  hint: {hint}", visible::quoted_target(skill))
}

fn remove(registry: &Registry, id: &str, who: Who) -> Result<Done> {
    registry.mark(id, Marker::Removed, &who)?;
    // One that is added again under this id is another: the old token, and what was approved of the old one, is nothing to it.
    for (file, what) in [("token", "token"), ("approvals.json", "standing approvals")] {
        match std::fs::remove_file(registry.folder(id).join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("the agent's {what} cannot be taken away"));
            }
            _ => {}
        }
    }
    crate::oversight::secrets::forget(&registry.folder(id))?;
    let said = vec![format!("agent `{id}` is removed, in {}; its trail is kept", registry.state().display())];
    Ok(done(id, What::Removed, who, said))
}

/// Writes a record down, with the stamps of the trusted files if they are all as trusted right now.
pub(super) fn write(registry: &Registry, mut record: Record, trusted: &Trusted) -> Result<()> {
    let sources = crate::agent::sources(&trusted.folder, Some(registry.state()));
    record.fingerprint = standing::stamps_if_as_trusted(trusted, &sources);
    record.write(&registry.folder(&record.id))
}

/// The agent's folder in one spelling, where an agent may be.
fn standing_place(registry: &Registry, folder: &Path) -> Result<PathBuf> {
    let shown = folder.display();
    let real = std::fs::canonicalize(folder).with_context(|| format!("`{shown}` cannot be found"))?;
    if real.to_str().is_none() {
        bail!("`{shown}` is not UTF-8\n  hint: rename the folder");
    }
    let state = std::fs::canonicalize(registry.state()).unwrap_or_else(|_| registry.state().to_owned());
    if real.starts_with(&state) || state.starts_with(&real) {
        bail!(
            "`{shown}` and the state folder `{}` hold one another; whoever writes the one could write the other\n  hint: keep \
             the agent's folder elsewhere, or set SOULBOUND_HOME to another place",
            registry.state().display()
        );
    }
    Ok(real)
}

/// The first twelve digits of a digest, for sentences.
pub(crate) fn short(digest: Digest) -> String {
    let mut text = digest.to_string();
    text.truncate(12);
    text
}

//! What an operator does about secrets: by the running gateway, or by the command itself where none runs.
//!
//! The rule: who did it, for which agent, name and host is on record in the agent's trail and the gateway's; a value is
//! never.

use std::fmt;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use soulbound_runtime::sandbox::Secret;
use zeroize::Zeroizing;

use super::{SecretStore, checked};
use crate::audit::Event;
use crate::operator::client;
use crate::operator::{self, Request, Who};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::state::lock::Waited;
use crate::trust::{Registry, registry};

/// An act.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum SecretAct {
    /// Sets a secret, or changes it.
    Set {
        /// The agent.
        agent: String,
        /// The name that SOUL.md uses.
        name: String,
        /// The one origin that it is for.
        host: String,
        /// The value.
        value: Plain,
    },
    /// Removes one.
    Remove {
        /// The agent.
        agent: String,
        /// The name.
        name: String,
    },
}

/// A value on its way to the store. `Debug` does not show it.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Plain(Zeroizing<String>);

impl Plain {
    /// What an operator typed or piped.
    pub(crate) fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// What is recorded of an act.
pub(crate) struct Noted {
    /// The agent.
    pub(crate) agent: String,
    /// What happened.
    pub(crate) event: Event,
    /// To what.
    pub(crate) note: Value,
}

impl SecretAct {
    /// The agent that it concerns, by its id.
    pub(crate) fn agent(&self) -> Result<String> {
        let (Self::Set { agent, .. } | Self::Remove { agent, .. }) = self;
        registry::id(agent)
    }

    /// Carries it out and has it recorded: what is given is recorded first, what is taken away is taken first. The caller
    /// holds the state folder's lock.
    pub(crate) fn perform(
        &self,
        store: &SecretStore,
        registry: &Registry,
        who: &Who,
        record: impl FnOnce(Noted) -> Result<()>,
    ) -> Result<()> {
        let agent = self.agent()?;
        // Of an agent that there is.
        registry.record(&agent)?;
        match self {
            Self::Set { name, host, value, .. } => {
                let (name, host) = checked(name, host)?;
                let secret = Secret::new(&value.0).map_err(|error| {
                    anyhow::anyhow!(
                        "{error}\n  hint: soulbound secrets set {name} --agent {agent} --for {host} < FILE"
                    )
                })?;
                // What cannot be replaced is found before it is on record.
                store.stored(&agent)?;
                let note = json!({"name": name, "host": host});
                record(Noted { agent: agent.clone(), event: Event::SecretSet, note })?;
                store.set(&agent, &name, &host, secret, who)
            }
            Self::Remove { name, .. } => {
                let stored = store.stored(&agent)?;
                let Some(one) = stored.iter().find(|one| one.name == *name) else {
                    bail!(
                        "agent `{agent}` has no secret {}\n  hint: soulbound secrets list --agent {agent}",
                        soulbound_runtime::visible::quoted_target(name)
                    );
                };
                store.remove(&agent, name)?;
                let note = json!({"name": one.name, "host": one.host});
                record(Noted { agent, event: Event::SecretRemoved, note })
            }
        }
    }
}

/// Has an act carried out, by the running gateway or here.
pub(crate) fn perform(state: &StateFolder, act: SecretAct) -> Result<()> {
    let who = Who::this_process();
    let _lock = match client::or_lock(state)? {
        Waited::Ours(lock) => lock,
        Waited::Otherwise(client) => {
            return client.ask(&Request::Secret { act, who }, None)?.into_result().map(drop);
        }
    };
    let settings = Settings::read(state)?;
    let store = SecretStore::open(state, settings.secrets);
    act.perform(&store, &Registry::open(state), &who, |noted| {
        operator::note_of_agent(state, &noted.agent, noted.event, &who, &noted.note)
    })
}

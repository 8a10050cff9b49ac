//! What a person or an operator's rule decides about a call beyond its grant. The runtime knows nothing of it: the path of
//! a call (`gateway/call.rs`) asks here before, at every effect, and after.
//!
//! The rule: whatever is not decided is denied, and what is decided stands in the trail.

pub(crate) mod secrets;

use std::sync::Arc;

use serde_json::{Map, Value};
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::{Carrier, Content, Effect, Outcome, Permit};
use soulbound_runtime::skill::Digest;

use crate::gateway::live::Callable;
use crate::oversight::secrets::AgentSecrets;

/// One call, as oversight knows it: what every decision is bound to.
pub(crate) struct CallFacts {
    /// What is called, under which trusted SOUL.md and settings.
    pub(crate) callable: Callable,
    /// The tool as the component exports it; what the model wrote when there is no such tool.
    pub(crate) tool: String,
    /// The arguments as they came.
    pub(crate) arguments: Map<String, Value>,
    /// Through which door it came.
    pub(crate) door: &'static str,
}

impl CallFacts {
    /// The skill's slug.
    pub(crate) fn skill(&self) -> &str {
        &self.callable.offered.name
    }

    /// The component that runs.
    pub(crate) fn component(&self) -> Digest {
        self.callable.offered.bound.digest()
    }
}

/// The oversight of one agent's calls.
pub(crate) struct Oversight {
    agent: String,
    secrets: AgentSecrets,
}

impl Oversight {
    /// Of the agent with this id.
    pub(crate) fn new(agent: &str, secrets: AgentSecrets) -> Arc<Self> {
        Arc::new(Self { agent: agent.to_owned(), secrets })
    }

    /// What of its secrets is masked in everything that is recorded, returned or shown.
    pub(crate) fn secrets(&self) -> &AgentSecrets {
        &self.secrets
    }

    /// Before a call is recorded as intended and run. May wait for a person; dropping the future ends the waiting.
    ///
    /// # Errors
    ///
    /// The denial with which it is refused.
    pub(crate) async fn before_call(&self, facts: &Arc<CallFacts>) -> Result<(), Denial> {
        tracing::trace!(agent = self.agent, skill = facts.skill(), tool = facts.tool, "oversight before");
        Ok(())
    }

    /// Whether an effect's content has to be complete before it is judged, and up to how many bytes.
    pub(crate) fn inspects(&self, facts: &CallFacts, carrier: Carrier<'_>) -> Option<u64> {
        secrets::inspects(facts.callable.offered.bound.secrets(), carrier)
    }

    /// Before an effect of the call with this number in the trail is recorded and happens.
    ///
    /// # Errors
    ///
    /// The denial with which it is refused.
    pub(crate) async fn before_effect(
        &self,
        _facts: &Arc<CallFacts>,
        _call: u64,
        effect: &Effect,
    ) -> Result<Permit, Denial> {
        Ok(self.secrets.permit(effect))
    }

    /// Sends a message to a channel.
    ///
    /// # Errors
    ///
    /// Why it did not arrive, in one line.
    pub(crate) async fn deliver(
        &self,
        _facts: &CallFacts,
        _call: u64,
        _channel: &str,
        _text: &Content,
    ) -> Result<String, String> {
        Err("this build delivers no messages".to_owned())
    }

    /// After the sandbox and before the outcome is recorded: what the model is told may be refused or masked.
    pub(crate) async fn after_call(&self, _facts: &Arc<CallFacts>, _call: u64, outcome: Outcome) -> Outcome {
        // First of all: whoever looks at it after this sees no secret.
        self.secrets.outcome(outcome)
    }
}

//! What a person or an operator's rule decides about a call beyond its grant. The runtime knows nothing of it: the path of
//! a call (`gateway/call.rs`) asks here before, at every effect, and after.
//!
//! The rule: whatever is not decided is denied, and what is decided stands in the trail.

pub(crate) mod alerts;
pub(crate) mod channels;
pub(crate) mod delivery;
pub(crate) mod place;

use std::sync::Arc;

use serde_json::{Map, Value};
use soulbound_runtime::sandbox::{Carrier, Content, Effect, Outcome, Permit};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, DenialId, RuleRef, visible};

use crate::gateway::live::Callable;
use crate::oversight::channels::Channels;

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
    channels: Arc<Channels>,
}

impl Oversight {
    /// Of the agent with this id.
    pub(crate) fn new(agent: &str, channels: Arc<Channels>) -> Arc<Self> {
        Arc::new(Self { agent: agent.to_owned(), channels })
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
    pub(crate) fn inspects(&self, _facts: &CallFacts, _carrier: Carrier<'_>) -> Option<u64> {
        None
    }

    /// Before an effect of the call with this number in the trail is recorded and happens.
    ///
    /// # Errors
    ///
    /// The denial with which it is refused.
    pub(crate) async fn before_effect(
        &self,
        facts: &Arc<CallFacts>,
        _call: u64,
        effect: &Effect,
    ) -> Result<Permit, Denial> {
        if let Effect::Message { channel, .. } = effect {
            self.channels.judge(&self.agent, facts, channel)?;
            if let Some(rule) = self.channels.review_required(&self.agent, facts, channel) {
                return Err(nobody_to_ask(channel, rule));
            }
        }
        Ok(Permit::Unchanged)
    }

    /// Sends a message to a channel.
    ///
    /// # Errors
    ///
    /// Why it did not arrive, in one line.
    pub(crate) async fn deliver(
        &self,
        _facts: &CallFacts,
        call: u64,
        channel: &str,
        text: &Content,
    ) -> Result<String, String> {
        self.channels.deliver(&self.agent, call, channel, text, None).await
    }

    /// After the sandbox and before the outcome is recorded: what the model is told may be refused or masked.
    pub(crate) async fn after_call(&self, _facts: &Arc<CallFacts>, _call: u64, outcome: Outcome) -> Outcome {
        outcome
    }
}

/// A message that a person has to review, and nobody can be asked.
fn nobody_to_ask(channel: &str, rule: RuleRef) -> Denial {
    let shown = visible::quoted_target(channel);
    Denial::new(
        DenialId::ApprovalDenied,
        format!("a message to {shown} is reviewed first, and nobody can be asked"),
    )
    .rule(rule)
}

//! What a person or an operator's rule decides about a call beyond its grant. The runtime knows nothing of it: the path of
//! a call (`gateway/call.rs`) asks here before, at every effect, and after.
//!
//! The rule: whatever is not decided is denied, and what is decided stands in the trail.

pub(crate) mod approvals;
pub(crate) mod form;
mod granted;
mod hold;

use std::sync::{Arc, Weak};

use serde_json::{Map, Value};
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::{Carrier, Content, Effect, Outcome, Permit};
use soulbound_runtime::skill::Digest;

use crate::audit::Book;
use crate::gateway::Gateway;
use crate::gateway::live::Callable;
use form::Form;
pub(crate) use granted::Granted;

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
    /// Where whoever asked for it can be shown a question.
    pub(crate) form: Option<Arc<dyn Form>>,
    /// What of it a person approved.
    pub(crate) granted: Granted,
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
    book: Arc<Book>,
    gateway: Weak<Gateway>,
}

impl Oversight {
    /// Of the agent with this id and this trail.
    pub(crate) fn new(agent: &str, book: &Arc<Book>, gateway: Weak<Gateway>) -> Arc<Self> {
        Arc::new(Self { agent: agent.to_owned(), book: Arc::clone(book), gateway })
    }

    /// Before a call is recorded as intended and run. May wait for a person; dropping the future ends the waiting.
    ///
    /// # Errors
    ///
    /// The denial with which it is refused.
    pub(crate) async fn before_call(&self, facts: &Arc<CallFacts>) -> Result<(), Denial> {
        tracing::trace!(agent = self.agent, skill = facts.skill(), tool = facts.tool, "oversight before");
        self.approve_call(facts).await
    }

    /// Whether an effect's content has to be complete before it is judged, and up to how many bytes.
    pub(crate) fn inspects(&self, facts: &CallFacts, carrier: Carrier<'_>) -> Option<u64> {
        self.approval_inspects(facts, carrier)
    }

    /// Before an effect of the call with this number in the trail is recorded and happens.
    ///
    /// # Errors
    ///
    /// The denial with which it is refused.
    pub(crate) async fn before_effect(
        &self,
        facts: &Arc<CallFacts>,
        call: u64,
        effect: &Effect,
    ) -> Result<Permit, Denial> {
        self.approve_effect(facts, call, effect).await?;
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
        _call: u64,
        _channel: &str,
        _text: &Content,
    ) -> Result<String, String> {
        Err("this build delivers no messages".to_owned())
    }

    /// After the sandbox and before the outcome is recorded: what the model is told may be refused or masked.
    pub(crate) async fn after_call(&self, _facts: &Arc<CallFacts>, _call: u64, outcome: Outcome) -> Outcome {
        outcome
    }
}

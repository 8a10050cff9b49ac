//! What a person or an operator's rule decides about a call beyond its grant. The runtime knows nothing of it: the path of
//! a call (`gateway/call.rs`) asks here before, at every effect, and after.
//!
//! The rule: whatever is not decided is denied, and what is decided stands in the trail.

pub(crate) mod outputs;

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Map, Value, json};
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::{Carrier, Content, Effect, Outcome, Permit};
use soulbound_runtime::skill::Digest;

use crate::audit::Book;
use crate::gateway::live::Callable;
use outputs::{Note, Outputs, Verdict};

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
    book: Arc<Book>,
    outputs: RwLock<Arc<Outputs>>,
}

impl Oversight {
    /// Of the agent with this id and trail.
    pub(crate) fn new(agent: &str, book: &Arc<Book>) -> Arc<Self> {
        Arc::new(Self { agent: agent.to_owned(), book: Arc::clone(book), outputs: RwLock::default() })
    }

    /// Puts other output rules in force: for the next judgement, also of calls that run.
    pub(crate) fn put_in_force(&self, outputs: Arc<Outputs>) {
        *self.outputs.write().unwrap_or_else(PoisonError::into_inner) = outputs;
    }

    fn outputs(&self) -> Arc<Outputs> {
        Arc::clone(&self.outputs.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down which output rules matched. That fails only where the call's own record fails too.
    fn note(&self, facts: &CallFacts, call: u64, notes: &[Note]) {
        for note in notes {
            let place = note.place.name();
            let text = json!({"call": call, "place": place, "rule": note.rule, "skill": facts.skill(), "action": note.action.name()});
            if let Err(error) = self.book.note(note.event(), "gateway", &text) {
                tracing::warn!(agent = self.agent, rule = note.rule, place, "not recorded: {error}");
            }
        }
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
    pub(crate) fn inspects(&self, _facts: &CallFacts, carrier: Carrier<'_>) -> Option<u64> {
        self.outputs().inspects(carrier)
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
        let judged = outputs::effect::judged(self.outputs(), effect).await;
        self.note(facts, call, &judged.notes);
        match judged.verdict {
            Verdict::Pass => Ok(Permit::Unchanged),
            Verdict::Masked(content) => Ok(Permit::Masked(content)),
            Verdict::Hold(held) => Err(outputs::unasked(&held)),
            Verdict::Block(denial) => Err(*denial),
        }
    }

    /// What the client is told of a call's progress.
    pub(crate) fn progress(&self, message: Option<String>) -> Option<String> {
        message.map(|text| self.outputs().aside(&text).unwrap_or(text))
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
    pub(crate) async fn after_call(&self, facts: &Arc<CallFacts>, call: u64, outcome: Outcome) -> Outcome {
        let (outcome, judged) = outputs::answer::judged(self.outputs(), outcome).await;
        self.note(facts, call, &judged.notes);
        match judged.verdict {
            Verdict::Pass => outcome,
            Verdict::Masked(masked) => *masked,
            Verdict::Hold(held) => outputs::withheld(outcome, outputs::unasked(&held)),
            Verdict::Block(denial) => outputs::withheld(outcome, *denial),
        }
    }
}

//! What a person or an operator's rule decides about a call beyond its grant. The runtime knows nothing of it: the path of
//! a call (`gateway/call.rs`) asks here before, at every effect, and after.
//!
//! Before a call: breakers and rates, then a person. At an effect: breakers, the channel's place, secrets and output rules
//! (which may mask), and last a person, who sees what would really leave. After: secrets, output rules, a person.
//!
//! The rule: whatever is not decided is denied, and what is decided stands in the trail.

pub(crate) mod alerts;
pub(crate) mod approvals;
pub(crate) mod breakers;
pub(crate) mod channels;
pub(crate) mod delivery;
mod facts;
pub(crate) mod form;
mod granted;
mod hold;
pub(crate) mod outputs;
pub(crate) mod place;
pub(crate) mod secrets;

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use serde_json::{Map, Value, json};
use soulbound_runtime::sandbox::{BudgetState, Carrier, Content, Effect, Ending, Outcome, Permit};
use soulbound_runtime::{Denial, DenialId};

use crate::audit::Book;
use crate::gateway::Gateway;
use crate::gateway::doors::Turns;
use breakers::Breakers;
use channels::Channels;
pub(crate) use facts::CallFacts;
pub(crate) use granted::Granted;
use outputs::{Note, Outputs, Verdict};
use secrets::AgentSecrets;

/// The oversight of one agent's calls.
pub(crate) struct Oversight {
    agent: String,
    gateway: Weak<Gateway>,
    book: Arc<Book>,
    breakers: Breakers,
    channels: Arc<Channels>,
    secrets: AgentSecrets,
    outputs: RwLock<Arc<Outputs>>,
    /// For what is judged below everybody else.
    turns: Turns,
}

impl Oversight {
    /// Of the agent with this id and this trail. `meter` is what was left of its own rate.
    pub(crate) fn new(
        agent: &str,
        gateway: &Arc<Gateway>,
        book: &Arc<Book>,
        meter: Vec<BudgetState>,
    ) -> Arc<Self> {
        Arc::new(Self {
            agent: agent.to_owned(),
            gateway: Arc::downgrade(gateway),
            book: Arc::clone(book),
            breakers: Breakers::of(agent, gateway, book, meter),
            channels: Arc::clone(gateway.channels()),
            secrets: AgentSecrets::of(agent, Arc::clone(gateway.policies().secrets())),
            outputs: RwLock::default(),
            turns: gateway.doors().turns(),
        })
    }

    /// Whether looking for secrets in so many bytes is work that others would wait for.
    fn is_work(&self, bytes: usize) -> bool {
        bytes >= outputs::LARGE && self.secrets.has_any()
    }

    /// Looks for secrets on threads that everybody else goes before. None where that did not come to its end.
    async fn masked_below<T: Send + 'static>(
        &self,
        mask: impl FnOnce(&AgentSecrets) -> T + Send + 'static,
    ) -> Option<T> {
        let secrets = self.secrets.clone();
        self.turns.below(move || mask(&secrets)).await
    }

    /// A call's arguments as they may be recorded and shown.
    pub(crate) async fn shown_arguments<'a>(
        &self,
        arguments: &'a Map<String, Value>,
    ) -> Cow<'a, Map<String, Value>> {
        let bytes = arguments.iter().map(|(name, value)| name.len() + outputs::answer::size_of(value)).sum();
        if !self.is_work(bytes) {
            return self.secrets.members(arguments);
        }
        let whole = arguments.clone();
        let masked = self.masked_below(move |secrets| secrets.members(&whole).into_owned()).await;
        Cow::Owned(masked.unwrap_or_else(|| AgentSecrets::withheld("they were not looked through")))
    }

    /// What a call ended with, before anybody hears of it.
    pub(crate) async fn masked_outcome(&self, outcome: Outcome) -> Outcome {
        let accessed: usize = outcome.accesses.iter().map(|access| access.target.len()).sum();
        let bytes = outputs::answer::size(&outcome) + accessed;
        if !self.is_work(bytes) {
            return self.secrets.outcome(outcome);
        }
        let mut spare = outcome.clone();
        spare.ending = Ending::Failed { denial: None, error: None };
        spare.log.clear();
        let masked = self.masked_below(move |secrets| secrets.outcome(outcome)).await;
        masked.unwrap_or_else(|| outputs::withheld(self.secrets.outcome(spare), unlooked()))
    }

    /// What trips, and what is open.
    pub(crate) fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// What of its secrets is masked in everything that is recorded, returned or shown.
    pub(crate) fn secrets(&self) -> &AgentSecrets {
        &self.secrets
    }

    /// Puts other output rules in force: for the next judgement, also of calls that run.
    pub(crate) fn put_in_force(&self, outputs: Arc<Outputs>) {
        *self.outputs.write().unwrap_or_else(PoisonError::into_inner) = outputs;
    }

    /// Before a call is recorded as intended and run. May wait for a person; dropping the future ends the waiting.
    ///
    /// # Errors
    ///
    /// The denial with which it is refused.
    pub(crate) async fn before_call(&self, facts: &Arc<CallFacts>) -> Result<(), Denial> {
        self.breakers.before_call(facts)?;
        self.approve_call(facts).await
    }

    /// Whether an effect's content has to be complete before it is judged, and up to how many bytes.
    pub(crate) fn inspects(&self, facts: &CallFacts, carrier: Carrier<'_>) -> Option<u64> {
        // More than any of them can judge is refused.
        let all = [
            secrets::inspects(facts.callable.offered.bound.secrets(), carrier),
            self.outputs().inspects(carrier),
            self.approval_inspects(facts, carrier),
        ];
        all.into_iter().flatten().min()
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
        self.breakers.before_effect(facts, effect)?;
        if let Effect::Message { channel, .. } = effect {
            self.channels.judge(&self.agent, facts, channel)?;
        }
        let mut permit = self.permit(effect).await?;
        let judged =
            outputs::effect::judged(self.outputs(), &self.turns, &as_permitted(effect, &permit)).await;
        self.note(facts, call, &judged.notes);
        let held = match judged.verdict {
            Verdict::Pass => None,
            Verdict::Masked(content) => {
                permit = Permit::Masked(content);
                None
            }
            Verdict::Hold(held) => Some(held),
            Verdict::Block(denial) => return Err(*denial),
        };
        self.approve_effect(facts, call, effect, as_permitted(effect, &permit), held).await?;
        Ok(permit)
    }

    /// What the client is told of a call's progress.
    pub(crate) fn progress(&self, message: Option<&str>) -> Option<String> {
        let text = self.secrets.text(message?);
        Some(self.outputs().aside(&text).unwrap_or_else(|| text.into_owned()))
    }

    /// Sends a message to a channel.
    ///
    /// # Errors
    ///
    /// Why it did not arrive, in one line.
    pub(crate) async fn deliver(
        &self,
        facts: &CallFacts,
        call: u64,
        channel: &str,
        text: &Content,
    ) -> Result<String, String> {
        let reviewed = facts.granted.reviewed(channel, text);
        self.channels.deliver(&self.agent, call, channel, text, reviewed.as_ref()).await
    }

    /// After the sandbox and before the outcome is recorded: what the model is told may be refused or masked. May wait for a
    /// person.
    pub(crate) async fn after_call(&self, facts: &Arc<CallFacts>, call: u64, outcome: Outcome) -> Outcome {
        // First of all: whoever looks at it after this sees no secret.
        let outcome = self.masked_outcome(outcome).await;
        let (outcome, judged) = outputs::answer::judged(self.outputs(), &self.turns, outcome).await;
        self.note(facts, call, &judged.notes);
        match judged.verdict {
            Verdict::Pass => outcome,
            Verdict::Masked(masked) => *masked,
            Verdict::Block(denial) => outputs::withheld(outcome, *denial),
            Verdict::Hold(held) => match self.approve_result(facts, call, &outcome, &held).await {
                Ok(()) => outcome,
                Err(denial) => outputs::withheld(outcome, denial),
            },
        }
    }

    /// What an effect carries, without secrets.
    async fn permit(&self, effect: &Effect) -> Result<Permit, Denial> {
        if !self.is_work(outputs::effect::size(effect)) {
            return Ok(self.secrets.permit(effect));
        }
        let whole = effect.clone();
        self.masked_below(move |secrets| secrets.permit(&whole)).await.ok_or_else(unlooked)
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
}

/// What was not looked through for secrets goes nowhere.
fn unlooked() -> Denial {
    Denial::new(DenialId::OutputBlocked, "it was not looked through for secrets to its end")
        .hint("put out less at once")
}

/// An effect with what would really leave.
fn as_permitted(effect: &Effect, permit: &Permit) -> Effect {
    let mut effect = effect.clone();
    if let (Permit::Masked(mask), Some(content)) = (permit, effect.content_mut()) {
        content.clone_from(mask);
    }
    effect
}

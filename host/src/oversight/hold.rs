//! What of a call waits for a person, and the last look before it goes on: a person may have taken a minute, and what they
//! approved must still be what runs.

use std::sync::Arc;

use soulbound_runtime::sandbox::{Carrier, Content, Effect, Ending, Outcome};
use soulbound_runtime::{Denial, DenialId, RuleRef};

use super::approvals::{Approved, Subject, What};
use super::outputs::Held;
use super::{CallFacts, Oversight};
use crate::gateway::Gateway;

impl Oversight {
    /// Waits for a person, if a line of SOUL.md or the operator says so of this tool.
    pub(super) async fn approve_call(&self, facts: &Arc<CallFacts>) -> Result<(), Denial> {
        let bound = &facts.callable.offered.bound;
        // A tool that there is not cannot be approved, and does not run.
        let Some(tool) = bound.tool(&facts.tool) else { return Ok(()) };
        let Some(grant) = bound.approval_of_call(&tool.name) else { return Ok(()) };
        let approved = self.ask(facts, What::Call, &grant.rule, Some(grant.to_string()), None).await?;
        facts.granted.add(None, &approved);
        Ok(())
    }

    /// Waits for a person, if a line of SOUL.md, the operator or an output rule says so of this effect. `shown` is what would
    /// really leave, and what is asked about: one question, whatever the number of reasons.
    pub(super) async fn approve_effect(
        &self,
        facts: &Arc<CallFacts>,
        call: u64,
        effect: &Effect,
        shown: Effect,
        held: Option<Held>,
    ) -> Result<(), Denial> {
        let (rule, entry) = match &shown {
            Effect::Message { channel, .. } => {
                (self.channels.review_required(&self.agent, facts, channel), None)
            }
            other => {
                let grant = facts.callable.offered.bound.approval_of_effect(other);
                (grant.map(|grant| grant.rule.clone()), grant.map(ToString::to_string))
            }
        };
        let Some(rule) = rule.or_else(|| held.as_ref().map(output_rule)) else { return Ok(()) };
        let approved = self.ask(facts, What::Effect(shown.clone()), &rule, entry, Some(call)).await?;
        facts.granted.add(Some(effect), &approved);
        if let Effect::Message { channel, text } = &shown {
            facts.granted.add_message(channel, text, &approved);
        }
        Ok(())
    }

    /// Waits for a person before the model is told a result that an output rule holds.
    pub(super) async fn approve_result(
        &self,
        facts: &Arc<CallFacts>,
        call: u64,
        outcome: &Outcome,
        held: &Held,
    ) -> Result<(), Denial> {
        let told = told(outcome);
        let what = What::Result(Content(told.into_bytes().into()));
        self.ask(facts, what, &output_rule(held), None, Some(call)).await.map(drop)
    }

    /// Whether a person has to see such content, and up to how many bytes one can.
    pub(super) fn approval_inspects(&self, facts: &CallFacts, carrier: Carrier<'_>) -> Option<u64> {
        facts.callable.offered.bound.approval_of_carrier(carrier)?;
        let gateway = self.gateway.upgrade()?;
        let policy = gateway.policies().current();
        let settings = &policy.settings.approvals;
        Some(match carrier {
            Carrier::File => settings.file_bytes,
            _ => settings.body_bytes,
        })
    }

    /// Waits until a person has decided about this, because of this line. Used for whatever else has to wait, such as what an
    /// output rule holds.
    ///
    /// # Errors
    ///
    /// `approval.denied`, `approval.timeout`, `approval.too-many`, or why the skill may not run any more.
    pub(crate) async fn ask(
        &self,
        facts: &Arc<CallFacts>,
        what: What,
        rule: &RuleRef,
        entry: Option<String>,
        call: Option<u64>,
    ) -> Result<Approved, Denial> {
        let Some(gateway) = self.gateway.upgrade() else {
            return Err(Denial::new(DenialId::GatewayStopped, "the gateway has left"));
        };
        let policy = gateway.policies().current();
        let settings = &policy.settings.approvals;
        let mut subject = Subject::of(&self.agent, facts, what, rule.clone(), entry, call);
        subject.unmasked = self.book.stands_for(subject.binding());
        // Neither a person's screen nor the record of the question is a place for a secret.
        subject.arguments = self.shown_arguments(&facts.arguments).await.into_owned();
        if let What::Effect(effect) = &mut subject.what {
            self.secrets.shown_effect(effect);
        }
        let was_as_trusted = gateway.loaded_agent(&self.agent).is_some_and(|agent| !agent.differs());
        let form = facts.form.as_ref().filter(|_| settings.ways.mcp);
        let approved =
            gateway.approvals().ask(subject, &self.book, settings, form, facts.waits.as_ref()).await?;
        // On the doors' threads: this may be one of the guests'.
        let (of, facts, id) = (Arc::clone(&gateway), Arc::clone(facts), self.agent.clone());
        let looked =
            gateway.threads().spawn(async move { still_the_same(&of, &id, &facts, was_as_trusted).await });
        looked.await.map_err(|_| gateway.stopped())??;
        Ok(approved)
    }
}

/// Whether the skill is still the one that a person was asked about.
async fn still_the_same(
    gateway: &Arc<Gateway>,
    agent: &str,
    facts: &CallFacts,
    was_as_trusted: bool,
) -> Result<(), Denial> {
    let agent = gateway.running_agent(agent).await?;
    agent.look_again().await;
    let changed = || {
        let message = format!(
            "skill `{}` is not what was approved: it, or its SOUL.md, changed meanwhile",
            facts.skill()
        );
        Denial::new(DenialId::ApprovalDenied, message).hint(format!("soulbound agents diff {}", agent.id()))
    };
    let now = agent.authorise(facts.skill()).await;
    let now = now.map_err(|outcome| outcome.denial().cloned().unwrap_or_else(changed))?;
    let callable = &facts.callable;
    let same = now.offered.bound.digest() == facts.component()
        && (now.soul, now.policy) == (callable.soul, callable.policy)
        && !callable.revoked.is_cancelled()
        && !(was_as_trusted && agent.differs());
    if same { Ok(()) } else { Err(changed()) }
}

/// The rule by which something is held, as a person is shown it.
fn output_rule(held: &Held) -> RuleRef {
    RuleRef { file: "output rule".to_owned(), line: 0, column: 0, text: held.rule.clone() }
}

/// What the model would be told.
fn told(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::Returned(value) => value.to_string(),
        Ending::Failed { error: Some(error), .. } => match &error.value {
            Some(value) => value.to_string(),
            None => error.message.clone(),
        },
        Ending::Failed { denial, .. } => denial.as_ref().map(Denial::first_line).unwrap_or_default(),
    }
}

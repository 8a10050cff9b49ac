//! The path of a call: authorise → budget → record intent → sandbox → record outcome → answer. One function, read from
//! top to bottom, and the only place of this program from which a gateway's guest is run.

use std::sync::Arc;
use std::time::Instant;

use soulbound_runtime::sandbox::{Ending, Outcome};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, DenialId, visible};
use tracing::Instrument;

use crate::audit::{AuditError, Entry, Event, Intent};
use crate::gateway::agent::Agent;
use crate::gateway::live::Callable;
use crate::gateway::overseer::{CallWatch, Seen};
use crate::gateway::request::{Answer, CallRequest};

impl Agent {
    /// Calls a tool. The call goes on to its recorded end also when whoever asked goes away: then it is cancelled.
    pub(crate) async fn call(self: &Arc<Self>, request: CallRequest) -> Answer {
        let span = tracing::info_span!("call", agent = self.id(), skill = request.skill, tool = request.tool, id = tracing::field::Empty);
        let hung_up = request.cancel.clone().drop_guard();
        let task = self.gateway().calls().spawn(path(Arc::clone(self), request).instrument(span));
        let answer = task.await;
        hung_up.disarm();
        answer.unwrap_or_else(|_| Answer {
            record: None,
            outcome: Outcome::refused(Denial::new(DenialId::GatewayStopped, "the gateway is leaving")),
        })
    }
}

/// How a call ended before its sandbox did.
enum CutShort {
    /// Somebody stopped it: the operator, or a changed grant.
    Killed(Denial),
    /// Whoever asked for it no longer wants it.
    Cancelled,
}

async fn path(agent: Arc<Agent>, request: CallRequest) -> Answer {
    let started = Instant::now();
    let callable = match agent.authorise(&request.skill).await {
        Ok(callable) => callable,
        Err(outcome) => return refused(&agent, None, &request, *outcome).await,
    };
    let admitted = match callable.offered.bound.admit() {
        Ok(admitted) => admitted,
        Err(denial) => return refused(&agent, Some(&callable), &request, Outcome::refused(denial)).await,
    };
    let intent = match agent.book().intend(entry(Event::Intent, Some(&callable), &request)).await {
        Ok(intent) => intent,
        Err(error) => return Answer { record: None, outcome: Outcome::refused(unrecordable(&error)) },
    };
    tracing::Span::current().record("id", intent.call());
    let watch = CallWatch::new(Arc::clone(agent.book()), intent.call(), request.progress.clone());
    let overseer = Arc::clone(&watch) as Arc<dyn soulbound_runtime::sandbox::Overseer>;
    let ended = {
        let _live = agent.gateway().metrics().live();
        tokio::select! {
            biased;
            () = agent.stopped() => Err(CutShort::Killed(agent.why_stopped())),
            () = callable.revoked.cancelled() => Err(CutShort::Killed(revoked(&request.skill))),
            () = request.cancel.cancelled() => Err(CutShort::Cancelled),
            outcome = callable.offered.bound.call_admitted(admitted, &request.tool, request.arguments.clone(), overseer) => Ok(outcome),
        }
    };
    let (outcome, decision) = match ended {
        Ok(outcome) => {
            let decision = decision(&outcome);
            (outcome, decision)
        }
        Err(CutShort::Killed(denial)) => (cut_short(Outcome::refused(denial), &watch.seen(), started), "killed"),
        Err(CutShort::Cancelled) => {
            let denial = Denial::new(DenialId::AgentStopped, "whoever asked for the call cancelled it");
            (cut_short(Outcome::refused(denial), &watch.seen(), started), "cancelled")
        }
    };
    conclude(&agent, &callable, request, intent, outcome, decision).await
}

/// Writes down what came of a call, and only then answers: an answer that was given is never missing from the trail.
async fn conclude(
    agent: &Arc<Agent>,
    callable: &Callable,
    request: CallRequest,
    intent: Intent,
    outcome: Outcome,
    decision: &'static str,
) -> Answer {
    let record = format!("{}#{}", agent.id(), intent.call());
    agent.gateway().metrics().ended(agent.id(), Some(&callable.offered.name), decision, &outcome);
    tracing::info!(
        decision,
        denial = outcome.denial().map(|denial| denial.id.as_str()),
        duration_us = u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX),
        "call ended"
    );
    let outcome_entry = Entry { args: None, ..entry(Event::Outcome, Some(callable), &request) }.outcome(decision, &outcome);
    match agent.book().conclude(intent, outcome_entry).await {
        Ok(()) => Answer { record: Some(record), outcome },
        // What was done is done, and its intent is on record. The answer is withheld: nobody acts on what cannot be shown.
        Err(error) => Answer { record: Some(record), outcome: Outcome::refused(unrecordable(&error)) },
    }
}

/// A call that never reached the sandbox: one record, no intent.
async fn refused(agent: &Arc<Agent>, callable: Option<&Callable>, request: &CallRequest, outcome: Outcome) -> Answer {
    agent.gateway().metrics().ended(agent.id(), callable.map(|one| one.offered.name.as_str()), "denied", &outcome);
    tracing::info!(denial = outcome.denial().map(|denial| denial.id.as_str()), "call refused");
    let entry = entry(Event::Refused, callable, request).outcome("denied", &outcome);
    match agent.book().append_refusal(entry).await {
        Ok(seq) => Answer { record: seq.map(|seq| format!("{}#{seq}", agent.id())), outcome },
        Err(_) => Answer { record: None, outcome },
    }
}

fn entry(event: Event, callable: Option<&Callable>, request: &CallRequest) -> Entry {
    Entry {
        // A name that SOUL.md does not list is the model's own: bounded and quoted.
        skill: Some(callable.map_or_else(|| visible::quoted_target(&request.skill), |one| one.offered.name.clone())),
        digest: callable.map(|one| one.offered.bound.digest()),
        soul: callable.map(|one| one.soul),
        policy: callable.map(|one| one.policy),
        tool: Some(named_tool(callable, &request.tool)),
        args: Some(serde_json::Value::Object(request.arguments.clone())),
        who: Some(serde_json::json!({"door": request.door})),
        ..Entry::new(event)
    }
}

/// The tool's name if the component has it, else what was asked for, bounded and quoted.
fn named_tool(callable: Option<&Callable>, asked: &str) -> String {
    let known = callable.and_then(|one| one.offered.bound.tool(asked));
    known.map_or_else(|| visible::quoted_target(asked), |tool| tool.name.clone())
}

fn decision(outcome: &Outcome) -> &'static str {
    match &outcome.ending {
        Ending::Returned(_) => "allowed",
        Ending::Failed { denial: Some(_), .. } => "denied",
        Ending::Failed { .. } => "failed",
    }
}

fn cut_short(mut outcome: Outcome, seen: &Seen, started: Instant) -> Outcome {
    outcome.accesses.clone_from(&seen.accesses);
    outcome.accesses_dropped = seen.dropped;
    outcome.duration = started.elapsed();
    outcome
}

/// A grant that a running call stood on was taken away.
fn revoked(skill: &str) -> Denial {
    Denial::new(
        DenialId::SkillNotTrusted,
        format!("what skill {} may reach was narrowed while it ran", visible::quoted_target(skill)),
    )
    .hint("soulbound agents diff shows what changed")
}

/// The trail takes no record, so nothing runs.
pub(crate) fn unrecordable(error: &AuditError) -> Denial {
    Denial::new(DenialId::AuditUnavailable, format!("the call cannot be recorded, so it does not run: {error}"))
        .hint("soulbound doctor")
}

/// The digest under which the operator's settings stand in records.
pub(crate) fn policy_digest(settings: &[u8]) -> Digest {
    Digest::of(settings)
}

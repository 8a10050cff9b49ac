//! The path of a call: authorise → budget → oversight before → record intent → sandbox → oversight after → record outcome →
//! answer. One function, read from
//! top to bottom, and the only place of this program from which a gateway's guest is run.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use serde_json::{Map, Value};
use soulbound_runtime::sandbox::{CallError, ErrorKind, Outcome, Overseer};
use soulbound_runtime::{Denial, DenialId, visible};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::audit::{AuditError, CallEntry, Decision, Intent, OutcomeEntry};
use crate::gateway::agent::Agent;
use crate::gateway::attempts::Attempt;
use crate::gateway::live::Callable;
use crate::gateway::overseer::{CallWatch, Seen};
use crate::gateway::request::{Answer, CallRequest};
use crate::oversight::outputs::answer;
use crate::oversight::{CallFacts, Granted};

impl Agent {
    /// Calls a tool. The call goes on to its recorded end also when whoever asked goes away: then it is cancelled.
    pub(crate) async fn call(self: &Arc<Self>, request: CallRequest) -> Answer {
        let secrets = self.oversight().secrets();
        let span = tracing::debug_span!(
            "call",
            agent = self.id(),
            skill = %secrets.name(&request.skill),
            tool = %secrets.name(&request.tool),
            id = tracing::field::Empty
        );
        let cancel = request.cancel.clone();
        let path = path(Arc::clone(self), request).instrument(span);
        match self.tracker() {
            Some(calls) => Kept::new(calls.track_future(path), cancel).await,
            None => path.await,
        }
    }
}

/// A call that is polled by whoever asked for it, and handed on if they go away: then it is cancelled, and still comes to
/// its recorded end. A task of its own for each call would cost two wake-ups.
struct Kept {
    call: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    cancel: CancellationToken,
}

impl Kept {
    fn new(call: impl Future<Output = Answer> + Send + 'static, cancel: CancellationToken) -> Self {
        Self { call: Some(Box::pin(call)), cancel }
    }
}

impl Future for Kept {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let answer = ready!(call.as_mut().poll(context));
        self.call = None;
        Poll::Ready(answer)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.cancel.cancel();
            // Outside of a runtime the process is leaving, and the intent closes itself as `lost`.
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(call);
            }
        }
    }
}

async fn path(agent: Arc<Agent>, request: CallRequest) -> Answer {
    let started = Instant::now();
    let authorised = agent.authorise(&request.skill).instrument(tracing::debug_span!("authorise")).await;
    let callable = match authorised {
        Ok(callable) => callable,
        Err(outcome) => return refused(&agent, None, &request, *outcome).await,
    };
    let admitted = match callable.offered.bound.admit() {
        Ok(admitted) => admitted,
        Err(denial) => return refused(&agent, Some(&callable), &request, Outcome::refused(denial)).await,
    };
    if callable.offered.bound.tool(&request.tool).is_none() {
        let error = callable.offered.bound.no_such_tool(&request.tool);
        let answer = no_tool(&agent, &callable, &request).await;
        return Answer { outcome: agent.oversight().masked_outcome(Outcome::failed(error)).await, ..answer };
    }
    let named = Named::of(&agent, Some(&callable), &request);
    let facts = Arc::new(CallFacts {
        callable: callable.clone(),
        tool: named.tool.clone(),
        arguments: request.arguments.clone(),
        door: request.door,
        form: request.form.clone(),
        waits: request.waits.clone(),
        granted: Granted::default(),
    });
    let oversight = agent.oversight();
    let held = tokio::select! {
        biased;
        () = callable.revoked.cancelled() => Some((Outcome::refused(agent.why_ended(&request.skill)), Some(Decision::Killed))),
        () = request.cancel.cancelled() => Some((cancelled(), Some(Decision::Cancelled))),
        judged = oversight.before_call(&facts).instrument(tracing::debug_span!("oversight")) =>
            judged.err().map(|denial| (Outcome::refused(denial), None)),
    };
    if let Some((outcome, decision)) = held {
        return refused_as(&agent, Some(&callable), &request, outcome, decision).await;
    }
    let approval = facts.granted.take(None);
    let shown = agent.oversight().shown_arguments(&request.arguments).await;
    let entry = CallEntry { approval: approval.as_deref(), ..named.entry(Some(&callable), &request, &shown) };
    let intent = match agent.book().intend(&entry).instrument(tracing::debug_span!("intent")).await {
        Ok(intent) => intent,
        Err(error) => return Answer { record: None, outcome: Outcome::refused(unrecordable(&error)) },
    };
    tracing::Span::current().record("id", intent.call());
    let watch = CallWatch::new(&agent, Arc::clone(&facts), intent.call(), request.progress.clone());
    let overseer = Arc::clone(&watch) as Arc<dyn Overseer>;
    let running = async {
        let bound = &callable.offered.bound;
        let called = bound.call_admitted(admitted, &request.tool, request.arguments, overseer);
        let outcome = called.instrument(tracing::debug_span!("sandbox")).await;
        if agent.handles(answer::size(&outcome)) {
            // Whoever polls this may go over to threads for large answers.
            tokio::task::yield_now().await;
        }
        // A person may be asked about the result: that ends with the call too.
        oversight.after_call(&facts, intent.call(), outcome).await
    };
    let (outcome, decision) = {
        let _live = agent.counted();
        tokio::select! {
            biased;
            () = callable.revoked.cancelled() => (cut_short(Outcome::refused(agent.why_ended(&request.skill)), &watch.seen(), started), Some(Decision::Killed)),
            () = request.cancel.cancelled() => (cut_short(cancelled(), &watch.seen(), started), Some(Decision::Cancelled)),
            outcome = running => (outcome, None),
        }
    };
    // A call that trips a breaker, or outlives a stop by an instant, may have ended before it was cut: it is not answered either.
    let (outcome, decision) = match decision {
        None if callable.revoked.is_cancelled() => {
            let ended = Outcome::refused(agent.why_ended(&request.skill));
            (cut_short(ended, &watch.seen(), started), Some(Decision::Killed))
        }
        _ => (outcome, decision),
    };
    // Nobody is told anything of a call that was cut short; what it did is on record.
    let outcome = if decision.is_some() { oversight.masked_outcome(outcome).await } else { outcome };
    oversight.breakers().ended(&facts, decision, &outcome);
    conclude(&agent, &callable, intent, outcome, decision).await
}

/// Writes down what came of a call, and only then answers: an answer that was given is never missing from the trail.
async fn conclude(
    agent: &Arc<Agent>,
    callable: &Callable,
    intent: Intent,
    outcome: Outcome,
    decision: Option<Decision>,
) -> Answer {
    let record = Some(intent.name());
    let mut entry = OutcomeEntry::of(&outcome);
    entry.decision = decision.unwrap_or(entry.decision);
    agent.ended(Some(&callable.offered.name), entry.decision, &outcome);
    agent.alert_of_outcome(&callable.offered.name, entry.decision, &outcome, record.as_deref());
    let written = agent.book().conclude(intent, &entry).instrument(tracing::debug_span!("outcome")).await;
    match written {
        Ok(_) => Answer { record, outcome },
        // What was done is done, and its intent is on record. The answer is withheld: nobody acts on what cannot be shown.
        Err(error) => Answer { record, outcome: Outcome::refused(unrecordable(&error)) },
    }
}

/// A call that never reached the sandbox: one record.
async fn refused(
    agent: &Arc<Agent>,
    callable: Option<&Callable>,
    request: &CallRequest,
    outcome: Outcome,
) -> Answer {
    refused_as(agent, callable, request, outcome, None).await
}

/// [`refused`], with another word for it in the trail.
async fn refused_as(
    agent: &Arc<Agent>,
    callable: Option<&Callable>,
    request: &CallRequest,
    outcome: Outcome,
    decision: Option<Decision>,
) -> Answer {
    let oversight = agent.oversight();
    let outcome = oversight.masked_outcome(outcome).await;
    let named = Named::of(agent, callable, request);
    let decision = decision.unwrap_or(OutcomeEntry::of(&outcome).decision);
    let listed = callable.map(|one| one.offered.name.as_str());
    let is_known = named.skill == request.skill;
    agent.ended(is_known.then_some(named.skill.as_str()), decision, &outcome);
    oversight.breakers().refused(listed, &oversight.secrets().name(&request.asked()), &outcome);
    // Somebody who is refused in a loop does not fill the disk with it.
    let Attempt::Record(unrecorded) = agent.refusals().failed() else {
        return Answer { record: None, outcome };
    };
    let mut entry = OutcomeEntry::of(&outcome);
    entry.unrecorded = unrecorded;
    entry.decision = decision;
    let shown = oversight.shown_arguments(&request.arguments).await;
    let written = agent.book().refuse(&named.entry(callable, request, &shown), &entry).await;
    let record = written.ok().map(|seq| format!("{}#{seq}", agent.id()));
    agent.alert_of_outcome(&named.skill, decision, &outcome, record.as_deref());
    Answer { record, outcome }
}

/// A call of a tool that the skill does not have: nothing runs, so one refusal stands in the trail, by whatever door it came.
async fn no_tool(agent: &Arc<Agent>, callable: &Callable, request: &CallRequest) -> Answer {
    let message =
        format!("skill `{}` has no tool {}", callable.offered.name, visible::quoted_target(&request.tool));
    let denial = Denial::new(DenialId::SkillNotListed, message);
    refused(agent, Some(callable), request, Outcome::refused(denial)).await
}

/// A call of a tool that the agent does not offer, under the name by which it was asked for: refused for what keeps it from
/// being offered, and recorded as a call of it by any other door is.
pub(crate) async fn unknown(
    agent: &Arc<Agent>,
    name: &str,
    arguments: Map<String, Value>,
    door: &'static str,
) -> Answer {
    let (skill, tool) = name.split_once("__").unwrap_or((name, ""));
    let request = CallRequest {
        skill: skill.to_owned(),
        tool: tool.to_owned(),
        arguments,
        door,
        progress: None,
        form: None,
        waits: None,
        cancel: CancellationToken::new(),
    };
    match agent.authorise(skill).await {
        Ok(callable) => no_tool(agent, &callable, &request).await,
        Err(outcome) => refused(agent, None, &request, *outcome).await,
    }
}

/// A request's names as the trail has them: those that the operator trusted as they are, the model's own bounded and
/// quoted.
struct Named {
    skill: String,
    tool: String,
}

impl Named {
    fn of(agent: &Agent, callable: Option<&Callable>, request: &CallRequest) -> Self {
        let quoted = |text: &str| visible::quoted_target(&agent.oversight().secrets().name(text));
        let live = agent.last();
        // What a breaker or a stop refuses is refused before it is anything that can be called.
        let bound = callable.or_else(|| live.as_ref()?.bound(&request.skill));
        let known = bound.and_then(|one| one.offered.bound.tool(&request.tool));
        let is_trusted = live.as_ref().is_some_and(|live| live.trusts(&request.skill));
        Self {
            skill: match bound {
                Some(one) => one.offered.name.clone(),
                None if is_trusted => request.skill.clone(),
                None => quoted(&request.skill),
            },
            tool: known.map_or_else(|| quoted(&request.tool), |tool| tool.name.clone()),
        }
    }

    fn entry<'a>(
        &'a self,
        callable: Option<&Callable>,
        request: &'a CallRequest,
        arguments: &'a Map<String, Value>,
    ) -> CallEntry<'a> {
        CallEntry {
            skill: &self.skill,
            tool: &self.tool,
            digest: callable.map(|one| one.offered.bound.digest()),
            soul: callable.map(|one| one.soul),
            narrowed_by: callable.and_then(|one| one.narrowed_by),
            policy: callable.map(|one| one.policy),
            arguments,
            who: request.door,
            approval: None,
        }
    }
}

/// The outcome of a call that was ended from outside, with what it did until then.
fn cut_short(mut outcome: Outcome, seen: &Seen, started: Instant) -> Outcome {
    outcome.accesses.clone_from(&seen.accesses);
    outcome.accesses_dropped = seen.dropped;
    outcome.duration = started.elapsed();
    outcome
}

/// Nobody reads this: whoever asked is gone, or asked for just that.
fn cancelled() -> Outcome {
    Outcome::failed(CallError::new(ErrorKind::Trap, "whoever asked for the call cancelled it"))
}

/// The trail takes no record, so nothing runs.
pub(crate) fn unrecordable(error: &AuditError) -> Denial {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Denial::new(DenialId::AuditUnavailable, format!("what cannot be recorded does not run: {first}"))
        .hint("soulbound doctor")
}

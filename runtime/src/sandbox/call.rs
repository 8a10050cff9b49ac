//! One call, top to bottom: budget → arguments → a slot → the guest ([`super::guest`], here or in a worker process) → outcome.
//!
//! Dropping the call's future ends the guest, wherever it is: that is the kill switch.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use wasmtime::component::Val;

use crate::denial::{Denial, DenialId};
use crate::sandbox::admission::{LineFull, Permit};
use crate::sandbox::approval;
use crate::sandbox::bound::{Bound, BoundSkill};
use crate::sandbox::channels::CallChannels;
use crate::sandbox::clock::CallClock;
use crate::sandbox::ending;
use crate::sandbox::guest::{self, Outside, Pace, Reports};
use crate::sandbox::limiter::MemoryGauge;
use crate::sandbox::log::CallLog;
use crate::sandbox::manners;
use crate::sandbox::network::{CallNetwork, EgressBudget};
use crate::sandbox::outcome::{CallError, Ending, ErrorKind, Outcome};
use crate::sandbox::overseer::{Outflow, Overseer};
use crate::sandbox::seat::{Seat, Seated};
use crate::sandbox::threads::TaskInfo;
use crate::sandbox::value;
use crate::sandbox::witness::{LastWord, Witness};
use crate::sandbox::worker::{self, Leash};

/// How long a call waits in line before whoever oversees it is told.
const NOTICED: Duration = Duration::from_secs(1);

impl BoundSkill {
    /// Takes a call from the skill's budget.
    ///
    /// # Errors
    ///
    /// `limit.rate` when there is none left.
    pub fn admit(&self) -> Result<Admitted, Denial> {
        let bound = &self.0;
        bound.calls.take(1).map(|()| Admitted(())).map_err(|(rate, wait)| {
            let wait =
                wait.map(|wait| format!("; try again in {} s", wait.as_secs() + 1)).unwrap_or_default();
            let times = rate.amount;
            let message = format!(
                "skill `{}` was called more than {times} times in {}{wait}",
                bound.skill,
                ending::shown(rate.per)
            );
            with_limit_rule(bound, Denial::new(DenialId::LimitRate, message))
        })
    }

    /// Calls a tool, in a sandbox made for this call. Dropping the future ends the guest.
    ///
    /// The overseer hears of every access and may hold or refuse every effect.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        overseer: Arc<dyn Overseer>,
    ) -> Outcome {
        match self.admit() {
            Ok(admitted) => self.call_admitted(admitted, tool, arguments, overseer).await,
            Err(denial) => Outcome::refused(denial),
        }
    }

    /// What a call of a tool is answered that the skill does not have: which it has.
    #[must_use]
    pub fn no_such_tool(&self, tool: &str) -> CallError {
        no_such_tool(&self.0, tool)
    }

    /// [`BoundSkill::call`] with a call that was taken from the budget before.
    pub async fn call_admitted(
        &self,
        admitted: Admitted,
        tool: &str,
        arguments: Map<String, Value>,
        overseer: Arc<dyn Overseer>,
    ) -> Outcome {
        let Admitted(()) = admitted;
        let bound = Arc::clone(&self.0);
        let started = Instant::now();
        let Some(name) = self.tool(tool).map(|tool| tool.name.clone()) else {
            return Outcome::before_start(Ending::Failed {
                denial: None,
                error: Some(self.no_such_tool(tool)),
            });
        };
        let prepared = match prepared(&bound, name.clone(), arguments).await {
            Ok(values) => values,
            Err(ending) => return Outcome::before_start(ending),
        };
        if !overseer.approves()
            && let Some(grant) = self.approval_of_call(&name)
        {
            return Outcome::refused(approval::nobody_to_ask(&bound.skill, grant));
        }
        let Some(io) = bound.runtime.machinery.io.handle().cloned() else {
            return Outcome::before_start(busy(&bound));
        };
        let run = run(bound, name, prepared, overseer);
        let mut outcome = Entered { io, inner: Box::pin(run) }.await;
        outcome.duration = started.elapsed();
        outcome
    }
}

/// A call that the skill's budget has room for. Spent by making it.
#[derive(Debug)]
pub struct Admitted(());

/// What a tool is called with.
struct Arguments {
    /// For the guest here.
    values: Vec<Val>,
    /// For one in a worker process, which makes its own values of them.
    json: Option<Map<String, Value>>,
}

/// Waits for a slot, runs the guest on its own threads or in its own process, and ends it when its time is up.
async fn run(bound: Arc<Bound>, tool: String, arguments: Arguments, overseer: Arc<dyn Overseer>) -> Outcome {
    // Waiting for a slot is bounded like the call itself, and is not on its clock.
    let entering = tokio::time::timeout(bound.limits.time, slot(&bound, &*overseer));
    let Ok(Ok(permit)) = entering.await else { return Outcome::before_start(busy(&bound)) };
    let clock = CallClock::start(bound.limits.time);
    // Nothing that it could open can block this thread, and an agent with many calls has the guests' threads for them.
    let here = bound.grant.directories.is_empty() && bound.manners.are_good() && permit.is_one_of_few();
    let seat = Seat::new(permit);
    let witness =
        Witness::new(Arc::clone(&bound.skill), Arc::clone(&bound.named), overseer, Arc::clone(&clock));
    let witness = Arc::new(witness.seated(Arc::clone(&seat)).approving(bound.approve.clone()));
    // Whoever drops this call, or has its outcome, sees nothing more of it begin; and a worker process ends it at once.
    let _last_word = LastWord(Arc::clone(&witness));
    let leash = Leash::default();
    let reports = Reports { witness, log: CallLog::default(), gauge: Arc::<MemoryGauge>::default() };
    let info = TaskInfo { agent: Arc::clone(&bound.agent), heavy: Arc::new(AtomicBool::new(false)) };
    let guest = {
        let (bound, reports, clock) = (Arc::clone(&bound), reports.clone(), Arc::clone(&clock));
        let (heavy, line, seated) = (Arc::clone(&info.heavy), leash.line(), Seated(seat));
        async move {
            // Dropped with the guest, also when it is cancelled: the slot is free when the store is gone.
            let _seated = seated;
            // On the guests' threads too: it opens paths, and a path may lead to a file system that hangs.
            if let Err(denial) = bound.program.files.verify(&bound.skill) {
                return Ending::Failed { denial: Some(*denial), error: None };
            }
            let outside = outside(&bound, &reports.witness);
            if let Some(process) = &bound.process {
                let json = arguments.json.unwrap_or_default();
                return worker::call(process, line, &tool, json, outside, clock, &reports).await;
            }
            let _running = bound.runtime.machinery.ticker.running();
            let pace = Pace { heavy, computed: Box::new(move |time| clock.computed(time)) };
            guest::run(Arc::clone(&bound.program), &tool, &arguments.values, outside, pace, &reports).await
        }
    };
    let started = Instant::now();
    let used = here.then(manners::thread_time);
    let task = bound.runtime.machinery.threads.spawn(info, here, guest);
    if let Some(before) = used {
        bound.manners.held(manners::thread_time().saturating_sub(before));
    }
    let ending = tokio::select! {
        biased;
        // Nothing comes of a task whose drop panicked.
        ending = task.fallible() => ending.unwrap_or_else(|| ending::panicked(&bound.skill)),
        // Dropping the task ends the guest at its next yield; the outcome need not wait for that.
        () = clock.expired() => ending::timed_out(&bound.skill, clock.budget()),
    };
    let outcome = collect(&bound, ending, &reports);
    bound.manners.saw(&outcome, started.elapsed());
    outcome
}

fn outside(bound: &Arc<Bound>, witness: &Arc<Witness>) -> Outside<CallNetwork> {
    Outside {
        network: CallNetwork::new(Arc::clone(&bound.network), Arc::clone(witness), egress(bound, witness)),
        channels: CallChannels::new(&bound.grant, Some(charge(bound))),
    }
}

/// Charges what a call sends over the network to the skill's budget, and tells the overseer of it.
fn egress(bound: &Arc<Bound>, witness: &Arc<Witness>) -> Option<EgressBudget> {
    if bound.grant.hosts.is_empty() {
        return None;
    }
    let (charge, witness) = (charge(bound), Arc::clone(witness));
    Some(Arc::new(move |bytes| {
        charge(bytes)?;
        witness.moved(Outflow::Sent, bytes);
        Ok(())
    }))
}

/// Charges what a call sends to the skill's budget. A message is shown to the overseer as a whole, and so not told as bytes.
fn charge(bound: &Arc<Bound>) -> EgressBudget {
    let bound = Arc::clone(bound);
    Arc::new(move |bytes| {
        bound.egress.take(bytes).map_err(|(rate, _)| {
            let message = format!("skill `{}` has sent its {} bytes for now", bound.skill, rate.amount);
            with_limit_rule(&bound, Denial::new(DenialId::LimitEgress, message))
        })
    })
}

/// The arguments as WIT values, which satisfy the schema of the tool's author too, if there is one.
async fn prepared(
    bound: &Arc<Bound>,
    tool: String,
    arguments: Map<String, Value>,
) -> Result<Arguments, Ending> {
    let arguments = Value::Object(arguments);
    let is_slow = bound.schemas.get(&tool).is_some_and(|schema| schema.is_slow(&arguments));
    let Value::Object(arguments) = arguments else { return Err(ending::panicked(&bound.skill)) };
    if !is_slow {
        return prepare(bound, &tool, arguments);
    }
    // A schema is its author's as much as the guest is: what it takes is taken where guests take turns.
    let info = TaskInfo { agent: Arc::clone(&bound.agent), heavy: Arc::new(AtomicBool::new(true)) };
    let of = Arc::clone(bound);
    let checking = async move { prepare(&of, &tool, arguments) };
    let task = bound.runtime.machinery.threads.spawn(info, false, checking);
    task.fallible().await.unwrap_or_else(|| Err(ending::panicked(&bound.skill)))
}

fn prepare(bound: &Bound, tool: &str, arguments: Map<String, Value>) -> Result<Arguments, Ending> {
    let Some(entry) = bound.program.entries.get(tool) else {
        return Err(Ending::Failed { denial: None, error: Some(no_such_tool(bound, tool)) });
    };
    let json = bound.process.is_some().then(|| arguments.clone());
    let values = value::arguments_to_values(&arguments, entry.ty.params());
    values
        .and_then(|values| {
            if let Some(schema) = bound.schemas.get(tool) {
                // As it was written, and as the skill sees it: a limit holds for "200" as it does for 200.
                let respelled = value::respelled(&arguments, entry.ty.params());
                schema.check(&Value::Object(arguments))?;
                respelled.map_or(Ok(()), |respelled| schema.check(&Value::Object(respelled)))?;
            }
            Ok(Arguments { values, json })
        })
        .map_err(|error| Ending::Failed {
            denial: None,
            error: Some(CallError::new(ErrorKind::Arguments, error.to_string())),
        })
}

fn with_limit_rule(bound: &Bound, denial: Denial) -> Denial {
    match &bound.grant.limits.rule {
        Some(rule) => denial.rule(rule.clone()),
        None => denial,
    }
}

/// A limit that was reached names the line of SOUL.md that set it, if one did.
fn naming_the_limit(bound: &Bound, mut ending: Ending) -> Ending {
    if let Ending::Failed { denial: Some(denial), .. } = &mut ending
        && denial.rule.is_none()
        && denial.id.as_str().starts_with("limit.")
    {
        denial.rule.clone_from(&bound.grant.limits.rule);
    }
    ending
}

fn no_such_tool(bound: &Bound, tool: &str) -> CallError {
    let names: Vec<String> = bound.inspection.tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
    let message = format!(
        "skill `{}` has no tool {}; it has {}",
        bound.skill,
        crate::visible::quoted_target(tool),
        names.join(", ")
    );
    CallError::new(ErrorKind::Arguments, message)
}

fn busy(bound: &Bound) -> Ending {
    let denial =
        Denial::new(DenialId::Busy, format!("too many calls of agent `{}` are waiting", bound.agent));
    Ending::Failed { denial: Some(denial), error: None }
}

fn collect(bound: &Bound, ending: Ending, Reports { witness, log, gauge }: &Reports) -> Outcome {
    let ending = naming_the_limit(bound, ending);
    let ledger = witness.ledger();
    let (lines, log_dropped) = log.finish();
    let mut denials = ledger.denials;
    if let Ending::Failed { denial: Some(denial), .. } = &ending
        && !denials.contains(denial)
    {
        denials.push(denial.clone());
    }
    if log_dropped > 0 {
        denials.push(Denial::new(
            DenialId::LimitLog,
            format!("skill `{}` printed {log_dropped} bytes more than a log keeps", bound.skill),
        ));
    }
    Outcome {
        ending,
        denials,
        accesses: ledger.accesses,
        accesses_dropped: ledger.accesses_dropped,
        log: lines,
        log_dropped,
        duration: std::time::Duration::ZERO,
        memory_peak: gauge.peak(),
    }
}

/// Waits for a slot, and says so once if that takes a while.
async fn slot(bound: &Bound, overseer: &dyn Overseer) -> Result<Permit, LineFull> {
    let mut entering = std::pin::pin!(bound.runtime.machinery.admission.enter(&bound.agent));
    tokio::select! {
        biased;
        permit = &mut entering => return permit,
        () = tokio::time::sleep(NOTICED) => overseer.waits_in_line(),
    }
    entering.await
}

/// Polls a future inside the runtime of timers and sockets, so that the caller needs none of its own.
struct Entered<F> {
    io: tokio::runtime::Handle,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let io = self.io.clone();
        let _entered = io.enter();
        self.inner.as_mut().poll(context)
    }
}

//! One call, top to bottom: the one place where a guest is run.
//!
//! budget → arguments → a slot → a fresh store → instantiate → call → JSON → outcome. Dropping the call's future ends the
//! guest, wherever it is: that is the kill switch.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use serde_json::{Map, Value};
use wasmtime::component::{ResourceTable, Val};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::denial::{Denial, DenialId};
use crate::sandbox::approval;
use crate::sandbox::bound::{Bound, BoundSkill, ToolEntry};
use crate::sandbox::channels::CallChannels;
use crate::sandbox::clock::CallClock;
use crate::sandbox::ending;
use crate::sandbox::files::CallFiles;
use crate::sandbox::limiter::{MemoryGauge, MemoryLimiter};
use crate::sandbox::log::CallLog;
use crate::sandbox::network::{CallNetwork, EgressBudget};
use crate::sandbox::outcome::{CallError, Ending, ErrorKind, Outcome};
use crate::sandbox::overseer::{Outflow, Overseer};
use crate::sandbox::seat::{Seat, Seated};
use crate::sandbox::state::CallState;
use crate::sandbox::threads::TaskInfo;
use crate::sandbox::ticker::TICK;
use crate::sandbox::value::{self, Returned};
use crate::sandbox::witness::{LastWord, Witness};

/// Host objects that one call may hold: files, streams, requests, pollables.
const HANDLES: usize = 256;
/// Component-model handles of one call.
const COMPONENT_HANDLES: usize = 1_024;
/// Random bytes that one request for them may ask for.
const RANDOM_BYTES: u64 = 1 << 20;
/// All header fields of one request or response, in bytes, by an accounting that charges each field's bookkeeping too.
const FIELD_BYTES: usize = 128 << 10;
/// What a guest passes to the host in one step, beyond its output limit, in bytes: a chunk of a file.
const STEP_BYTES: u64 = 2 << 20;
/// A tool's error is shown to people up to here.
const TOOL_ERROR_CHARACTERS: usize = 1_000;
/// After this many ticks of computing a call counts as heavy and yields to short ones.
const QUICK_TICKS: u32 = 4;

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
            return Outcome::before_start(no_such_tool(&bound, tool));
        };
        let prepared = match prepare(&bound, &name, arguments) {
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

/// Who hears how long a guest computes.
struct Pace {
    /// Set after a few ticks: it belongs on the slow threads.
    heavy: Arc<AtomicBool>,
    clock: Arc<CallClock>,
}

/// Waits for a slot, runs the guest on its own threads, and ends it when its time is up.
async fn run(bound: Arc<Bound>, tool: String, arguments: Vec<Val>, overseer: Arc<dyn Overseer>) -> Outcome {
    // Waiting for a slot is bounded like the call itself, and is not on its clock.
    let entering =
        tokio::time::timeout(bound.limits.time, bound.runtime.machinery.admission.enter(&bound.agent));
    let Ok(Ok(permit)) = entering.await else { return Outcome::before_start(busy(&bound)) };
    let clock = CallClock::start(bound.limits.time);
    // Nothing that it could open can block this thread, and no more than one call of an agent is ever run on a caller's.
    let here = bound.grant.directories.is_empty() && bound.manners.are_good() && permit.is_the_only_one();
    let seat = Seat::new(permit);
    let witness =
        Witness::new(Arc::clone(&bound.skill), Arc::clone(&bound.named), overseer, Arc::clone(&clock));
    let witness = Arc::new(witness.seated(Arc::clone(&seat)).approving(bound.approve.clone()));
    // Whoever drops this call, or has its outcome, sees nothing more of it begin.
    let _last_word = LastWord(Arc::clone(&witness));
    let log = CallLog::default();
    let gauge = Arc::<MemoryGauge>::default();
    let info = TaskInfo { agent: Arc::clone(&bound.agent), heavy: Arc::new(AtomicBool::new(false)) };
    let pace = Pace { heavy: Arc::clone(&info.heavy), clock: Arc::clone(&clock) };
    let guest = {
        let (bound, witness, log, gauge) =
            (Arc::clone(&bound), Arc::clone(&witness), log.clone(), Arc::clone(&gauge));
        let seated = Seated(seat);
        async move {
            // Dropped with the guest, also when it is cancelled: the slot is free when the store is gone.
            let _seated = seated;
            let _running = bound.runtime.machinery.ticker.running();
            // On the guests' threads too: it opens paths, and a path may lead to a file system that hangs.
            if let Err(denial) = bound.files.verify(&bound.skill) {
                return Ending::Failed { denial: Some(*denial), error: None };
            }
            let state = state(&bound, &witness, &log, &gauge);
            let caught =
                CatchPanic(Box::pin(guest(&bound, &tool, &arguments, state, pace, &witness, &log, &gauge)));
            caught.await.unwrap_or_else(|()| ending::panicked(&bound.skill))
        }
    };
    let started = Instant::now();
    let task = bound.runtime.machinery.threads.spawn(info, here, guest);
    if here {
        bound.manners.held(started.elapsed());
    }
    let ending = tokio::select! {
        biased;
        // Nothing comes of a task whose drop panicked.
        ending = task.fallible() => ending.unwrap_or_else(|| ending::panicked(&bound.skill)),
        // Dropping the task ends the guest at its next yield; the outcome need not wait for that.
        () = clock.expired() => ending::timed_out(&bound.skill, clock.budget()),
    };
    let outcome = collect(&bound, ending, &witness, &log, &gauge);
    bound.manners.saw(&outcome, started.elapsed());
    outcome
}

/// Runs on the guests' threads: store, instance, call, result.
#[expect(clippy::too_many_arguments, reason = "the parts of one call, made by its only caller")]
async fn guest(
    bound: &Bound,
    tool: &str,
    arguments: &[Val],
    state: CallState,
    pace: Pace,
    witness: &Witness,
    log: &CallLog,
    gauge: &MemoryGauge,
) -> Ending {
    let Some(entry) = bound.entries.get(tool) else { return no_such_tool(bound, tool) };
    let mut store = store(bound, state, pace);
    let returned = call_function(bound, &mut store, entry, arguments).await;
    if returned.is_ok() {
        // What it still has open is judged and put in place now; a guest that did not return changes nothing more.
        store.data_mut().files().finish().await;
    }
    // Before anything else: what the guest held is gone when the outcome is made.
    drop(store);
    let refused = || witness.withheld().cloned().or_else(|| witness.ledger().denials.last().cloned());
    let output = bound.limits.output;
    let ending = match returned {
        Ok(result) => {
            let ty = entry.ty.results().next();
            match value::result_to_json(result.as_ref().zip(ty.as_ref()), output) {
                Ok(Returned::Value(value)) => Ending::Returned(value),
                Ok(Returned::ToolError(value)) => Ending::Failed {
                    denial: refused(),
                    error: Some(CallError {
                        value: Some(value.clone()),
                        ..CallError::new(ErrorKind::Tool, said(&value))
                    }),
                },
                Err(value::TooLarge) => ending::output_too_large(&bound.skill, output),
            }
        }
        Err(error) => {
            for frame in ending::frames(&error) {
                log.line("trap", &frame);
            }
            ending::of_error(&bound.skill, &error, gauge, output, refused())
        }
    };
    match (ending, witness.withheld()) {
        // A model must not be told that something was done that was not.
        (Ending::Returned(_), Some(denial)) => Ending::Failed { denial: Some(denial.clone()), error: None },
        (ending, _) => ending,
    }
}

async fn call_function(
    bound: &Bound,
    store: &mut Store<CallState>,
    entry: &ToolEntry,
    arguments: &[Val],
) -> wasmtime::Result<Option<Val>> {
    // The core start function runs in here: limits and deadline stand already.
    let instance = bound.pre.instantiate_async(&mut *store).await?;
    let function = instance
        .get_func(&mut *store, entry.index)
        .ok_or_else(|| wasmtime::Error::msg("the component's export vanished"))?;
    let mut results = vec![Val::Bool(false); entry.ty.results().len()];
    function.call_async(&mut *store, arguments, &mut results).await?;
    Ok(results.pop())
}

fn state(bound: &Arc<Bound>, witness: &Arc<Witness>, log: &CallLog, gauge: &Arc<MemoryGauge>) -> CallState {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(FIELD_BYTES);
    CallState {
        _last_word: LastWord(Arc::clone(witness)),
        table,
        wasi: wasi(bound, log),
        http,
        network: CallNetwork::new(Arc::clone(&bound.network), Arc::clone(witness), egress(bound, witness)),
        files: CallFiles::new(Arc::clone(&bound.files), Arc::clone(witness), bound.limits.disk),
        channels: CallChannels::new(&bound.grant, Some(charge(bound))),
        limiter: MemoryLimiter::new(bound.limits.memory, Arc::clone(gauge)),
        log: log.clone(),
        witness: Arc::clone(witness),
        knowledge: Arc::clone(&bound.knowledge),
    }
}

/// Clocks and random numbers are the system's; everything else of ours is absent: environment, arguments, streams.
fn wasi(bound: &Bound, log: &CallLog) -> WasiCtx {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(log.stdout()).stderr(log.stderr()).max_random_size(RANDOM_BYTES);
    for variable in &bound.grant.environment {
        wasi.env(&variable.name, &variable.value);
    }
    wasi.build()
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

fn store(bound: &Bound, state: CallState, pace: Pace) -> Store<CallState> {
    let mut store = Store::new(&bound.runtime.machinery.engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(
        usize::try_from(bound.limits.output.saturating_add(STEP_BYTES)).unwrap_or(usize::MAX),
    );
    store.set_max_component_handles(COMPONENT_HANDLES);
    store.set_epoch_deadline(1);
    let mut ticks = 0_u32;
    store.epoch_deadline_callback(move |_| {
        ticks = ticks.saturating_add(1);
        if ticks == QUICK_TICKS {
            pace.heavy.store(true, Ordering::Relaxed);
        }
        // While the clock stands still for something that is held, what is computed beside it is charged.
        pace.clock.computed(TICK);
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

/// The arguments as WIT values, which satisfy the schema of the tool's author too, if there is one.
fn prepare(bound: &Bound, tool: &str, arguments: Map<String, Value>) -> Result<Vec<Val>, Ending> {
    let Some(entry) = bound.entries.get(tool) else { return Err(no_such_tool(bound, tool)) };
    let values = value::arguments_to_values(&arguments, entry.ty.params());
    values
        .and_then(|values| {
            if let Some(schema) = &entry.schema {
                // As it was written, and as the skill sees it: a limit holds for "200" as it does for 200.
                let respelled = value::respelled(&arguments, entry.ty.params());
                schema.check(&Value::Object(arguments))?;
                respelled.map_or(Ok(()), |respelled| schema.check(&Value::Object(respelled)))?;
            }
            Ok(values)
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

fn no_such_tool(bound: &Bound, tool: &str) -> Ending {
    let names: Vec<String> = bound.inspection.tools.iter().map(|tool| format!("`{}`", tool.name)).collect();
    let message = format!(
        "skill `{}` has no tool {}; it has {}",
        bound.skill,
        crate::visible::quoted_target(tool),
        names.join(", ")
    );
    Ending::Failed { denial: None, error: Some(CallError::new(ErrorKind::Arguments, message)) }
}

fn busy(bound: &Bound) -> Ending {
    let denial =
        Denial::new(DenialId::Busy, format!("too many calls of agent `{}` are waiting", bound.agent));
    Ending::Failed { denial: Some(denial), error: None }
}

/// A tool's own error as one line, cut: the whole of it is the error's value.
fn said(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => match map.get("message").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        },
        other => other.to_string(),
    };
    text.chars().take(TOOL_ERROR_CHARACTERS).collect()
}

fn collect(bound: &Bound, ending: Ending, witness: &Witness, log: &CallLog, gauge: &MemoryGauge) -> Outcome {
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

/// A panic of the host's code in a call ends that call and no more.
struct CatchPanic<F>(Pin<Box<F>>);

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, ()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // The future is not polled again after a panic, so nothing sees what it left half done.
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(())),
        }
    }
}

//! The guest itself: a fresh store with exactly what one call may touch, the instance, the function, the result.
//!
//! It runs on the threads of the process that asked, or in a worker process that has nothing else ([`super::worker`]). The
//! rule: nothing in here knows which; what leads out of a sandbox is handed in ([`Outside`]), and what comes of it is told to
//! [`Reports`].

use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::Value;
use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{ComponentExportIndex, InstancePre, ResourceTable, Val};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpHooks};

use crate::sandbox::channels::CallChannels;
use crate::sandbox::ending;
use crate::sandbox::files::{BoundFiles, CallFiles};
use crate::sandbox::interfaces::SelfKnowledge;
use crate::sandbox::limiter::{MemoryGauge, MemoryLimiter};
use crate::sandbox::log::CallLog;
use crate::sandbox::outcome::{CallError, Ending, ErrorKind};
use crate::sandbox::state::CallState;
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

/// A component that was linked, with what every call of it has.
pub(crate) struct Program {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<CallState>,
    pub(crate) entries: HashMap<String, Entry>,
    /// The skill's slug.
    pub(crate) skill: Arc<str>,
    /// Names and values.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) files: Arc<BoundFiles>,
    pub(crate) knowledge: Arc<SelfKnowledge>,
    /// Linear memories and tables of one call together, in bytes.
    pub(crate) memory: u64,
    /// The result as JSON, in bytes.
    pub(crate) output: u64,
    /// Bytes that one call may write to files.
    pub(crate) disk: u64,
}

/// A tool's function in the component.
pub(crate) struct Entry {
    pub(crate) index: ComponentExportIndex,
    pub(crate) ty: ComponentFunc,
}

/// What of a call leads out of its sandbox, beside files.
pub(crate) struct Outside<N> {
    pub(crate) network: N,
    pub(crate) channels: CallChannels,
}

/// To what a running guest is told on, shared with whoever waits for it.
#[derive(Clone)]
pub(crate) struct Reports {
    pub(crate) witness: Arc<Witness>,
    pub(crate) log: CallLog,
    pub(crate) gauge: Arc<MemoryGauge>,
}

/// Who hears how long a guest computes.
pub(crate) struct Pace {
    /// Set after a few ticks: it belongs on the slow threads.
    pub(crate) heavy: Arc<AtomicBool>,
    /// Told of each tick.
    pub(crate) computed: Box<dyn Fn(Duration) + Send + Sync>,
}

/// Runs a tool: store, instance, call, result. A panic of the host's code in it ends this call and no more.
pub(crate) async fn run<N: WasiHttpHooks + Send + 'static>(
    program: Arc<Program>,
    tool: &str,
    arguments: &[Val],
    outside: Outside<N>,
    pace: Pace,
    reports: &Reports,
) -> Ending {
    let state = state(&program, outside, reports);
    let caught = CatchPanic(Box::pin(guest(&program, tool, arguments, state, pace, reports)));
    caught.await.unwrap_or_else(|()| ending::panicked(&program.skill))
}

async fn guest(
    program: &Program,
    tool: &str,
    arguments: &[Val],
    state: CallState,
    pace: Pace,
    Reports { witness, log, gauge }: &Reports,
) -> Ending {
    let Some(entry) = program.entries.get(tool) else {
        let message = "the component's export vanished".to_owned();
        return Ending::Failed { denial: None, error: Some(CallError::new(ErrorKind::Component, message)) };
    };
    let mut store = store(program, state, pace);
    let returned = call_function(program, &mut store, entry, arguments).await;
    if returned.is_ok() {
        // What it still has open is judged and put in place now; a guest that did not return changes nothing more.
        store.data_mut().files().finish().await;
    }
    // Before anything else: what the guest held is gone when the outcome is made.
    drop(store);
    let refused = || witness.withheld().cloned().or_else(|| witness.last_denial());
    let output = program.output;
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
                Err(value::TooLarge) => ending::output_too_large(&program.skill, output),
            }
        }
        Err(error) => {
            for frame in ending::frames(&error) {
                log.line("trap", &frame);
            }
            ending::of_error(&program.skill, &error, gauge, output, refused())
        }
    };
    match (ending, witness.withheld()) {
        // A model must not be told that something was done that was not.
        (Ending::Returned(_), Some(denial)) => Ending::Failed { denial: Some(denial.clone()), error: None },
        (ending, _) => ending,
    }
}

async fn call_function(
    program: &Program,
    store: &mut Store<CallState>,
    entry: &Entry,
    arguments: &[Val],
) -> wasmtime::Result<Option<Val>> {
    // The core start function runs in here: limits and deadline stand already.
    let instance = program.pre.instantiate_async(&mut *store).await?;
    let function = instance
        .get_func(&mut *store, entry.index)
        .ok_or_else(|| wasmtime::Error::msg("the component's export vanished"))?;
    let mut results = vec![Val::Bool(false); entry.ty.results().len()];
    function.call_async(&mut *store, arguments, &mut results).await?;
    Ok(results.pop())
}

fn state<N: WasiHttpHooks + Send + 'static>(
    program: &Program,
    outside: Outside<N>,
    Reports { witness, log, gauge }: &Reports,
) -> CallState {
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let mut http = WasiHttpCtx::new();
    http.set_field_size_limit(FIELD_BYTES);
    CallState {
        _last_word: LastWord(Arc::clone(witness)),
        table,
        wasi: wasi(program, log),
        http,
        network: Box::new(outside.network),
        files: CallFiles::new(Arc::clone(&program.files), Arc::clone(witness), program.disk),
        channels: outside.channels,
        limiter: MemoryLimiter::new(program.memory, Arc::clone(gauge)),
        log: log.clone(),
        witness: Arc::clone(witness),
        knowledge: Arc::clone(&program.knowledge),
    }
}

/// Clocks and random numbers are the system's; everything else of ours is absent: environment, arguments, streams.
fn wasi(program: &Program, log: &CallLog) -> WasiCtx {
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(log.stdout()).stderr(log.stderr()).max_random_size(RANDOM_BYTES);
    for (name, value) in &program.environment {
        wasi.env(name, value);
    }
    wasi.build()
}

fn store(program: &Program, state: CallState, pace: Pace) -> Store<CallState> {
    let mut store = Store::new(&program.engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(usize::try_from(program.output.saturating_add(STEP_BYTES)).unwrap_or(usize::MAX));
    store.set_max_component_handles(COMPONENT_HANDLES);
    store.set_epoch_deadline(1);
    let mut ticks = 0_u32;
    store.epoch_deadline_callback(move |_| {
        ticks = ticks.saturating_add(1);
        if ticks == QUICK_TICKS {
            pace.heavy.store(true, Ordering::Relaxed);
        }
        // While the clock stands still for something that is held, what is computed beside it is charged.
        (pace.computed)(TICK);
        Ok(UpdateDeadline::Yield(1))
    });
    store
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

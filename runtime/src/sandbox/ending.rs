//! Why a call ended: the engine's errors, and what was refused on the way, into one denial with its own id.

use std::time::Duration;

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::denial::{Denial, DenialId};
use crate::sandbox::limiter::MemoryGauge;
use crate::sandbox::linker::Refused;
use crate::sandbox::outcome::{CallError, Ending, ErrorKind};
use crate::sandbox::worker::WorkerError;
use crate::visible;

/// A trap's text holds names that the guest chose: this much of it is kept.
const TRAP_CHARACTERS: usize = 300;

/// The call used up its time.
pub(crate) fn timed_out(skill: &str, budget: Duration) -> Ending {
    denied(
        Denial::new(DenialId::LimitTime, format!("skill `{skill}` did not end within {}", shown(budget)))
            .hint("ask for less in one call, or raise `limit: time …` up to the operator's limit"),
    )
}

/// The result is too large.
pub(crate) fn output_too_large(skill: &str, limit: u64) -> Ending {
    denied(output_denial(skill, limit))
}

fn output_denial(skill: &str, limit: u64) -> Denial {
    Denial::new(DenialId::LimitOutput, format!("skill `{skill}` returned more than {limit} bytes"))
        .hint("ask for a smaller part, or raise `limit: output …` up to the operator's limit")
}

/// The guest, or the engine under it, stopped with an error.
pub(crate) fn of_error(
    skill: &str,
    error: &wasmtime::Error,
    gauge: &MemoryGauge,
    output: u64,
    refused: Option<Denial>,
) -> Ending {
    let message = text(error);
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        let own =
            Denial::new(DenialId::GuestExit, format!("skill `{skill}` ended its call with exit code {code}"));
        return failed(refused.unwrap_or(own), DenialId::GuestExit, format!("exit code {code}"));
    }
    if let Some(Refused(import)) = error.downcast_ref::<Refused>() {
        let own = Denial::new(
            DenialId::ImportRefused,
            format!("skill `{skill}` called {}, which SOUL.md refuses", visible::quoted_target(import)),
        )
        .imported(import.clone());
        return failed(own, DenialId::ImportRefused, message);
    }
    if let Some(Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        let own = Denial::new(DenialId::LimitStack, format!("skill `{skill}` used up its stack"));
        return failed(own, DenialId::LimitStack, message);
    }
    if matches!(find(error), Some(ResourceTableError::Full)) || message.contains("too many handles") {
        let own =
            Denial::new(DenialId::LimitHandles, format!("skill `{skill}` held too many handles at once"));
        return failed(own, DenialId::LimitHandles, message);
    }
    // Neither error has a public type.
    if message.contains("fuel allocated for hostcalls") {
        return failed(output_denial(skill, output), DenialId::LimitOutput, message);
    }
    if message.contains("random") && message.contains("exceed") || message.contains("requested len") {
        let own = Denial::new(
            DenialId::LimitRandom,
            format!("skill `{skill}` asked for too many random bytes at once"),
        );
        return failed(own, DenialId::LimitRandom, message);
    }
    if gauge.refused() {
        let own = Denial::new(
            DenialId::LimitMemory,
            format!("skill `{skill}` asked for more memory than it may have"),
        )
        .hint("ask for less in one call, or raise `limit: memory …` up to the operator's limit");
        return failed(own, DenialId::LimitMemory, message);
    }
    let own = Denial::new(DenialId::GuestTrap, format!("skill `{skill}` crashed"));
    failed(refused.unwrap_or(own), DenialId::GuestTrap, message)
}

/// Host code panicked in the call. That is our bug; it costs this call and nothing else.
pub(crate) fn panicked(skill: &str) -> Ending {
    let own = Denial::new(DenialId::GuestTrap, format!("skill `{skill}` met a fault of the host"));
    failed(own, DenialId::GuestTrap, "the host's code panicked; please report it".to_owned())
}

/// The process that the guest ran in is no more, or never was.
pub(crate) fn process(skill: &str, error: &WorkerError) -> Ending {
    let own = Denial::new(DenialId::GuestProcess, format!("skill `{skill}`: {error}"));
    failed(own, DenialId::GuestProcess, error.to_string())
}

/// The error's own text, without the guest's frames, cut.
fn text(error: &wasmtime::Error) -> String {
    error.root_cause().to_string().chars().take(TRAP_CHARACTERS).collect()
}

/// The names in a trap's backtrace, innermost first, for the log: at most 16, each cut.
pub(crate) fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| {
        let name: String = frame.func_name().unwrap_or("?").chars().take(120).collect();
        format!("at {name}")
    };
    backtrace.frames().iter().take(16).map(name).collect()
}

fn find(error: &wasmtime::Error) -> Option<&ResourceTableError> {
    error.chain().find_map(|cause| cause.downcast_ref())
}

fn denied(denial: Denial) -> Ending {
    Ending::Failed { denial: Some(denial), error: None }
}

fn failed(denial: Denial, id: DenialId, message: String) -> Ending {
    let error = CallError { kind: ErrorKind::Trap, id: Some(id), message, value: None };
    Ending::Failed { denial: Some(denial), error: Some(error) }
}

/// A duration as limits are written: `30s`, `500ms`.
pub(crate) fn shown(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

//! The compiling process's own side: limits and walls around itself first, then one question, one answer, the end.

use std::io::Write;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::compile::CompileError;
use crate::compile::protocol::{self, Answer, Question};
use crate::confine::{self, Walls};
use crate::sandbox::engine;
use crate::skill::decode;
use crate::visible;

/// The argument that makes a program a compiling child, before the seconds of processor time that it has. No command
/// has this form.
pub(crate) const WORKER_ARGUMENT: &str = "--soulbound-compile-worker";

/// In place of the seconds: confine yourself, and say which walls stand.
pub(crate) const WALLS: &str = "walls";

/// Processor time that one component of this size may take. What an honest component costs grows with its size (Python's
/// 18 MB take 5 s, twice that on a busy machine); a bomb costs the same at any.
pub(crate) fn processor_time(bytes: usize) -> Duration {
    Duration::from_secs(8 + (bytes as u64).div_ceil(1 << 20) * 7 / 10)
}

/// Memory that one component may take, in bytes. Python's 18 MB need about 400 MiB.
pub(crate) const MEMORY: u64 = 512 << 20;
/// Address space: memory, the program itself, and stacks.
const ADDRESS_SPACE: u64 = 2 << 30;
/// The child's main thread has this much stack for recursive parts of the compiler.
const STACK: usize = 16 << 20;

/// Turns this process into a compiling child if it was started as one, and never returns then.
///
/// A program that uses [`Compiler::of_this_program`](crate::compile::Compiler::of_this_program) calls this first
/// thing in `main`, before it reads arguments or starts threads.
pub fn run_if_worker() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != WORKER_ARGUMENT) {
        return;
    }
    let asked = arguments.next();
    let served = match asked.as_ref().and_then(|asked| asked.to_str()) {
        Some(WALLS) => show_walls(),
        Some(seconds) => seconds.parse().is_ok_and(serve),
        None => false,
    };
    std::process::exit(i32::from(!served));
}

fn serve(seconds: u64) -> bool {
    // In this order: nothing hostile is read before every limit and every wall stands.
    if limit_self(seconds).is_err() {
        return false;
    }
    if let Err(error) = confine::to_pipes() {
        // Onto a pipe of the parent's, which quotes it.
        let _ = writeln!(std::io::stderr(), "it could not be confined: {error}");
        return false;
    }
    let worker = std::thread::Builder::new().stack_size(STACK).spawn(|| {
        let Ok([question, component]) = protocol::read(&mut std::io::stdin().lock()) else { return false };
        let Ok(question) = serde_json::from_slice::<Question>(&question) else { return false };
        let (report, code) = match answer(&component, &question.wit, question.compile) {
            Ok(answer) => (serde_json::to_vec(&Ok::<_, String>(answer.inspection)), answer.code),
            Err(error) => {
                let text = if let CompileError::Invalid(text) = error { text } else { error.to_string() };
                (serde_json::to_vec(&Err::<crate::skill::Inspection, _>(text)), Vec::new())
            }
        };
        report.is_ok_and(|report| protocol::write(&mut std::io::stdout().lock(), [&report, &code]).is_ok())
    });
    matches!(worker.map(std::thread::JoinHandle::join), Ok(Ok(true)))
}

/// Puts up the walls as [`serve`] does, and tells of them: known by trying, and not by the kernel's version.
fn show_walls() -> bool {
    let walls: Option<Walls> = limit_self(1).ok().and_then(|()| confine::to_pipes().ok());
    let told = walls.and_then(|walls| serde_json::to_vec(&walls).ok());
    told.is_some_and(|told| std::io::stdout().write_all(&told).is_ok())
}

/// Memory, time, files, cores: what this process may use from now on, itself and for good.
fn limit_self(seconds: u64) -> rustix::io::Result<()> {
    // Nobody waits for what a child of a killed program would still compile.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let fixed = |limit: u64| Rlimit { current: Some(limit), maximum: Some(limit) };
    // The soft limit's signal ends the process; the hard one is for a program that had caught it.
    let cpu = Rlimit { current: Some(seconds), maximum: Some(seconds + 1) };
    setrlimit(Resource::Cpu, cpu)?;
    setrlimit(Resource::Data, fixed(MEMORY))?;
    setrlimit(Resource::As, fixed(ADDRESS_SPACE))?;
    setrlimit(Resource::Fsize, fixed(0))?;
    setrlimit(Resource::Nofile, fixed(16))?;
    setrlimit(Resource::Core, fixed(0))
}

/// Decodes, and compiles if asked.
pub(crate) fn answer(
    component: &[u8],
    wit: &[(String, String)],
    compile: bool,
) -> Result<Answer, CompileError> {
    let inspection =
        decode::decode(component, wit).map_err(|error| CompileError::Invalid(visible::line(&error.0)))?;
    let code = if compile {
        let invalid = |error: wasmtime::Error| {
            let text: String = format!("{error:#}").chars().take(500).collect();
            CompileError::Invalid(visible::line(&text))
        };
        engine::compiling().and_then(|engine| engine.precompile_component(component)).map_err(invalid)?
    } else {
        Vec::new()
    };
    Ok(Answer { inspection, code })
}

//! Starting the compiling child and waiting for it, no longer than it may take.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::compile::CompileError;
use crate::compile::protocol::{self, Answer, Question};
use crate::compile::worker::{MEMORY, WALLS, WORKER_ARGUMENT, processor_time};
use crate::confine::Walls;
use crate::skill::{Inspection, SkillFolder};
use crate::visible;

/// Wall-clock time for one child, in multiples of its processor time. A compiler does not sleep, so its processor time
/// is what ends it; this is for a machine so busy that the child hardly runs.
const WALL: u32 = 6;

/// Decodes, and compiles if asked, in a child process.
pub(crate) fn run(program: &Path, skill: &SkillFolder, compile: bool) -> Result<Answer, CompileError> {
    let process = |error: std::io::Error| CompileError::Process(error.to_string());
    let question = serde_json::to_vec(&Question { wit: skill.wit.clone(), compile })
        .map_err(|error| CompileError::Process(error.to_string()))?;
    let allowed = processor_time(skill.component.len());
    let mut child = Killed(
        Command::new(program)
            .arg(WORKER_ARGUMENT)
            .arg(allowed.as_secs().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(process)?,
    );
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) =
        (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take())
    else {
        return Err(CompileError::Process("its pipes are missing".to_owned()));
    };
    let component = skill.component.clone();
    // Each pipe has a thread of its own, so that neither side waits for the other for ever.
    std::thread::spawn(move || {
        // A child that ended early tells why by its status.
        let _ = protocol::write(&mut stdin, [&question, &component]);
        let _ = stdin.flush();
    });
    let complaint = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.by_ref().take(4_096).read_to_end(&mut text);
        // The rest is read and dropped: a child that still writes must not wait for us.
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = sender.send(protocol::read(&mut stdout));
    });
    let started = Instant::now();
    let answer = receiver.recv_timeout(allowed * WALL);
    let status = match &answer {
        Ok(_) => child.0.wait().map_err(process)?,
        Err(_) => {
            return Err(CompileError::TooCostly { what: "compiling it", limit: seconds(allowed * WALL) });
        }
    };
    match answer {
        Ok(Ok([report, code])) if status.success() => read_report(&report, code),
        _ => Err(ended(status, allowed, started.elapsed(), &complaint.join().unwrap_or_default())),
    }
}

/// Which walls stand around such a child on this machine, as one of them found.
pub(crate) fn walls(program: &Path) -> Result<Walls, CompileError> {
    let process = |error: std::io::Error| CompileError::Process(error.to_string());
    let output = Command::new(program)
        .args([WORKER_ARGUMENT, WALLS])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(process)?;
    let told = serde_json::from_slice(&output.stdout).ok().filter(|_| output.status.success());
    told.ok_or_else(|| CompileError::Process(format!("it could not be confined ({})", output.status)))
}

fn read_report(report: &[u8], code: Vec<u8>) -> Result<Answer, CompileError> {
    match serde_json::from_slice::<Result<Inspection, String>>(report) {
        Ok(Ok(inspection)) => Ok(Answer { inspection, code }),
        Ok(Err(text)) => Err(CompileError::Invalid(visible::line(&text))),
        Err(error) => Err(CompileError::Process(error.to_string())),
    }
}

/// What ended the child, told from how it ended.
fn ended(status: ExitStatus, allowed: Duration, ran: Duration, complaint: &str) -> CompileError {
    /// The kernel's signals for processor time used up, out of memory (the allocator aborts), killed, stack overrun.
    const SIGABRT: i32 = 6;
    const SIGBUS: i32 = 7;
    const SIGKILL: i32 = 9;
    const SIGSEGV: i32 = 11;
    const SIGXCPU: i32 = 24;
    const SIGSYS: i32 = 31;
    let memory =
        || CompileError::TooCostly { what: "compiling it", limit: format!("{} MiB of memory", MEMORY >> 20) };
    match status.signal() {
        Some(SIGXCPU) => CompileError::TooCostly { what: "compiling it", limit: seconds(allowed) },
        Some(SIGKILL) if ran >= allowed => {
            CompileError::TooCostly { what: "compiling it", limit: seconds(allowed) }
        }
        Some(SIGABRT) if complaint.contains("stack") => {
            CompileError::TooCostly { what: "compiling it", limit: "its stack".to_owned() }
        }
        Some(SIGABRT | SIGKILL) => memory(),
        Some(SIGSEGV | SIGBUS) => {
            CompileError::TooCostly { what: "compiling it", limit: "its stack".to_owned() }
        }
        Some(SIGSYS) => CompileError::Process(
            "it asked the kernel for what no compiler needs, and was ended; the component may be an attack"
                .to_owned(),
        ),
        // A failed allocation that a library turned into a panic or an error.
        _ if complaint.contains("memory") || complaint.contains("OutOfMemory") => memory(),
        _ => CompileError::Process(format!("{status}: {}", visible::quoted(complaint.trim(), 200))),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// A child that does not outlive the wait for it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

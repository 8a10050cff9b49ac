//! Starting a gateway in the background, and making sure that one runs.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::gateway::daemon::READY;
use crate::operator::Request;
use crate::operator::client::Client;
use crate::state::StateFolder;
use crate::state::lock::{Held, Purpose};

/// How long a running gateway may take to say that it is there.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long one that starts or leaves may take.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked whether it does.
const LOOKS_AGAIN: Duration = Duration::from_millis(10);

/// A gateway that takes calls.
pub(crate) struct Running {
    /// Its process.
    pub(crate) pid: i32,
    /// Where it listens.
    pub(crate) listen: String,
    /// Whether it ran before.
    pub(crate) already: bool,
}

/// What came of starting one.
enum Spawned {
    /// It takes calls.
    Running(Running),
    /// It ended, and somebody holds the state folder.
    TooLate(anyhow::Error),
}

/// Starts a gateway if none runs, and waits until it takes calls. A stop is not undone: that is the operator's act.
pub(crate) fn ensure_running(state: &StateFolder) -> Result<Running> {
    if state.is_stopped() {
        bail!(
            "everything under `{}` was stopped by an operator\n  hint: when the reason is gone: soulbound gateway start",
            state.path().display()
        );
    }
    state.make()?;
    let deadline = Instant::now() + STARTS_WITHIN;
    loop {
        match state.holder()? {
            None => match spawn(state)? {
                Spawned::Running(running) => return Ok(running),
                // Somebody else took the folder first. Whoever it is, it is asked next.
                Spawned::TooLate(why) if Instant::now() > deadline => return Err(why),
                Spawned::TooLate(_) => {}
            },
            Some(Held(Some(holder))) if holder.purpose == Purpose::Gateway => {
                if let Some(running) = running(state)? {
                    return Ok(running);
                }
                // On its way in or out: its socket is not there. Which of the two it is shows in another process only.
                if Instant::now() > deadline {
                    bail!(
                        "a gateway (pid {}) neither takes calls nor leaves\n  hint: soulbound gateway stop",
                        holder.pid
                    );
                }
                std::thread::sleep(LOOKS_AGAIN);
            }
            // A command of a moment, or a gateway that has not said so yet.
            Some(_) if Instant::now() > deadline => {
                bail!(
                    "another process works on `{}` and does not end\n  hint: soulbound gateway status",
                    state.path().display()
                )
            }
            Some(_) => std::thread::sleep(LOOKS_AGAIN),
        }
    }
}

/// The gateway that runs and answers, if one does.
pub(crate) fn running(state: &StateFolder) -> Result<Option<Running>> {
    let Some(Held(holder)) = state.holder()? else { return Ok(None) };
    let Some(client) = Client::connect(state)? else {
        // Starting or leaving, or a command has the folder for a moment: whoever starts meets the lock.
        return Ok(None);
    };
    let asked = client.ask(&Request::Status {}, Some(ANSWERS_WITHIN));
    if asked.as_ref().is_err_and(|error| !is_late(error)) {
        // It hung up: it is on its way out, or being taken apart by the kernel. Whoever waits for one looks again.
        return Ok(None);
    }
    let status = asked.map_err(|error| {
        let pid = holder.map_or_else(|| "unknown".to_owned(), |holder| holder.pid.to_string());
        anyhow::anyhow!(
            "a gateway runs (pid {pid}) and does not answer: {error:#}\n  hint: soulbound gateway stop"
        )
    })?;
    let status = status.into_result()?;
    let text =
        |name: &str| status.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    let pid = status.get("pid").and_then(serde_json::Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
    Ok(Some(Running { pid: pid.unwrap_or_default(), listen: text("listen"), already: true }))
}

/// Starts this program as a gateway of its own session, with its log in the state folder.
fn spawn(state: &StateFolder) -> Result<Spawned> {
    let log_path = state.path().join("gateway.log");
    let log = File::options()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&log_path)
        .with_context(|| format!("`{}` cannot be written", log_path.display()))?;
    let from = log.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let mut child = Command::new(program)
        .args(["gateway", "run", "--background"])
        .env("SOULBOUND_HOME", state.path())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("the gateway cannot be started")?;
    let stdout = child.stdout.take().context("a piped output is there")?;
    // It says one line when it takes calls. If it ends before, the pipe closes.
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).context("the gateway's word cannot be read")?;
    if let Some(listen) = line.strip_prefix(READY) {
        let running =
            Running { pid: child.id().cast_signed(), listen: listen.trim().to_owned(), already: false };
        return Ok(Spawned::Running(running));
    }
    let ended = child.wait().context("the gateway's end cannot be learnt")?;
    let why = why(&log_path, from).unwrap_or_else(|| {
        format!("the gateway did not start ({ended}); its log is `{}`", log_path.display())
    });
    if state.holder()?.is_some() {
        return Ok(Spawned::TooLate(anyhow::anyhow!(why)));
    }
    bail!(why)
}

/// What it wrote into the log since it was started: its error.
fn why(log: &std::path::Path, from: u64) -> Option<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut text = String::new();
    file.take(16 << 10).read_to_string(&mut text).ok()?;
    let error = text.rsplit_once("error: ").map(|(_, error)| error.trim().to_owned())?;
    (!error.is_empty()).then_some(error)
}

/// Whether somebody is there and does not answer in time.
fn is_late(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind;
    let kind =
        error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    matches!(kind, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

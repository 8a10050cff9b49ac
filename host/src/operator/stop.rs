//! Stopping everything, from the command line: needs no prompt, no running gateway, no answer.
//!
//! Three ways at once, each enough alone: the file (`armed` becomes `stopped`: nothing starts any more), the socket (the
//! gateway ends every call in flight, records it and leaves), and the process (whoever holds the lock and has not left
//! by then is killed by the kernel, and every guest with it). Only when the lock is free is it said that all stands.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Serialize;

use crate::operator::Who;
use crate::operator::client::Client;
use crate::operator::{Reply, Request};
use crate::state::StateFolder;
use crate::state::lock::{Held, Holder, Purpose, StateLock, Taken};
use crate::state::process;

/// How long a gateway has to end its calls, record that and leave, before it is killed.
const GRACE: Duration = Duration::from_millis(2_500);
/// How long a gateway that does not answer has after SIGTERM.
const SIGNALLED: Duration = Duration::from_millis(500);
/// How long the kernel may take to clear a killed process away.
const CLEARED: Duration = Duration::from_secs(10);

/// What a stop found and did.
#[derive(Debug, Serialize)]
pub(crate) struct Stopped {
    /// The state folder.
    pub(crate) state: String,
    /// Whether it was stopped before.
    pub(crate) already: bool,
    /// The gateway that ran, if one did.
    pub(crate) gateway: Option<Ended>,
    /// Gateways of this user with other state folders, which go on running.
    pub(crate) others: Vec<Other>,
}

/// How a gateway ended.
#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    /// Its process.
    pub(crate) pid: i32,
    /// Calls that it ended, by its own word; unknown when it had to be killed.
    pub(crate) calls: Option<u64>,
    /// Whether it did not leave by itself.
    pub(crate) killed: bool,
}

/// A gateway that this stop does not concern.
#[derive(Debug, Serialize)]
pub(crate) struct Other {
    /// Its process.
    pub(crate) pid: i32,
    /// Its state folder.
    pub(crate) state: String,
}

/// Stops everything under a state folder.
///
/// # Errors
///
/// The file could not be made *and* nothing else worked either, or the lock's holder could not be ended.
pub(crate) fn stop(
    state: &StateFolder,
    who: &Who,
    record: impl FnOnce(&StateLock) -> Result<()>,
) -> Result<Stopped> {
    state.make()?;
    // Asked first: a gateway that sees the file leaves by itself.
    let held = state.holder();
    let marked = state.stop();
    let held = held?;
    let gateway = match &held {
        Some(Held(holder)) => Some(end(state, who, holder.as_ref())?),
        None => None,
    };
    // A file that could not be made leaves a gateway ended and able to start again: that is no stop.
    let already =
        marked.context("everything in flight was ended, and nothing keeps it from starting again")?;
    let mut gateway = gateway;
    let by_itself = gateway.as_ref().is_some_and(|ended: &Ended| !ended.killed);
    if !by_itself {
        // Nobody else recorded it. One that was just starting may have taken the folder meanwhile: it is ended too.
        let lock = loop {
            match StateLock::take(state, Purpose::Command)? {
                Taken::Ours(lock) => break lock,
                Taken::Theirs(Some(holder)) if holder.purpose == Purpose::Gateway => {
                    gateway = Some(end(state, who, Some(&holder))?);
                }
                Taken::Theirs(_) => break StateLock::wait(state, Purpose::Command)?,
            }
        };
        record(&lock)?;
    }
    if !state.is_stopped() {
        state.stop()?;
        anyhow::bail!(
            "something let it run again while it was being stopped; it is stopped now\n  hint: soulbound gateway stop, once more"
        );
    }
    let ours = std::fs::canonicalize(state.path()).unwrap_or_else(|_| state.path().to_owned());
    let others = process::gateways()
        .into_iter()
        .filter(|other| std::fs::canonicalize(&other.state).unwrap_or_else(|_| other.state.clone()) != ours)
        .map(|other| Other { pid: other.pid, state: other.state.display().to_string() })
        .collect();
    Ok(Stopped { state: state.path().display().to_string(), already, gateway, others })
}

/// Ends whoever holds the lock: by asking, then by the kernel.
fn end(state: &StateFolder, who: &Who, holder: Option<&Holder>) -> Result<Ended> {
    // Taken before anything is asked of it: the descriptor means this process and no later one of its number.
    let process = holder.and_then(handle);
    let deadline = Instant::now() + GRACE;
    let answer = match Client::connect(state) {
        Ok(Some(client)) => client.ask(&Request::Stop { who: who.clone() }, Some(GRACE)).ok(),
        _ => None,
    };
    let calls = answer.filter(|reply: &Reply| reply.ok).and_then(|reply| reply.value.get("calls")?.as_u64());
    let pid = holder.map_or(0, |holder| holder.pid);
    let killed = finish(state, pid, process.as_ref(), deadline, calls.is_none())?;
    // One that left at a signal did not hear who stopped it, so the command records that.
    Ok(Ended { pid, calls: calls.filter(|_| !killed), killed: killed || calls.is_none() })
}

/// Ends whoever holds the lock without asking: it did not answer.
pub(crate) fn put_down(state: &StateFolder, holder: Option<&Holder>) -> Result<()> {
    let process = holder.and_then(handle);
    finish(state, holder.map_or(0, |holder| holder.pid), process.as_ref(), Instant::now() + SIGNALLED, true)?;
    Ok(())
}

/// Waits until the process has left, and has the kernel kill it at the deadline. Whether it had to.
fn finish(
    state: &StateFolder,
    pid: i32,
    process: Option<&OwnedFd>,
    deadline: Instant,
    unheard: bool,
) -> Result<bool> {
    let Some(handle) = process else {
        // Between taking the lock and saying who it is, or already gone: the lock tells when.
        drop(StateLock::wait(state, Purpose::Command)?);
        return Ok(false);
    };
    if unheard {
        // Signals are handled apart from the socket; it may still end in order.
        let _ = pidfd_send_signal(handle, Signal::TERM);
    }
    if gone(handle, deadline.saturating_duration_since(Instant::now()))? {
        return Ok(false);
    }
    pidfd_send_signal(handle, Signal::KILL).with_context(|| {
        format!("the gateway (pid {pid}) neither left nor can be killed\n  hint: as root: kill -9 {pid}")
    })?;
    if !gone(handle, CLEARED)? {
        anyhow::bail!(
            "the gateway (pid {pid}) was killed and the kernel has not cleared it away: it may be stuck on a disk\n  hint: no new call starts; as root, `cat /proc/{pid}/stack` tells where"
        );
    }
    Ok(true)
}

/// A handle on the very process that the lock names.
fn handle(holder: &Holder) -> Option<OwnedFd> {
    let handle = pidfd_open(Pid::from_raw(holder.pid)?, PidfdFlags::empty()).ok()?;
    (process::started(holder.pid) == Some(holder.started)).then_some(handle)
}

/// Whether the process ended within this time.
fn gone(handle: &OwnedFd, within: Duration) -> Result<bool> {
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = rustix::event::Timespec::try_from(left).context("a short time fits")?;
        let mut waiting = [PollFd::new(handle, PollFlags::IN)];
        match poll(&mut waiting, Some(&timeout)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("the gateway's process cannot be watched"),
        }
    }
}

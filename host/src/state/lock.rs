//! One owner of a state folder at a time: whoever holds the lock on `gateway.lock` writes the trails and the agents'
//! records. The kernel drops the lock when its holder dies, however it dies.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::state::StateFolder;

/// How long whoever has the folder may take to be done with it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is.
const LOOKS_AGAIN: Duration = Duration::from_millis(4);

/// The lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct StateLock {
    file: File,
}

/// Who holds the lock, by its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    /// Its process.
    pub(crate) pid: i32,
    /// When that process began, in the kernel's ticks since boot: a number that is reused has another.
    pub(crate) started: u64,
    /// `gateway`, or the command that has it for a moment.
    pub(crate) purpose: Purpose,
    /// Since when, for people.
    pub(crate) since: String,
    /// Where a gateway listens, once it does.
    pub(crate) listen: Option<String>,
}

/// What the lock is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// A gateway, for as long as it runs.
    Gateway,
    /// A command, for as long as it takes.
    Command,
}

/// The state folder is taken.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is ours now.
    Ours(StateLock),
    /// Somebody else has it; unknown between taking it and saying so.
    Theirs(Option<Holder>),
}

/// What waiting for the lock came to.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    /// It is ours now.
    Ours(StateLock),
    /// There was another answer first.
    Otherwise(T),
}

impl StateLock {
    /// Takes the lock, or says who has it. Makes the state folder when there is none.
    pub(crate) fn take(state: &StateFolder, purpose: Purpose) -> Result<Taken> {
        state.make()?;
        let file = open(state, true)?.context("the lock's file was made and is gone")?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Taken::Theirs(holder(&file))),
            Err(error) => return Err(error).context("`gateway.lock` cannot be locked"),
        }
        state.claim_format()?;
        let mut lock = Self { file };
        lock.say(purpose, None)?;
        Ok(Taken::Ours(lock))
    }

    /// Waits for the lock: whoever has it is ending, or is a command of a moment.
    pub(crate) fn wait(state: &StateFolder, purpose: Purpose) -> Result<Self> {
        match Self::wait_unless(state, purpose, |_| Ok(None::<Infallible>))? {
            Waited::Ours(lock) => Ok(lock),
            Waited::Otherwise(never) => match never {},
        }
    }

    /// Waits for the lock, or until `otherwise` has another answer, who is told who has it. Not for ever: nobody tells when a
    /// gateway that goes on would be done, and the kernel's own waiting has no end.
    pub(crate) fn wait_unless<T>(
        state: &StateFolder,
        purpose: Purpose,
        mut otherwise: impl FnMut(Option<&Holder>) -> Result<Option<T>>,
    ) -> Result<Waited<T>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let holder = match Self::take(state, purpose)? {
                Taken::Ours(lock) => return Ok(Waited::Ours(lock)),
                Taken::Theirs(holder) => holder,
            };
            if let Some(answer) = otherwise(holder.as_ref())? {
                return Ok(Waited::Otherwise(answer));
            }
            if Instant::now() > deadline {
                let pid = holder.map_or_else(|| "unknown".to_owned(), |holder| holder.pid.to_string());
                bail!(
                    "another process (pid {pid}) works on `{}` and does not end\n  hint: soulbound gateway status",
                    state.path().display()
                );
            }
            std::thread::sleep(LOOKS_AGAIN);
        }
    }

    /// Writes down who holds it, for what, and where it listens.
    pub(crate) fn say(&mut self, purpose: Purpose, listen: Option<String>) -> Result<()> {
        let pid = i32::try_from(std::process::id()).context("a process number fits")?;
        let holder = Holder {
            pid,
            started: crate::state::process::started(pid).unwrap_or_default(),
            purpose,
            since: Moment::now().to_string(),
            listen,
        };
        let mut text = serde_json::to_vec(&holder)?;
        text.push(b'\n');
        // Overwritten before it is cut, so that no reader meets an empty file; a full disk must not keep a stop from
        // taking the lock, and the file already has these bytes' block after the first time.
        let mut written = || -> std::io::Result<()> {
            self.file.rewind()?;
            self.file.write_all(&text)?;
            self.file.set_len(text.len() as u64)
        };
        if let Err(error) = written() {
            tracing::warn!(%error, "who holds the lock could not be written down");
        }
        Ok(())
    }
}

impl StateFolder {
    /// Who holds the lock now; `None` when nobody does.
    pub(crate) fn holder(&self) -> Result<Option<Held>> {
        let Some(file) = open(self, false)? else { return Ok(None) };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(Errno::WOULDBLOCK) => Ok(Some(Held(holder(&file)))),
            Err(error) => Err(error).context("`gateway.lock` cannot be asked"),
        }
    }
}

/// The lock is held, by whom if that could be read.
#[derive(Debug)]
pub(crate) struct Held(pub(crate) Option<Holder>);

fn open(state: &StateFolder, make: bool) -> Result<Option<File>> {
    let path = state.path().join("gateway.lock");
    let mut options = File::options();
    // Whoever only asks need not write: a folder that became read-only has a gateway to be found and stopped, too.
    options.read(true).write(make).create(make).truncate(false).mode(0o600);
    options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    match options.open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if !make && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be opened", path.display())),
    }
}

fn holder(mut file: &File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(4_096).read_to_string(&mut text).ok()?;
    serde_json::from_str(text.lines().next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_has_it_and_gets_it_when_it_is_free() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().join("state"));
        let Taken::Ours(held) = StateLock::take(&state, Purpose::Gateway).unwrap() else { panic!("taken") };
        let Taken::Theirs(Some(holder)) = StateLock::take(&state, Purpose::Command).unwrap() else {
            panic!("two owners")
        };
        assert_eq!((holder.pid, holder.purpose), (std::process::id().cast_signed(), Purpose::Gateway));
        assert!(state.holder().unwrap().is_some());
        drop(held);
        assert!(state.holder().unwrap().is_none());
        assert!(matches!(StateLock::take(&state, Purpose::Command).unwrap(), Taken::Ours(_)));
    }
}

//! Hears of changes on disk: a stop by the file alone, other settings, an agent's markers, its SOUL.md and its skills.
//!
//! What decides is asked anew before every call (`gateway/agent.rs`), with or without this. What this adds is that calls
//! already in flight end, and that a change is noted although nobody calls. A file system that tells of nothing (a network
//! share) is asked every few seconds.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::gateway::Gateway;
use crate::operator::Who;

/// How often everything is asked, whether or not anything told.
const ROUND: Duration = Duration::from_secs(3);

/// How long a command that made the file `stopped` has to say whose act it is.
const SAYS_WHO_WITHIN: Duration = Duration::from_millis(300);

/// What is watched for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Watched {
    /// The state folder.
    State,
    /// A folder that concerns an agent: its folder, its skills, its part of the state folder.
    Agent(String),
}

/// The folders that are watched.
pub(crate) struct Folders {
    notices: Option<OwnedFd>,
    watched: Mutex<HashMap<i32, Vec<Watched>>>,
}

/// Watching, until it is dropped.
#[derive(Debug)]
pub(crate) struct Watching(AbortHandle);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Folders {
    /// None yet. Where the system gives no notices, everything is asked in rounds.
    pub(crate) fn new() -> Self {
        let notices = inotify::init(CreateFlags::CLOEXEC);
        if let Err(error) = &notices {
            tracing::warn!(%error, "the system tells of no changes of files; they are noticed within {} s", ROUND.as_secs());
        }
        Self { notices: notices.ok(), watched: Mutex::default() }
    }

    /// Watches one more folder. One that cannot be watched is asked in rounds, as all are.
    pub(crate) fn add(&self, folder: &Path, of: Watched) {
        let Some(notices) = &self.notices else { return };
        let flags = WatchFlags::CREATE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(notices, folder, flags) {
            Ok(watch) => {
                // The same folder has the same number: a standard skill's is watched for many agents.
                let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
                let all = watched.entry(watch).or_default();
                if !all.contains(&of) {
                    all.push(of);
                }
            }
            Err(error) => tracing::debug!(%error, folder = %folder.display(), "a folder cannot be watched"),
        }
    }

    /// Tells of every change, on a thread of its own: waiting for it blocks.
    fn listen(&self, notices: &OwnedFd, tell: &mpsc::UnboundedSender<Watched>) -> rustix::io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = inotify::Reader::new(notices, &mut buffer);
        loop {
            let (watch, flags) = match reader.next() {
                Ok(event) => (event.wd(), event.events()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            // More than the queue holds: then everything may have changed.
            let all = flags.contains(ReadFlags::QUEUE_OVERFLOW).then(|| watched.values().flatten());
            let some = watched.get(&watch).into_iter().flatten();
            for of in all.into_iter().flatten().chain(some) {
                let _ = tell.send(of.clone());
            }
        }
    }
}

/// Begins to watch.
pub(crate) fn start(gateway: &Arc<Gateway>) -> Result<Watching> {
    gateway.folders().add(gateway.state().path(), Watched::State);
    let (tell, mut told) = mpsc::unbounded_channel();
    if let Some(notices) = &gateway.folders().notices {
        let notices = notices.try_clone().context("out of descriptors")?;
        // Not the gateway itself: the thread ends with the process, and must keep nothing alive until then.
        let folders = Arc::clone(gateway.folders());
        let listening = std::thread::Builder::new().name("soulbound-watch".to_owned());
        let tell = tell.clone();
        listening
            .spawn(move || {
                if let Err(error) = folders.listen(&notices, &tell) {
                    tracing::error!(%error, "changes of files are no longer told; they are asked for in rounds");
                }
            })
            .context("the thread that watches files does not start")?;
    }
    let gateway = Arc::clone(gateway);
    let task = tokio::spawn(async move {
        let mut round = tokio::time::interval(ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let mut changed = Vec::new();
            tokio::select! {
                Some(of) = told.recv() => {
                    changed.push(of);
                    // One edit tells several times.
                    while let Ok(of) = told.try_recv() {
                        if !changed.contains(&of) {
                            changed.push(of);
                        }
                    }
                }
                _ = round.tick() => {
                    // Neither on this thread: both touch disks that may hang, and this one hears the stop.
                    let tidied = Arc::clone(&gateway);
                    tokio::task::spawn_blocking(move || tidied.tidy());
                    changed.push(Watched::State);
                    changed.extend(gateway.loaded().into_iter().map(|agent| Watched::Agent(agent.id().to_owned())));
                }
            }
            for of in changed {
                match of {
                    Watched::State => look_at_state(&gateway),
                    Watched::Agent(id) => {
                        if let Some(agent) = gateway.loaded_agent(&id) {
                            gateway.threads().spawn(async move { agent.look_again().await });
                        }
                    }
                }
            }
        }
    });
    drop(tell);
    Ok(Watching(task.abort_handle()))
}

fn look_at_state(gateway: &Arc<Gateway>) {
    let gateway = Arc::clone(gateway);
    if !gateway.state().is_stopped() {
        gateway.threads().clone().spawn(async move { gateway.reread_settings().await });
        return;
    }
    if gateway.is_killed() {
        return;
    }
    tracing::warn!("the file `stopped` is there: everything ends");
    gateway.halt();
    tokio::spawn(async move {
        // `gateway stop` makes the file first and then says who it is; whoever makes the file by hand says nothing.
        tokio::time::sleep(SAYS_WHO_WITHIN).await;
        gateway.kill(&Who::this_process()).await;
        gateway.leave();
    });
}

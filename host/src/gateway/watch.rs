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
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use crate::gateway::Gateway;
use crate::operator::Who;

/// How often everything is asked, whether or not anything told.
const ROUND: Duration = Duration::from_secs(3);

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
        let notices = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
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

    /// Waits until something changed, and says whose. `None`: nothing tells here.
    async fn changed(&self, notices: &AsyncFd<OwnedFd>) -> Result<Vec<Watched>> {
        let mut ready = notices.readable().await.context("notices of files end")?;
        let mut changed = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4_096];
        let mut reader = inotify::Reader::new(notices.get_ref(), &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
                    // More than the queue holds: then everything may have changed.
                    if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                        return Ok(watched.values().flatten().cloned().collect());
                    }
                    for of in watched.get(&event.wd()).into_iter().flatten() {
                        if !changed.contains(of) {
                            changed.push(of.clone());
                        }
                    }
                }
                Err(rustix::io::Errno::WOULDBLOCK) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("notices of files end"),
            }
        }
        ready.clear_ready();
        Ok(changed)
    }
}

/// Begins to watch.
pub(crate) fn start(gateway: &Arc<Gateway>) -> Result<Watching> {
    gateway.folders().add(gateway.state().path(), Watched::State);
    let notices = match &gateway.folders().notices {
        Some(notices) => {
            let ours = notices.try_clone().context("out of descriptors")?;
            Some(AsyncFd::new(ours).context("notices of files cannot be awaited")?)
        }
        None => None,
    };
    let gateway = Arc::clone(gateway);
    let task = tokio::spawn(async move {
        let mut round = tokio::time::interval(ROUND);
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let changed = tokio::select! {
                changed = async {
                    match &notices {
                        Some(notices) => gateway.folders().changed(notices).await,
                        None => std::future::pending().await,
                    }
                } => changed,
                _ = round.tick() => {
                    let agents = gateway.loaded().into_iter().map(|agent| Watched::Agent(agent.id().to_owned()));
                    Ok(std::iter::once(Watched::State).chain(agents).collect())
                }
            };
            let Ok(changed) = changed else { return };
            for of in changed {
                look(&gateway, &of).await;
            }
        }
    });
    Ok(Watching(task.abort_handle()))
}

async fn look(gateway: &Arc<Gateway>, of: &Watched) {
    match of {
        Watched::State => {
            if gateway.state().is_stopped() && !gateway.is_killed() {
                tracing::warn!("the file `stopped` is there: everything ends");
                gateway.kill(&Who::this_process()).await;
                gateway.leave();
            } else {
                gateway.reread_settings().await;
            }
        }
        Watched::Agent(id) => {
            if let Some(agent) = gateway.loaded_agent(id) {
                agent.look_again().await;
            }
        }
    }
}

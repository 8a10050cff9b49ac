//! Approvals: what waits until a person has decided. One value for the whole gateway, in memory; a restart refuses what
//! waited.
//!
//! | file | holds |
//! |---|---|
//! | [`subject`] | a question, and the digest that binds its answer to it |
//! | [`queue`] | what waits, bounded; identical questions are one |
//! | [`ask`] | waiting for an answer |
//! | [`decide`] | answering |
//! | [`decision`] | what can be answered, by whom |
//! | [`link`] | telling a webhook, and what its link opens |
//! | [`kept`] | answers for longer than once |
//! | [`card`] | a question as a person reads it |
//!
//! The rules: no answer is no; an answer is used once, by the first in line, unless it was given for longer; a question that
//! cannot be recorded is not asked, and an answer that cannot be recorded is none. What time has passed is told by the
//! monotonic clock alone.

mod ask;
pub(crate) mod card;
mod decide;
pub(crate) mod decision;
mod kept;
mod link;
mod list;
pub(crate) mod post;
mod queue;
pub(crate) mod subject;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::gateway::attempts::Attempts;
use crate::settings::approvals::Approvals as Settings;
use crate::state::StateFolder;
use kept::Kept;
use queue::Queue;

pub(crate) use decision::{Approved, Decider, Decision, Way};
pub(crate) use kept::readable;
pub(crate) use link::Post;
pub(crate) use list::Listing;
pub(crate) use subject::{Subject, What};

/// Somebody who watches asks again within this.
const WATCHES_WITHIN: Duration = Duration::from_secs(5);
/// Forged references that are recorded one by one; then one every [`FORGED_EVERY`].
const FORGED: u32 = 10;
/// How long until one more is.
const FORGED_EVERY: Duration = Duration::from_secs(6);

/// Everything that waits, and everything that was approved for longer.
pub(crate) struct Approvals {
    queue: Mutex<Queue>,
    kept: Kept,
    /// How often each skill asked, by agent and skill, under a rate.
    asked: Mutex<HashMap<(String, String), (u32, Attempts)>>,
    /// Changes whenever something begins or ceases to wait.
    changes: watch::Sender<u64>,
    /// When somebody last watched.
    watched: Mutex<Option<Instant>>,
    forged: Attempts,
    /// Where links lead: `http://127.0.0.1:7685`.
    address: OnceLock<String>,
    post: OnceLock<Arc<dyn Post>>,
    counts: Counts,
}

/// How questions ended, for the metrics.
#[derive(Debug, Default)]
struct Counts {
    granted: AtomicU64,
    denied: AtomicU64,
    expired: AtomicU64,
    too_many: AtomicU64,
}

impl Approvals {
    /// Of a gateway: nothing waits.
    pub(crate) fn of(state: &StateFolder) -> Self {
        Self {
            queue: Mutex::default(),
            kept: Kept::of(state),
            asked: Mutex::default(),
            changes: watch::Sender::new(0),
            watched: Mutex::default(),
            forged: Attempts::new(FORGED, FORGED_EVERY),
            address: OnceLock::new(),
            post: OnceLock::new(),
            counts: Counts::default(),
        }
    }

    /// Callers that wait now.
    pub(crate) fn waiting(&self, agent: Option<&str>) -> usize {
        self.queue().waiting(agent)
    }

    /// What waits, and how what waited ended, for the metrics.
    pub(crate) fn figures(&self) -> [(&'static str, u64); 5] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let waiting = u64::try_from(self.waiting(None)).unwrap_or(u64::MAX);
        let counts = &self.counts;
        [
            ("waiting", waiting),
            ("granted", of(&counts.granted)),
            ("denied", of(&counts.denied)),
            ("expired", of(&counts.expired)),
            ("too-many", of(&counts.too_many)),
        ]
    }

    /// Nothing of this agent's is approved any more: it was removed.
    pub(crate) fn forget(&self, agent: &str) {
        self.kept.forget(agent);
    }

    /// Whether somebody could decide at this moment.
    fn somebody(&self, settings: &Settings, form: bool) -> bool {
        let watched = *self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let watches = watched.is_some_and(|at| at.elapsed() < WATCHES_WITHIN);
        (settings.ways.cli && watches) || (settings.ways.mcp && form) || settings.ways.webhook
    }

    /// Whether a skill may ask once more.
    fn may_ask(&self, subject: &Subject, per_minute: u32) -> bool {
        use crate::gateway::attempts::Attempt;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let every = Duration::from_secs(60) / per_minute;
        let fresh = || (per_minute, Attempts::new(per_minute, every));
        let of = asked.entry((subject.agent.clone(), subject.skill.clone())).or_insert_with(fresh);
        if of.0 != per_minute {
            *of = fresh();
        }
        matches!(of.1.failed(), Attempt::Record(_))
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! One agent of a running gateway: its trail, what it may call at this moment, and the token on which all of its calls,
//! streams and sessions hang.
//!
//! The rule: nothing is remembered that the disk could have changed without being asked. Before each call the markers and
//! the stamps of what the operator trusted are looked at; what differs is read anew.

mod door;
mod keeping;
mod seen;
mod served;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soulbound_runtime::sandbox::Outcome;
use soulbound_runtime::{Denial, DenialId, visible};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use door::Door;
use seen::Seen;

use crate::audit::{Book, Decision, Event, Header, Weight};
use crate::gateway::Gateway;
use crate::gateway::attempts::Attempts;
use crate::gateway::budgets;
use crate::gateway::live::{Callable, Live};
use crate::gateway::metrics;
use crate::gateway::watch::Watched;
use crate::mcp;
use crate::oversight::Oversight;
use crate::trust::record::Record;
use crate::trust::{Condition, Trusted};

/// Refused calls of an agent that are recorded one by one; then one every [`REFUSAL_EVERY`].
const REFUSALS: u32 = 600;
/// How long until one more is.
const REFUSAL_EVERY: Duration = Duration::from_millis(100);
/// An agent that nobody asked anything of for this long may be let go.
const IDLE: Duration = Duration::from_secs(60);

/// A loaded agent.
pub(crate) struct Agent {
    id: String,
    title: String,
    gateway: Weak<Gateway>,
    book: Arc<Book>,
    oversight: Arc<Oversight>,
    /// What can be called, as it was when it was last looked at.
    seen: Seen<Live>,
    /// One look at the disk at a time.
    looking: tokio::sync::Mutex<()>,
    /// Somebody looks whether something of it was touched.
    looking_again: AtomicBool,
    /// It was removed or let go: another value may have its trail by now, so this one runs nothing any more.
    retired: AtomicBool,
    /// Counts up whenever another offer is made.
    changes: watch::Sender<u64>,
    /// Cancelled when the agent is stopped; a new one when it is enabled again.
    running: Mutex<CancellationToken>,
    door: Mutex<Option<Door>>,
    refusals: Attempts,
    /// Calls that wait for whoever uses a client of its.
    held: Arc<mcp::Held>,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    kept_budgets: Mutex<budgets::Kept>,
    /// When something was last asked of it.
    used: Mutex<Instant>,
    /// When a request or an answer of its was last large.
    large: Mutex<Option<Instant>>,
}

impl Agent {
    /// Loads an agent: its record and its trail. Nothing is bound yet. Blocks.
    ///
    /// # Errors
    ///
    /// There is no such agent, or its trail cannot be opened.
    pub(crate) fn load(gateway: &Arc<Gateway>, id: &str) -> Result<Arc<Self>, Denial> {
        let no_agent = || {
            Denial::new(DenialId::AgentStopped, format!("there is no agent {}", visible::quoted_target(id)))
                .hint("soulbound agents list")
        };
        // Also of one that was stopped or removed: that has to be recorded too.
        let registry = gateway.registry();
        let known = crate::trust::id(id).is_ok_and(|canonical| canonical == id);
        let record = if known { Record::read(&registry.folder(id)).ok() } else { None };
        let record = record.ok_or_else(no_agent)?;
        let soul = Trusted::load(registry.store(), id, &record.folder, record.trusted).ok().map(|it| it.soul);
        let role = soul.as_ref().and_then(|soul| soul.role()).map(str::to_owned);
        let title = match &role {
            Some(role) => format!("{} ({role})", record.name),
            None => record.name.clone(),
        };
        let header = Header { name: record.name, role };
        let (book, opening) =
            gateway.audit().book(id, header).map_err(|error| super::call::unrecordable(&error))?;
        let book = Arc::new(book);
        for said in opening.warnings(id) {
            tracing::warn!(agent = id, "{said}");
        }
        gateway.alert_of_opening(id, &opening);
        gateway.folders().add(&gateway.state().agent(id), Watched::Agent(id.to_owned()));
        let mut kept = budgets::kept(gateway.state(), id)?;
        let meter = kept.remove(budgets::OF_THE_AGENT).unwrap_or_default();
        Ok(Arc::new(Self {
            id: id.to_owned(),
            title,
            gateway: Arc::downgrade(gateway),
            oversight: Oversight::new(id, gateway, &book, meter),
            book,
            held: mcp::Held::new().map_err(|error| Denial::new(DenialId::Busy, format!("{error:#}")))?,
            seen: Seen::nothing(),
            looking: tokio::sync::Mutex::default(),
            retired: AtomicBool::new(false),
            looking_again: AtomicBool::new(false),
            changes: watch::Sender::new(0),
            running: Mutex::new(gateway.killed().child_token()),
            door: Mutex::default(),
            refusals: Attempts::new(REFUSALS, REFUSAL_EVERY),
            requests: Arc::new(Semaphore::new(door::REQUESTS)),
            streams: Arc::new(Semaphore::new(door::STREAMS)),
            kept_budgets: Mutex::new(kept),
            used: Mutex::new(Instant::now()),
            large: Mutex::new(None),
        }))
    }

    /// The agent's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The gateway that it is of, while that is there.
    pub(crate) fn gateway(&self) -> Option<Arc<Gateway>> {
        self.gateway.upgrade()
    }

    /// What decides about its calls beyond its grants.
    pub(crate) fn oversight(&self) -> &Arc<Oversight> {
        &self.oversight
    }

    /// Its trail.
    pub(crate) fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// Whether it may run at all: the whole is not stopped, and neither is it.
    ///
    /// # Errors
    ///
    /// `gateway.stopped` or `agent.stopped`.
    pub(crate) fn may_run(&self) -> Result<Arc<Gateway>, Denial> {
        let gateway = self
            .gateway
            .upgrade()
            .ok_or_else(|| Denial::new(DenialId::GatewayStopped, "the gateway has left"))?;
        gateway.may_run()?;
        let condition = self.condition(&gateway);
        if condition == Condition::Enabled {
            return Ok(gateway);
        }
        {
            // Asked again under the lock: an agent that was enabled meanwhile has a new token, which is not this stop's.
            let running = self.lock_running();
            if self.condition(&gateway) != Condition::Enabled {
                running.cancel();
            }
        }
        let (done, remedy) = match condition {
            Condition::Disabled => ("disabled", "soulbound agents enable"),
            _ => ("removed", "soulbound agents add"),
        };
        Err(Denial::new(DenialId::AgentStopped, format!("agent `{}` was {done} by an operator", self.id))
            .hint(format!("when the reason is gone: {remedy} {}", self.id)))
    }

    /// The skill as it may be called now.
    pub(crate) async fn authorise(self: &Arc<Self>, skill: &str) -> Result<Callable, Box<Outcome>> {
        let live = self.live().await.map_err(|denial| Box::new(Outcome::refused(denial)))?;
        let callable = live.callable(skill)?;
        self.oversight.breakers().permits(skill).map_err(|denial| Box::new(Outcome::refused(denial)))?;
        Ok(callable)
    }

    /// What can be called now: as last looked at if nothing on disk says otherwise.
    pub(crate) async fn live(self: &Arc<Self>) -> Result<Arc<Live>, Denial> {
        let gateway = self.may_run()?;
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        if let Some(live) = self.fresh(&gateway) {
            return Ok(live);
        }
        let _looking = self.looking.lock().await;
        if let Some(live) = self.fresh(&gateway) {
            return Ok(live);
        }
        // What was spent until now is what a skill that comes back has left.
        self.keep_budgets();
        // Before the look: a change in the middle of it is looked at next time.
        let look = self.seen.begin();
        let before = self.last();
        let (agent, running) = (Arc::clone(self), self.running());
        let (of, previous) = (Arc::clone(&gateway), before.clone());
        let looked =
            tokio::task::spawn_blocking(move || Live::look(&of, agent.id(), &running, previous.as_deref()))
                .await;
        let live = looked.map_err(|_| gateway.stopped())??;
        // It may have been stopped while this looked.
        self.may_run()?;
        let live = Arc::new(live);
        for folder in live.folders() {
            gateway.folders().add(&folder, Watched::Agent(self.id.clone()));
        }
        // Before anything can be called under it.
        self.oversight.put_in_force(live.outputs());
        self.seen.end(look, Arc::clone(&live));
        if let Some(before) = before.as_deref() {
            live.revoke_what_is_gone(before);
        }
        self.note_changes(before.as_deref(), &live);
        self.changes.send_modify(|count| *count += 1);
        Ok(live)
    }

    /// Looks at the disk although nobody calls, so that what is in flight ends if it has to.
    pub(crate) async fn look_again(self: &Arc<Self>) {
        // An agent that was never asked for has nothing in flight and binds when it is.
        let Some(last) = self.last() else { return };
        // One look at a time: on a disk that hangs, looks would pile up.
        if self.looking_again.swap(true, Ordering::AcqRel) {
            return;
        }
        let untouched = tokio::task::spawn_blocking(move || last.is_untouched()).await.unwrap_or(false);
        self.looking_again.store(false, Ordering::Release);
        if !untouched {
            self.forget();
        }
        self.settle().await;
    }

    /// Ends what is in flight and may not be any more, by what the disk and the operator say now.
    pub(crate) async fn settle(self: &Arc<Self>) {
        if self.last().is_none() {
            return;
        }
        if let Err(denial) = self.live().await {
            tracing::info!(agent = self.id, denial = denial.id.as_str(), "the agent does not run now");
        }
    }

    /// What was looked at no longer counts: the operator did something about it.
    pub(crate) fn forget(&self) {
        self.seen.touch();
    }

    /// Ends the calls of a skill, or all of them: a breaker opened. What is bound anew may run when it is closed.
    pub(crate) fn cut(&self, skill: Option<&str>) {
        if let Some(live) = self.last() {
            live.cut(skill);
        }
        self.forget();
    }

    /// Ends everything of this value for good: the agent was removed.
    pub(crate) fn retire(&self) {
        self.oversight.breakers().keep(true);
        self.retired.store(true, Ordering::Release);
        self.halt();
        self.close_door();
    }

    /// Ends every call, stream and session of this agent.
    pub(crate) fn halt(&self) {
        self.lock_running().cancel();
        // Nor does a process stay that has its directories.
        self.cut(None);
    }

    /// Why a running call's token was cancelled.
    pub(crate) fn why_ended(&self, skill: &str) -> Denial {
        let stopped = self.may_run().err().or_else(|| self.oversight.breakers().permits(skill).err());
        stopped.unwrap_or_else(|| {
            let skill = visible::quoted_target(skill);
            Denial::new(
                DenialId::SkillNotTrusted,
                format!("what skill {skill} may reach was narrowed while it ran"),
            )
            .hint(format!("soulbound agents diff {}", self.id))
        })
    }

    /// Keeps count of calls that have not ended.
    pub(crate) fn tracker(&self) -> Option<TaskTracker> {
        Some(self.gateway.upgrade()?.calls().clone())
    }

    /// Counts a call as live.
    pub(crate) fn counted(&self) -> Option<metrics::Live> {
        Some(self.gateway.upgrade()?.metrics().live())
    }

    /// Counts a call that ended, and logs it.
    pub(crate) fn ended(&self, skill: Option<&str>, decision: Decision, outcome: &Outcome) {
        if let Some(gateway) = self.gateway.upgrade() {
            gateway.metrics().ended(&self.id, skill, decision.name(), outcome);
        }
        let duration_us = u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX);
        match outcome.denial() {
            // Allowed calls stand in the trail; a line for each would cost as much as the record.
            None => tracing::debug!(decision = decision.name(), duration_us, "call ended"),
            Some(denial) => {
                tracing::info!(
                    agent = self.id,
                    skill,
                    denial = denial.id.as_str(),
                    duration_us,
                    "call refused"
                );
            }
        }
    }

    /// Whether nobody used it for a while and nothing of it differs from what is trusted.
    pub(crate) fn is_idle(&self) -> bool {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.elapsed() > IDLE && self.last().is_none_or(|live| !live.is_changed())
    }

    /// Whether its folder is other than trusted, as it was last looked at.
    pub(crate) fn differs(&self) -> bool {
        self.last().is_some_and(|live| live.is_changed())
    }

    /// How a refused call is to be recorded.
    pub(crate) fn refusals(&self) -> &Attempts {
        &self.refusals
    }

    /// For `gateway status`.
    pub(crate) fn status(&self) -> Value {
        let live = self.last();
        json!({
            "id": self.id,
            "state": if self.may_run().is_ok() { "enabled" } else { "stopped" },
            "changed": live.as_ref().is_some_and(|live| live.is_changed()),
            // Nobody looked yet: what changed until somebody does is held back then.
            "held": live.as_ref().map(|live| live.is_held()),
            "skills": live.as_ref().map(|live| live.names()),
            "audit": {"writable": self.book.writable()},
            "breakers": self.oversight.breakers().now_open().document(),
            "anomalies_held_back": self.oversight.breakers().holding(),
        })
    }

    /// The token that ends with the agent; a new one if it was stopped and may run again.
    pub(crate) fn running(&self) -> CancellationToken {
        let mut running = self.lock_running();
        if running.is_cancelled()
            && let Some(gateway) = self.gateway.upgrade()
            && self.condition(&gateway) == Condition::Enabled
        {
            *running = gateway.killed().child_token();
        }
        running.clone()
    }

    /// Whether it may run, by its markers and by its own end.
    fn condition(&self, gateway: &Gateway) -> Condition {
        if self.retired.load(Ordering::Acquire) {
            return Condition::Removed;
        }
        gateway.registry().condition(&self.id)
    }

    /// What was last looked at, if the disk and the operator's settings still say the same.
    fn fresh(&self, gateway: &Arc<Gateway>) -> Option<Arc<Live>> {
        self.seen.counting().filter(|live| live.is_current(gateway))
    }

    pub(super) fn last(&self) -> Option<Arc<Live>> {
        self.seen.last()
    }

    fn note_changes(&self, before: Option<&Live>, now: &Live) {
        for news in now.news(before) {
            let (event, note) = (news.event, news.note());
            if let Err(error) = self.book.note(event, "gateway", &note) {
                tracing::error!(agent = self.id, %error, "a change could not be recorded");
            }
            for change in &news.changes {
                self.oversight.breakers().changed(event, change.skill.as_deref(), &change.text);
            }
            // The two that are anomalies of their own are told as such.
            if event.weight() == Weight::Anomaly && !matches!(event, Event::SoulChanged | Event::SkillChanged)
            {
                self.alert_of_event(event, &note);
            }
        }
    }

    fn lock_running(&self) -> MutexGuard<'_, CancellationToken> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

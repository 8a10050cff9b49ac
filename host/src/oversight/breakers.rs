//! What is out of pattern in an agent's calls, and what it trips.
//!
//! [`watch`] detects, [`open`] knows which breakers are open, [`baseline`] learns what is usual, [`consequence`] is what comes of
//! an anomaly; here they are tied to one agent of a running gateway.
//!
//! The rule: a breaker opens by itself and closes by an operator's act alone.

pub(crate) mod baseline;
mod consequence;
pub(crate) mod kind;
pub(crate) mod knobs;
pub(crate) mod notice;
pub(crate) mod open;
pub(crate) mod rates;
mod watch;
mod window;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use anyhow::{Context, Result};
use soulbound_runtime::sandbox::{
    Access, BudgetState, Decision as Judged, Effect, Ending, ErrorKind, Outcome, Outflow,
};
use soulbound_runtime::{Denial, DenialId};

use crate::audit::{Book, Decision, Event};
use crate::durable;
use crate::gateway::Gateway;
use crate::gateway::policy::Policy;
use crate::oversight::CallFacts;
use crate::state::kept;
use baseline::Baseline;
pub(crate) use kind::Kind;
use open::Open;
use rates::Meter;
use watch::{End, Look, Tool, Watch};

/// The baselines' file in an agent's folder.
const BASELINE: &str = "baseline.json";

/// One agent's breakers.
pub(crate) struct Breakers {
    agent: String,
    folder: PathBuf,
    gateway: Weak<Gateway>,
    book: Arc<Book>,
    /// Whether anything is open: what is asked before every call takes no lock for it.
    is_open: AtomicBool,
    open: Mutex<Open>,
    /// What is open could not be written down: it is tried again every few seconds.
    unwritten: AtomicBool,
    watch: Mutex<Watch>,
    meter: Meter,
}

impl Breakers {
    /// Those of an agent as they were left. Reads two small files.
    pub(crate) fn of(agent: &str, gateway: &Arc<Gateway>, book: &Arc<Book>, meter: Vec<BudgetState>) -> Self {
        let folder = gateway.state().agent(agent);
        let open = Open::read(&folder);
        book.breakers(open.lines());
        Self {
            agent: agent.to_owned(),
            is_open: AtomicBool::new(!open.0.is_empty()),
            open: Mutex::new(open),
            unwritten: AtomicBool::new(false),
            watch: Mutex::new(Watch::with(kept_baselines(&folder))),
            folder,
            gateway: Arc::downgrade(gateway),
            book: Arc::clone(book),
            meter: Meter::resumed(meter),
        }
    }

    /// Whether a skill's calls may run.
    ///
    /// # Errors
    ///
    /// `breaker.open`.
    pub(crate) fn permits(&self, skill: &str) -> Result<(), Denial> {
        if self.is_open.load(Ordering::Acquire) {
            self.lock_open().permits(&self.agent, skill)
        } else {
            Ok(())
        }
    }

    /// A call is about to run: the rates of its agent and of the gateway, its frequency, its tool.
    ///
    /// # Errors
    ///
    /// `limit.rate`, or `breaker.open` where this very call trips it.
    pub(crate) fn before_call(&self, facts: &CallFacts) -> Result<(), Denial> {
        let Some((gateway, policy)) = self.policy() else { return Ok(()) };
        let settings = &policy.settings;
        self.meter.take(settings.agent_rate, "agent_rate", &format!("agent `{}` was", self.agent))?;
        gateway.meter().take(settings.gateway_rate, "gateway_rate", "the agents of this gateway were")?;
        let tool = match facts.callable.offered.bound.tool(&facts.tool) {
            Some(tool) => Tool::Listed(&tool.name),
            None => Tool::Unlisted(&facts.tool),
        };
        let (skill, component) = (facts.skill(), facts.component());
        let found = self.lock_watch().began(look(&policy), skill, component, tool);
        self.carry_out(found, &policy);
        self.permits(skill)
    }

    /// A running call is about to do something to the world.
    ///
    /// # Errors
    ///
    /// `breaker.open` where this trips it.
    pub(crate) fn before_effect(&self, facts: &CallFacts, effect: &Effect) -> Result<(), Denial> {
        let Some((_, policy)) = self.policy() else { return Ok(()) };
        let found = match effect {
            Effect::Request { url, .. } => {
                self.lock_watch().requested(look(&policy), facts.skill(), origin(url))
            }
            Effect::Message { text, .. } => {
                let bytes = u64::try_from(text.0.len()).unwrap_or(u64::MAX);
                self.lock_watch().moved(look(&policy), facts.skill(), Outflow::Sent, bytes)
            }
            _ => Vec::new(),
        };
        self.carry_out(found, &policy);
        self.permits(facts.skill())
    }

    /// Bytes of a running call leave, or are written.
    pub(crate) fn moved(&self, facts: &CallFacts, out: Outflow, bytes: u64) {
        let Some((_, policy)) = self.policy() else { return };
        let found = self.lock_watch().moved(look(&policy), facts.skill(), out, bytes);
        self.carry_out(found, &policy);
    }

    /// A running call reached for something.
    pub(crate) fn accessed(&self, facts: &CallFacts, access: &Access) {
        let Some(denial) = access.denial.as_ref().filter(|denial| {
            access.decision == Judged::Denied
                && (watch::is_scope(denial.id) || watch::is_disapproval(denial.id))
        }) else {
            return;
        };
        let Some((_, policy)) = self.policy() else { return };
        let found = self.lock_watch().denied(look(&policy), facts.skill(), denial.id, &access.target);
        self.carry_out(found, &policy);
    }

    /// A call that ran ended.
    pub(crate) fn ended(&self, facts: &CallFacts, decision: Option<Decision>, outcome: &Outcome) {
        let Some((_, policy)) = self.policy() else { return };
        let end = if decision.is_some() { End::Unremarkable } else { end_of(outcome) };
        let found = self.lock_watch().ended(look(&policy), facts.skill(), end);
        self.carry_out(found, &policy);
    }

    /// A call was refused before it ran. `skill` is a listed one; `asked` is what was asked for, as the model wrote it.
    pub(crate) fn refused(&self, skill: Option<&str>, asked: &str, outcome: &Outcome) {
        let Some(denial) = outcome.denial() else { return };
        let Some((_, policy)) = self.policy() else { return };
        let found = self.lock_watch().refused(look(&policy), skill, denial.id, asked);
        self.carry_out(found, &policy);
    }

    /// SOUL.md or a skill's files changed: the record of that stands already.
    pub(crate) fn changed(&self, event: Event, skill: Option<&str>, what: &str) {
        let kind = match event {
            Event::SoulChanged => Kind::SoulChanged,
            Event::SkillChanged => Kind::SkillChanged,
            _ => return,
        };
        let Some((_, policy)) = self.policy() else { return };
        let found = self.lock_watch().happened(look(&policy), kind, skill, what);
        self.carry_out(found, &policy);
    }

    /// An operator closed that of a skill, or all: `agents/<id>/breakers.json` says so already.
    pub(crate) fn reset(&self, skill: Option<&str>) {
        self.lock_watch().forget(skill);
        let mut open = self.lock_open();
        open.close(skill);
        self.is_open.store(!open.0.is_empty(), Ordering::Release);
        self.keep_open(&open, true);
        self.book.breakers(open.lines());
    }

    /// What is open.
    pub(crate) fn now_open(&self) -> Open {
        self.lock_open().clone()
    }

    /// Anomalies that were counted and are not noted yet.
    pub(crate) fn holding(&self) -> u64 {
        self.lock_watch().holding()
    }

    /// How full the agent's own bucket is.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Writes down what was learned and what cool-downs held back. Every few seconds, and when the agent is let go.
    pub(crate) fn keep(&self, leaving: bool) {
        if self.unwritten.load(Ordering::Acquire) {
            self.settle();
        }
        if let Some((_, policy)) = self.policy() {
            let held_back = self.lock_watch().held_back(look(&policy), leaving);
            self.carry_out_as(held_back, &policy, false);
        }
        let changed = {
            let mut watch = self.lock_watch();
            if leaving {
                watch.end();
            }
            watch.changed_baselines()
        };
        let Some(baselines) = changed else { return };
        let written = serde_json::to_vec(&baselines)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| durable::replace_lightly(&self.folder.join(BASELINE), &bytes));
        if let Err(error) = written {
            tracing::error!(
                agent = self.agent,
                error = format!("{error:#}"),
                "the baseline could not be kept"
            );
        }
    }

    fn keep_open(&self, open: &Open, settled: bool) {
        let written = open.write(&self.folder, settled);
        self.unwritten.store(written.is_err(), Ordering::Release);
        if let Err(error) = written {
            // It is open in this process whatever the disk says, and written again until the disk takes it.
            tracing::error!(
                agent = self.agent,
                error = format!("{error:#}"),
                "open breakers could not be kept"
            );
        }
    }

    fn policy(&self) -> Option<(Arc<Gateway>, Arc<Policy>)> {
        let gateway = self.gateway.upgrade()?;
        let policy = gateway.policies().current();
        Some((gateway, policy))
    }

    fn lock_open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The baselines that were kept in an agent's folder. One that is not understood is set aside and learned anew.
fn kept_baselines(folder: &Path) -> BTreeMap<String, Baseline> {
    kept::read(&folder.join(BASELINE)).unwrap_or_else(|error| {
        tracing::error!(folder = %folder.display(), %error, "what is usual for an agent cannot be read, and is learned anew");
        BTreeMap::new()
    })
}

/// The same for whoever only looks: nothing is set aside.
///
/// # Errors
///
/// It cannot be read, or is not understood.
pub(crate) fn shown_baselines(folder: &Path) -> Result<BTreeMap<String, Baseline>> {
    let path = folder.join(BASELINE);
    let read = kept::look(&path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    read.with_context(|| {
        format!(
            "`{}` is not understood\n  hint: `soulbound doctor` says more once the gateway met it",
            path.display()
        )
    })
}

fn look(policy: &Policy) -> Look<'_> {
    Look { knobs: &policy.settings.anomalies, now: Instant::now() }
}

/// `https://example.com:443` of a URL whose path begins behind it.
fn origin(url: &str) -> &str {
    let behind = url.find("://").map_or(0, |at| at + 3);
    let end =
        url.get(behind..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| behind + at);
    url.get(..end).unwrap_or(url)
}

/// How an outcome counts. A person's no, a rate and an open breaker are no failures of the skill.
fn end_of(outcome: &Outcome) -> End<'_> {
    let Ending::Failed { denial, error } = &outcome.ending else { return End::Unremarkable };
    match denial {
        Some(denial) if watch::is_scope(denial.id) => End::Scope(denial.id, &denial.message),
        Some(denial) => match denial.id {
            DenialId::LimitTime
            | DenialId::LimitMemory
            | DenialId::LimitOutput
            | DenialId::LimitStack
            | DenialId::LimitHandles
            | DenialId::LimitRandom
            | DenialId::GuestTrap
            | DenialId::GuestExit => End::Failed,
            _ => End::Unremarkable,
        },
        None => match error.as_ref().map(|error| error.kind) {
            Some(ErrorKind::Tool | ErrorKind::Trap | ErrorKind::Arguments | ErrorKind::Component) => {
                End::Failed
            }
            _ => End::Unremarkable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_ends_where_the_path_begins() {
        for (url, expected) in [
            ("https://example.com:443/a?b", "https://example.com:443"),
            ("https://example.com:443", "https://example.com:443"),
            ("http://[::1]:80/", "http://[::1]:80"),
            ("https://example.com?x=/", "https://example.com"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}

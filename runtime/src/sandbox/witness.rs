//! The one place where a call's accesses are decided on and written down.
//!
//! The filesystem and the network layer both hold the call's [`Witness`]: they tell it of everything that was tried,
//! and ask it before every effect. So no layer can let something pass unrecorded in its own way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::denial::Denial;
use crate::grant::ApprovalGrant;
use crate::sandbox::approval;
use crate::sandbox::clock::CallClock;
use crate::sandbox::interfaces::Progress;
use crate::sandbox::overseer::{Access, AccessKind, Decision, Effect, Overseer, Permit, Unattended};

/// Accesses kept one by one in an outcome; beyond it they are only counted. The overseer hears of all.
const KEPT_ACCESSES: usize = 1_000;
/// Denials kept one by one in an outcome.
const KEPT_DENIALS: usize = 100;

/// Bytes of a target that a record keeps. Paths that the kernel takes have 4,096; a guest may try one of megabytes, and
/// a thousand of them must not be the host's memory.
const TARGET_BYTES: usize = 4_096;

/// Bytes of what was tried that a record keeps: a verb, or a method.
const ACCESS_BYTES: usize = 64;

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Records one call's accesses and asks its overseer.
pub(crate) struct Witness {
    /// The skill's slug, for denials' sentences.
    pub(crate) skill: Arc<str>,
    /// How the operator names the agent on the command line (`SOUL.md` path or id), for hints.
    pub(crate) agent: Arc<str>,
    overseer: Arc<dyn Overseer>,
    clock: Arc<CallClock>,
    approve: Vec<ApprovalGrant>,
    ledger: Mutex<Ledger>,
}

/// What a call did, in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ledger {
    /// The first accesses.
    pub(crate) accesses: Vec<Access>,
    /// How many more there were.
    pub(crate) accesses_dropped: u64,
    /// The first denials, of accesses and of limits.
    pub(crate) denials: Vec<Denial>,
    /// How many more there were.
    pub(crate) denials_dropped: u64,
}

impl Witness {
    /// A witness of one call.
    pub(crate) fn new(
        skill: Arc<str>,
        agent: Arc<str>,
        overseer: Arc<dyn Overseer>,
        clock: Arc<CallClock>,
    ) -> Self {
        Self { skill, agent, overseer, clock, approve: Vec::new(), ledger: Mutex::default() }
    }

    /// The same of a call some of whose effects wait for a person.
    pub(crate) fn approving(mut self, approve: Vec<ApprovalGrant>) -> Self {
        self.approve = approve;
        self
    }

    /// A witness for judging without a call (`soulbound why`): nobody hears, no clock runs out.
    pub(crate) fn of_no_call(skill: Arc<str>, agent: Arc<str>) -> Self {
        Self::new(skill, agent, Arc::new(Unattended), CallClock::start(Duration::MAX))
    }

    /// Writes down an access that was allowed.
    pub(crate) fn allowed(&self, kind: AccessKind, target: &str, access: &str) {
        self.push(Access {
            kind,
            target: cut(target, TARGET_BYTES),
            access: cut(access, ACCESS_BYTES),
            decision: Decision::Allowed,
            denial: None,
        });
    }

    /// Writes down an access that was refused.
    pub(crate) fn denied(&self, kind: AccessKind, target: &str, access: &str, denial: Denial) {
        self.limit(denial.clone());
        self.push(Access {
            kind,
            target: cut(target, TARGET_BYTES),
            access: cut(access, ACCESS_BYTES),
            decision: Decision::Denied,
            denial: Some(denial),
        });
    }

    /// Writes down a denial that belongs to no single access: a limit that was reached.
    pub(crate) fn limit(&self, denial: Denial) {
        let mut ledger = self.lock();
        if ledger.denials.len() < KEPT_DENIALS {
            ledger.denials.push(denial);
        } else {
            ledger.denials_dropped += 1;
        }
    }

    /// Asks the overseer, with the call's clock stopped until it answers.
    pub(crate) async fn before_effect(&self, effect: &Effect) -> Result<Permit, Denial> {
        let _pause = self.clock.pause();
        if !self.overseer.approves()
            && let Some(grant) = approval::of_effect(&self.approve, effect)
        {
            return Err(approval::nobody_to_ask(&self.skill, grant));
        }
        self.overseer.before_effect(effect).await
    }

    /// Passes on how far the guest says it has come.
    pub(crate) fn progress(&self, progress: &Progress) {
        self.overseer.progress(progress);
    }

    /// What was recorded so far.
    pub(crate) fn ledger(&self) -> Ledger {
        self.lock().clone()
    }

    fn push(&self, access: Access) {
        self.overseer.record(&access);
        let mut ledger = self.lock();
        if ledger.accesses.len() < KEPT_ACCESSES {
            ledger.accesses.push(access);
        } else {
            ledger.accesses_dropped += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

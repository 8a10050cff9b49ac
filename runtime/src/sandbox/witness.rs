//! The one place where a call's accesses are decided on and written down.
//!
//! The filesystem and the network layer both hold the call's [`Witness`]: they tell it of everything that was tried,
//! and ask it before every effect. So no layer can let something pass unrecorded in its own way.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use crate::denial::{Denial, DenialId};
use crate::grant::ApprovalGrant;
use crate::sandbox::approval;
use crate::sandbox::clock::CallClock;
use crate::sandbox::interfaces::Progress;
use crate::sandbox::overseer::{
    Access, AccessKind, Carrier, Content, Decision, Effect, Outflow, Overseer, Permit, Unattended,
};
use crate::sandbox::seat::Seat;

/// An answer that takes no longer is no hold: a record that waits for its disk must neither cost the call its slot nor take
/// one of the few places of those that wait for a person.
const GRACE: Duration = Duration::from_millis(50);

/// Accesses kept one by one in an outcome; beyond it they are only counted. The overseer hears of all.
const KEPT_ACCESSES: usize = 1_000;
/// Denials kept one by one in an outcome.
const KEPT_DENIALS: usize = 100;

/// Bytes of a target that a record keeps. Paths that the kernel takes have 4,096; a guest may try one of megabytes, and
/// a thousand of them must not be the host's memory.
const TARGET_BYTES: usize = 4_096;

/// Bytes of what was tried that a record keeps: a verb, or a method. And of how it failed.
const ACCESS_BYTES: usize = 64;
/// The longest path of a change, in bytes. It stands in a record as a whole, and a guest can nest directories for as long as it
/// may make any: a record has to stay one that is read again.
pub(crate) const LONGEST_PATH: usize = 16 << 10;

pub(crate) fn cut(text: &str, most: usize) -> String {
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
    seat: Option<Arc<Seat>>,
    approve: Vec<ApprovalGrant>,
    ledger: Mutex<Ledger>,
    withheld: OnceLock<Denial>,
    over: AtomicBool,
}

/// Ends a call's effects when it is dropped: from then on nothing begins, and nothing that was held goes on, also where the
/// guest itself is only gone at its next yield.
pub(crate) struct LastWord(pub(crate) Arc<Witness>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Release);
    }
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
        Self {
            skill,
            agent,
            overseer,
            clock,
            seat: None,
            approve: Vec::new(),
            ledger: Mutex::default(),
            withheld: OnceLock::new(),
            over: AtomicBool::new(false),
        }
    }

    /// With the slot that is given back while an effect is held.
    pub(crate) fn seated(mut self, seat: Arc<Seat>) -> Self {
        self.seat = Some(seat);
        self
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
        self.not_refused(kind, target, access, None);
    }

    /// Writes down an access that nothing refused and that failed all the same.
    pub(crate) fn failed(&self, kind: AccessKind, target: &str, access: &str, how: &str) {
        self.not_refused(kind, target, access, Some(cut(how, ACCESS_BYTES)));
    }

    fn not_refused(&self, kind: AccessKind, target: &str, access: &str, failed: Option<String>) {
        let (target, access) = (cut(target, TARGET_BYTES), cut(access, ACCESS_BYTES));
        self.push(Access { kind, target, access, decision: Decision::Allowed, denial: None, failed });
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
            failed: None,
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

    /// Whether the overseer has to see such content complete, and up to how many bytes.
    pub(crate) fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        self.overseer.inspects(carrier)
    }

    /// Asks the overseer. While it thinks, the call's clock stands still for waiting, and after a moment its slot is
    /// somebody else's.
    ///
    /// # Errors
    ///
    /// Its denial; `approval.too-many` when too many calls are held; `busy` when no slot is free afterwards;
    /// `effect.failed` when the call is over, or the overseer's mask does not fit.
    pub(crate) async fn before_effect(&self, effect: &Effect) -> Result<Permit, Denial> {
        self.may_go_on()?;
        if let Effect::Change { path, to, .. } = effect
            && path.len().max(to.as_ref().map_or(0, String::len)) > LONGEST_PATH
        {
            let message =
                format!("skill `{}` may not change what has a path of over {LONGEST_PATH} bytes", self.skill);
            return Err(Denial::new(DenialId::EffectTooLarge, message));
        }
        if !self.overseer.approves()
            && let Some(grant) = approval::of_effect(&self.approve, effect)
        {
            return Err(approval::nobody_to_ask(&self.skill, grant));
        }
        let permit = self.asked(effect).await?;
        self.may_go_on()?;
        match (&permit, effect.content()) {
            // A message is the host's own to frame; whatever a guest announced the length of keeps it.
            (Permit::Masked(_), Some(_)) if matches!(effect, Effect::Message { .. }) => {}
            (Permit::Masked(mask), Some(content)) if mask.0.len() == content.0.len() => {}
            (Permit::Masked(_), _) => {
                // The overseer's own fault, and not the guest's: what it would have put there does not fit.
                let message =
                    format!("what skill `{}` sends could not be masked as it was judged", self.skill);
                return Err(Denial::new(DenialId::EffectFailed, message));
            }
            (Permit::Unchanged, _) => {}
        }
        Ok(permit)
    }

    async fn asked(&self, effect: &Effect) -> Result<Permit, Denial> {
        let mut answer = self.overseer.before_effect(effect);
        // Answered at once, as nearly always: nothing is stopped, given away or taken again for it.
        if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
            return answer;
        }
        let _pause = self.clock.pause();
        let Some(seat) = &self.seat else { return answer.await };
        if let Ok(answer) = tokio::time::timeout(GRACE, &mut answer).await {
            return answer;
        }
        let hold = seat.hold().map_err(|_| {
            let message = format!("skill `{}` may not wait for an answer: too many calls do", self.skill);
            Denial::new(DenialId::ApprovalTooMany, message)
        })?;
        let answer = answer.await;
        let seated = hold.release().await;
        let permit = answer?;
        seated.map(|()| permit).map_err(|_| {
            let message = format!("skill `{}` had its answer and found no slot to go on", self.skill);
            Denial::new(DenialId::Busy, message)
        })
    }

    /// Whether anything of the call may still begin.
    pub(crate) fn may_go_on(&self) -> Result<(), Denial> {
        if let Some(withheld) = self.withheld.get() {
            return Err(withheld.clone());
        }
        if self.over.load(Ordering::Acquire) {
            let message = format!("the call of skill `{}` was over before it did this", self.skill);
            return Err(Denial::new(DenialId::EffectFailed, message));
        }
        Ok(())
    }

    /// A change that the guest took for done was refused, and nobody can tell it any more. The first such denial is the
    /// call's outcome, and the call changes and sends nothing from here on: a copy that was not written must not be followed
    /// by the deletion of the original.
    pub(crate) fn withhold(&self, denial: Denial) {
        let _ = self.withheld.set(denial);
    }

    /// The denial with which the call's result is withheld.
    pub(crate) fn withheld(&self) -> Option<&Denial> {
        self.withheld.get()
    }

    /// Tells of bytes on their way out.
    pub(crate) fn moved(&self, out: Outflow, bytes: u64) {
        self.overseer.moved(out, bytes);
    }

    /// Hands over a message that was let go on. The call's clock runs: a place that hangs is cut off like any other.
    pub(crate) async fn deliver(&self, channel: &str, text: &Content) -> Result<String, String> {
        self.overseer.deliver(channel, text).await
    }

    /// Passes on how far the guest says it has come.
    pub(crate) fn progress(&self, progress: &Progress) {
        self.overseer.progress(progress);
    }

    /// What was refused last.
    pub(crate) fn last_denial(&self) -> Option<Denial> {
        self.lock().denials.last().cloned()
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

//! The gateway's eyes in a running call: each effect stands in the trail before it happens, and every access is kept
//! for the outcome, also of a call that is killed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use soulbound_runtime::sandbox::{
    Access, AccessKind, BoxFuture, Carrier, Content, Decision, Effect, FileChange, Outflow, Overseer, Permit,
    Progress,
};
use soulbound_runtime::{Denial, DenialId};

use crate::audit::Book;
use crate::gateway::agent::Agent;
use crate::gateway::request::ProgressSink;
use crate::operator::waiting::Waits;
use crate::oversight::{CallFacts, Oversight};

/// Effects of one call. Each is a record, so one call could otherwise fill the disk.
const EFFECTS: u32 = 10_000;
/// Accesses kept one by one; the runtime's outcome keeps as many.
const ACCESSES: usize = 1_000;

/// Watches one call.
pub(crate) struct CallWatch {
    book: Arc<Book>,
    oversight: Arc<Oversight>,
    facts: Arc<CallFacts>,
    call: u64,
    effects: AtomicU32,
    seen: Mutex<Seen>,
    progress: Option<ProgressSink>,
}

/// What a call has tried so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// The first accesses.
    pub(crate) accesses: Vec<Access>,
    /// How many more there were.
    pub(crate) dropped: u64,
}

impl CallWatch {
    /// Of the call with this number in the trail.
    pub(crate) fn new(
        agent: &Agent,
        facts: Arc<CallFacts>,
        call: u64,
        progress: Option<ProgressSink>,
    ) -> Arc<Self> {
        Arc::new(Self {
            book: Arc::clone(agent.book()),
            oversight: Arc::clone(agent.oversight()),
            facts,
            call,
            effects: AtomicU32::new(0),
            seen: Mutex::default(),
            progress,
        })
    }

    /// What was tried so far.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Overseer for CallWatch {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        Box::pin(async move {
            if self.effects.fetch_add(1, Ordering::Relaxed) >= EFFECTS {
                return Err(Denial::new(
                    DenialId::AuditUnavailable,
                    format!("one call may change or request {EFFECTS} things, so that each can be recorded"),
                ));
            }
            let permit = self.oversight.before_effect(&self.facts, self.call, effect).await?;
            let approval = self.facts.granted.take(Some(effect));
            let secrets = self.oversight.secrets();
            let accesses: Vec<Access> =
                of_effect(effect).into_iter().map(|access| secrets.access(access)).collect();
            let recorded =
                self.book.effect(self.call, self.facts.skill(), &accesses, approval.as_deref()).await;
            if let Effect::Change { .. } = effect {
                // What a change costs on the disk is its record too: a name of control characters takes six times as much
                // there, and a change of times takes nothing else.
                self.moved(Outflow::Written, accesses.iter().map(in_record).sum());
            }
            recorded.map(|_| permit).map_err(|error| super::call::unrecordable(&error))
        })
    }

    fn approves(&self) -> bool {
        true
    }

    fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        self.oversight.inspects(&self.facts, carrier)
    }

    fn deliver<'a>(&'a self, channel: &'a str, text: &'a Content) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(self.oversight.deliver(&self.facts, self.call, channel, text))
    }

    fn moved(&self, out: Outflow, bytes: u64) {
        self.oversight.breakers().moved(&self.facts, out, bytes);
    }

    fn record(&self, access: &Access) {
        // What is refused may be quoted in an anomaly.
        match access.decision {
            Decision::Allowed => self.oversight.breakers().accessed(&self.facts, access),
            Decision::Denied => {
                let shown = self.oversight.secrets().access(access.clone());
                self.oversight.breakers().accessed(&self.facts, &shown);
            }
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.accesses.len() < ACCESSES {
            seen.accesses.push(access.clone());
        } else {
            seen.dropped += 1;
        }
    }

    fn waits_in_line(&self) {
        if let Some(waits) = &self.facts.waits {
            waits(Waits::Slot {});
        }
    }

    fn progress(&self, progress: &Progress) {
        if let Some(sink) = &self.progress {
            #[expect(clippy::cast_precision_loss, reason = "MCP counts progress in floating point")]
            sink(
                progress.done as f64,
                progress.total.map(|total| total as f64),
                self.oversight.progress(progress.message.as_deref()),
            );
        }
    }
}

/// An effect as accesses that are about to be: one, or a rename's two ends.
pub(crate) fn of_effect(effect: &Effect) -> Vec<Access> {
    let access = |kind, target: &str, access: &str| Access {
        kind,
        target: target.to_owned(),
        access: access.to_owned(),
        decision: Decision::Allowed,
        denial: None,
        failed: None,
    };
    match effect {
        Effect::Request { method, url, .. } => vec![access(AccessKind::Host, url, method)],
        Effect::Change { change, path, to, .. } => {
            let mut accesses = vec![access(AccessKind::File, path, verb(*change))];
            // Apart, as the outcome has them: a name may hold whatever would stand between the two.
            accesses.extend(to.iter().map(|to| access(AccessKind::File, to, "rename-to")));
            accesses
        }
        Effect::Message { channel, .. } => vec![access(AccessKind::Channel, channel, "send")],
        _ => vec![access(AccessKind::File, "", "effect")],
    }
}

/// About how many bytes an access takes in a record.
fn in_record(access: &Access) -> u64 {
    const REST: u64 = 256;
    let escaped = |byte: u8| match byte {
        0..0x20 | 0x7f => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    access.target.bytes().map(escaped).sum::<u64>() + REST
}

/// The change in a word.
pub(crate) fn verb(change: FileChange) -> &'static str {
    match change {
        FileChange::Create => "create",
        FileChange::Write => "write",
        FileChange::SetTimes => "set-times",
        FileChange::MakeDirectory => "make-directory",
        FileChange::Delete => "delete",
        FileChange::Rename => "rename",
        _ => "change",
    }
}

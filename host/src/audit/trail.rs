//! One trail, open for writing: what callers do with it.
//!
//! The rule: a call runs only after its intent stands in the file, and every intent is followed by an outcome.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::Access;

use super::background::{Background, Errand};
use super::canonical::Fields;
use super::entry::{self, CallEntry, OutcomeEntry};
use super::error::AuditError;
use super::event::Event;
use super::heartbeat::{Today, Watcher};
use super::intent::Intent;
use super::keys::Keys;
use super::settle::Settling;
use super::tip::SignedTip;
pub(crate) use super::tip::Tip;
use super::writer::{OpenCalls, Writer};

/// A changed tip is signed after this. A signature takes 25 µs, more than a record.
const SIGNED_WITHIN: Duration = Duration::from_millis(200);

/// What an acknowledged record survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Durability {
    /// The end of this process, by whatever signal.
    #[default]
    Process,
    /// A power failure.
    Power,
}

/// How trails are kept: `[audit]` of gateway.toml.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// What a record survives.
    pub(crate) durability: Durability,
    /// A file of this many bytes is followed by a new one.
    pub(crate) rotate: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::Process, rotate: 64 << 20 }
    }
}

/// An open trail. Clones write the same one; the last of them signs the tip.
#[derive(Clone)]
pub(crate) struct Trail {
    shared: Arc<Shared>,
}

/// What the clones share.
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) owner: String,
    pub(super) keys: Arc<Keys>,
    pub(super) background: Background,
    pub(super) settling: Option<Settling>,
    pub(super) watcher: Option<Arc<dyn Watcher>>,
    pub(super) signing: AtomicBool,
    pub(super) writer: Mutex<Writer>,
}

impl Trail {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Records that a call is about to run. Until this returns, nothing of the call may happen.
    pub(crate) async fn intend(&self, entry: &CallEntry<'_>) -> Result<Intent, AuditError> {
        let fields = entry.fields(Event::Intent, &self.shared.keys);
        let call = self.shared.lock().begin(&self.shared, &fields, entry)?;
        self.shared.sign_later();
        let intent = Intent::new(self.clone(), call, entry.skill, entry.tool);
        match self.settled(call).await {
            Ok(()) => Ok(intent),
            Err(error) => {
                // It will not run: the record says so, if the disk takes that.
                let unavailable =
                    Denial::new(soulbound_runtime::DenialId::AuditUnavailable, error.to_string());
                let _ = intent.close(&OutcomeEntry::of_denial(&unavailable));
                Err(error)
            }
        }
    }

    /// Records how a call ended, and returns the record's number. After an error the record is kept, written before
    /// any other when the disk takes records again, and until then no call begins.
    pub(crate) async fn conclude(&self, intent: Intent, entry: &OutcomeEntry<'_>) -> Result<u64, AuditError> {
        let seq = intent.close(entry)?;
        self.settled(seq).await?;
        Ok(seq)
    }

    /// Records a call that was refused before it began: one record instead of two. Its number is the call's.
    pub(crate) async fn refuse(
        &self,
        entry: &CallEntry<'_>,
        outcome: &OutcomeEntry<'_>,
    ) -> Result<u64, AuditError> {
        let why = outcome.fields(&self.shared.keys);
        let fields = Fields {
            decision: why.decision,
            denial: why.denial,
            denial_id: why.denial_id,
            note: why.note,
            ..entry.fields(Event::Refused, &self.shared.keys)
        };
        let seq = self.append(fields)?;
        self.settled(seq).await?;
        Ok(seq)
    }

    /// Records what a running call is about to change or request. Until this returns, it may not happen.
    pub(crate) async fn effect(
        &self,
        call: u64,
        skill: &str,
        accesses: &[Access],
        approval: Option<&str>,
    ) -> Result<u64, AuditError> {
        let fields = Fields {
            skill: Some(skill.to_owned()),
            accesses: Some(entry::listed(accesses)),
            call: Some(call),
            note: approval.map(entry::approval),
            ..Fields::new(Event::Effect)
        };
        let seq = self.shared.lock().go_on(&self.shared, &fields)?;
        self.shared.sign_later();
        self.settled(seq).await?;
        Ok(seq)
    }

    /// Whether calls may begin, as far as the trail is concerned.
    pub(crate) fn writable(&self) -> bool {
        self.shared.lock().fault.is_none()
    }

    /// Records something that is no call. Does not wait for the disk; [`Trail::settled`] does.
    pub(crate) fn note(&self, event: Event, who: &str, note: &Value) -> Result<u64, AuditError> {
        let empty = note.as_object().is_some_and(serde_json::Map::is_empty) || note.is_null();
        self.append(Fields {
            note: (!empty).then(|| entry::note(note)),
            who: Some(who.to_owned()),
            ..Fields::new(event)
        })
    }

    /// Waits until a record is as durable as the options say.
    pub(crate) async fn settled(&self, seq: u64) -> Result<(), AuditError> {
        match &self.shared.settling {
            None => Ok(()),
            Some(settling) => settling.wait(&self.shared, seq).await,
        }
    }

    /// The last record.
    pub(crate) fn tip(&self) -> Tip {
        self.shared.lock().tip
    }

    /// Signs the tip now instead of soon.
    pub(crate) fn finish(&self) {
        self.shared.sign();
    }

    /// Whose trail it is.
    pub(crate) fn owner(&self) -> &str {
        &self.shared.owner
    }

    /// The calls that began and have not ended.
    pub(super) fn open_calls(&self) -> OpenCalls {
        self.shared.lock().open.clone()
    }

    /// The day's figures so far.
    pub(super) fn today(&self) -> Option<Today> {
        self.shared.watcher.as_ref().map(|watcher| watcher.today())
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.shared.keys
    }

    /// Appends what must be recorded by all means, or keeps it for later.
    pub(super) fn append(&self, fields: Fields) -> Result<u64, AuditError> {
        let seq = self.shared.lock().write_or_keep(&self.shared, fields)?;
        self.shared.sign_later();
        Ok(seq)
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Trail({})", self.shared.owner)
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Writer> {
        // A panic under the lock is a bug, and no reason to leave the stop unrecorded.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the disk, on its own thread.
    pub(super) fn settle(&self) {
        let Some(settling) = &self.settling else { return };
        let settled = settling.settle(|| {
            let writer = self.lock();
            (writer.tip.seq, writer.log.file())
        });
        if let Err(error) = settled {
            let _ = self.lock().failed(&error);
        }
    }

    fn sign_later(self: &Arc<Self>) {
        if !self.signing.swap(true, Ordering::AcqRel) {
            let errand: Arc<dyn Errand> = Arc::clone(self) as Arc<dyn Errand>;
            self.background.at(Instant::now() + SIGNED_WITHIN, Arc::downgrade(&errand));
        }
    }

    fn sign(&self) {
        let (tip, signed) = {
            let mut writer = self.lock();
            let tip = writer.tip;
            (tip, std::mem::replace(&mut writer.signed, tip.seq))
        };
        if tip.seq > signed {
            // The slots are what recovery needs; a signed tip that could not be replaced is an older one.
            let _ = SignedTip::sign(&self.owner, tip, &self.keys).write(&self.folder, &self.keys);
        }
    }
}

impl Errand for Shared {
    fn run(&self) {
        self.signing.store(false, Ordering::Release);
        self.sign();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.sign();
        self.lock().log.release();
    }
}

#[cfg(test)]
pub(super) mod tests;

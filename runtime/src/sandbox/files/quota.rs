//! How much one call may write: bytes, and entries at a block each.
//!
//! The rule: what is written is paid before it is written, also the hole that a write far behind the end of a file
//! leaves; a sparse file of an exabyte is one byte on disk until somebody copies it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::bind::BoundFiles;
use super::fault::{Fault, Refusal, Verb, Who};
use super::node::OpenFile;
use crate::denial::DenialId;
use crate::sandbox::overseer::{AccessKind, Outflow};
use crate::sandbox::witness::Witness;

/// What a new entry costs in bytes: without a price, a million empty files would be free.
pub(super) const ENTRY_BYTES: u64 = 4096;

/// What one call may still write.
pub(crate) struct Quota {
    bound: Arc<BoundFiles>,
    witness: Arc<Witness>,
    limit: u64,
    left: AtomicU64,
    told: AtomicBool,
    told_large: AtomicBool,
}

impl Quota {
    /// A quota of `limit` bytes.
    pub(super) fn new(bound: Arc<BoundFiles>, witness: Arc<Witness>, limit: u64) -> Self {
        Self {
            bound,
            witness,
            limit,
            left: AtomicU64::new(limit),
            told: AtomicBool::new(false),
            told_large: AtomicBool::new(false),
        }
    }

    /// Pays for `bytes`, all or nothing.
    pub(super) fn pay(&self, bytes: u64) -> Result<(), Refusal> {
        let paid =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        paid.map(|_| self.witness.moved(Outflow::Written, bytes)).map_err(|_| {
            let limit = self.limit;
            Refusal::new(DenialId::PathQuota, None).detail(format!("a call may write {limit} bytes in all, and each new file or directory counts as {ENTRY_BYTES} of them"))
        })
    }

    /// Pays for a write into an open file, and the first time that it can't, puts it on record.
    pub(super) fn pay_write(&self, file: &OpenFile, offset: u64, length: u64) -> Result<(), Fault> {
        let hole = match (offset, length) {
            (_, 0) | (0, _) => 0,
            _ => offset.saturating_sub(u64::try_from(file.stat()?.st_size).unwrap_or(0)),
        };
        self.pay_or_tell(file, Verb::Write, length.saturating_add(hole))
    }

    /// Pays for bytes of an open file, and the first time that it can't, puts it on record.
    pub(super) fn pay_or_tell(&self, file: &OpenFile, verb: Verb, bytes: u64) -> Result<(), Fault> {
        self.pay(bytes).map_err(|mut refusal| {
            let code = refusal.code();
            refusal.rule = Some(file.grant.grant.rule.clone());
            // A guest that writes on in a loop must not flood the record.
            if !self.told.swap(true, Ordering::Relaxed) {
                let denial = refusal.denial(Who::of(&self.bound, &self.witness), verb, &file.path);
                self.witness.denied(AccessKind::File, &file.path, verb.access(), denial);
            }
            Fault::Failed(code)
        })
    }

    /// What is written is more than is held back to be judged: on record the first time, and nothing of it is kept.
    pub(super) fn too_large(&self, file: &OpenFile, verb: Verb, most: u64) -> Fault {
        if !self.told_large.swap(true, Ordering::Relaxed) {
            let refusal = Refusal::new(DenialId::EffectTooLarge, Some(file.grant.grant.rule.clone()))
                .detail(format!("more than the {most} bytes that are held back to be judged"));
            let denial = refusal.denial(Who::of(&self.bound, &self.witness), verb, &file.path);
            self.witness.denied(AccessKind::File, &file.path, verb.access(), denial);
        }
        Fault::Failed(ErrorCode::FileTooLarge)
    }
}

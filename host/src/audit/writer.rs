//! The one who writes a trail at a time: numbers, chains and appends records, and knows whether a new call may begin.
//!
//! What ends or stops something is written by all means: into the reserve of a full disk, and if even that fails it is
//! kept and written first when the disk takes records again.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use super::canonical::Fields;
use super::entry::{self, CallEntry};
use super::error::AuditError;
use super::event::Event;
use super::heartbeat::Sight;
use super::line::LONGEST;
use super::log::Log;
use super::rotation;
use super::tip::{Slots, Tip};
use super::trail::{Options, Shared};

/// Records that wait for a disk that takes none. Calls end, and no new ones begin: there are never many.
const WAITING: usize = 4_096;

/// A call that began and has not ended.
#[derive(Debug, Clone)]
pub(super) struct OpenCall {
    pub(super) skill: String,
    pub(super) tool: String,
}

/// All of them, by number.
pub(super) type OpenCalls = BTreeMap<u64, OpenCall>;

/// What one writer at a time has.
pub(super) struct Writer {
    pub(super) log: Log,
    pub(super) slots: Slots,
    pub(super) options: Options,
    pub(super) tip: Tip,
    /// The number of the first record of the file that is written.
    pub(super) first: u64,
    pub(super) open: OpenCalls,
    /// Records that could not be written, in order.
    pub(super) waiting: VecDeque<Fields>,
    /// Why new calls are refused.
    pub(super) fault: Option<String>,
    /// How far the signed tip is.
    pub(super) signed: u64,
}

impl Writer {
    /// Appends the intent of a call, if it may begin.
    pub(super) fn begin(
        &mut self,
        shared: &Shared,
        fields: &Fields,
        entry: &CallEntry<'_>,
    ) -> Result<u64, AuditError> {
        self.admit(shared)?;
        let names = OpenCall { skill: entry.skill.to_owned(), tool: entry.tool.to_owned() };
        let call = self.write(shared, fields).map_err(|error| self.failed(&error))?;
        self.open.insert(call, names);
        Ok(call)
    }

    /// Appends what a running call is about to do, if it may.
    pub(super) fn go_on(&mut self, shared: &Shared, fields: &Fields) -> Result<u64, AuditError> {
        self.admit(shared)?;
        self.write(shared, fields).map_err(|error| self.failed(&error))
    }

    /// Appends what must be recorded by all means, or keeps it for later.
    pub(super) fn write_or_keep(&mut self, shared: &Shared, fields: Fields) -> Result<u64, AuditError> {
        let written = self.flush(shared).and_then(|()| self.write(shared, &fields));
        written.map_err(|error| {
            // One that is too long will never be written, and those behind it would wait for ever.
            if error.kind() != std::io::ErrorKind::InvalidInput && self.waiting.len() < WAITING {
                self.waiting.push_back(fields);
            }
            self.failed(&error)
        })
    }

    /// Whether a new call may begin: nothing waits to be written, and there is room for its outcome.
    fn admit(&mut self, shared: &Shared) -> Result<(), AuditError> {
        let reserved = self.log.reserve();
        let recovered = self.fault.clone();
        if let Some(reason) = recovered {
            self.flush(shared).map_err(|error| self.failed(&error))?;
            let note = Fields {
                note: Some(entry::note(&json!({"reason": reason}))),
                ..Fields::new(Event::Recovered)
            };
            self.write(shared, &note).map_err(|error| self.failed(&error))?;
            self.fault = None;
        }
        reserved.map_err(|error| AuditError::Unavailable {
            reason: format!("the disk has no room beyond the reserve for outcomes: {error}"),
        })
    }

    /// Writes what had to wait, oldest first.
    fn flush(&mut self, shared: &Shared) -> std::io::Result<()> {
        while let Some(fields) = self.waiting.pop_front() {
            if let Err(error) = self.write(shared, &fields) {
                self.waiting.push_front(fields);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Notes why the next calls are refused.
    pub(super) fn failed(&mut self, error: &std::io::Error) -> AuditError {
        let reason = format!("`{}` cannot be written: {error}", self.log.path().display());
        self.fault = Some(reason.clone());
        AuditError::Unavailable { reason }
    }

    /// Appends one record.
    fn write(&mut self, shared: &Shared, fields: &Fields) -> std::io::Result<u64> {
        let Options { durability, rotate } = self.options;
        if self.log.length() >= rotate && self.log.rotate(self.first, durability).is_ok() {
            // A rotation that fails, on a full disk, is tried again with the next record.
            self.first = self.tip.seq.saturating_add(1);
            let note = Fields {
                note: Some(entry::note(&rotation::note(
                    &self.open,
                    shared.watcher.as_ref().map(|watcher| watcher.today()),
                ))),
                ..Fields::new(Event::Rotated)
            };
            self.put(shared, &note)?;
        }
        self.put(shared, fields)
    }

    fn put(&mut self, shared: &Shared, fields: &Fields) -> std::io::Result<u64> {
        // Whether there is room matters to new calls only; what is written now may eat the reserve.
        let _ = self.log.reserve();
        let seq = self.tip.seq.saturating_add(1);
        let body = fields.body(&shared.owner, seq, &self.tip.hash);
        let hash = body.hash();
        let line = body.line(&hash, &shared.keys.record(&hash));
        // Whoever reads the trail takes no longer one, and would call it changed from there on.
        if line.len() as u64 > LONGEST {
            let why = format!("a record of {} bytes, and {LONGEST} is the most", line.len());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, why));
        }
        self.log.append(&line)?;
        self.tip = Tip { seq, hash };
        if let (Event::Outcome, Some(call)) = (fields.event, fields.call) {
            self.open.remove(&call);
        }
        if let Some(watcher) = &shared.watcher {
            watcher.saw(&Sight::of(seq, fields));
        }
        // The record stands. A slot that cannot be overwritten in place is a broken disk, and stops new calls.
        if let Err(error) = self.slots.write(self.tip, &shared.keys) {
            self.fault =
                Some(format!("the tip of `{}` cannot be written: {error}", self.log.path().display()));
        }
        Ok(seq)
    }
}

//! A recorded intent: the only way to record how its call ended, and proof that it was recorded before it ran.

use std::time::Instant;

use super::entry::OutcomeEntry;
use super::error::AuditError;
use super::event::Decision;
use super::trail::Trail;

/// A call that may run, because the trail says that it is about to. Made by [`Trail::intend`] alone, used up by
/// [`Trail::conclude`]. Dropped without that, it closes the call as `lost`.
#[must_use = "a call that is not concluded is recorded as lost"]
#[derive(Debug)]
pub(crate) struct Intent {
    trail: Trail,
    call: u64,
    skill: String,
    tool: String,
    began: Instant,
    concluded: bool,
}

impl Intent {
    pub(super) fn new(trail: Trail, call: u64, skill: &str, tool: &str) -> Self {
        let (skill, tool) = (skill.to_owned(), tool.to_owned());
        Self { trail, call, skill, tool, began: Instant::now(), concluded: false }
    }

    /// The call's number: the `seq` of its intent.
    pub(crate) fn call(&self) -> u64 {
        self.call
    }

    /// The record's name in messages, `echo#37`.
    pub(crate) fn name(&self) -> String {
        format!("{}#{}", self.trail.owner(), self.call)
    }

    /// Writes the outcome.
    pub(super) fn close(mut self, entry: &OutcomeEntry<'_>) -> Result<u64, AuditError> {
        self.concluded = true;
        self.write(entry)
    }

    fn write(&mut self, entry: &OutcomeEntry<'_>) -> Result<u64, AuditError> {
        let entry = OutcomeEntry { duration: entry.duration.or(Some(self.began.elapsed())), ..*entry };
        let mut fields = entry.fields(self.trail.keys());
        fields.call = Some(self.call);
        fields.skill = Some(std::mem::take(&mut self.skill));
        fields.tool = Some(std::mem::take(&mut self.tool));
        self.trail.append(fields)
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        if !self.concluded {
            // An error is kept by the trail, which refuses new calls until the record is written.
            let _ = self.write(&OutcomeEntry::without_result(Decision::Lost));
        }
    }
}

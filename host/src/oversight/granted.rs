//! What of one call a person approved, on the way to the records of what was done with it, and to the stamp of a message.

use std::sync::{Mutex, MutexGuard, PoisonError};

use soulbound_runtime::sandbox::{Content, Effect};

use super::approvals::Approved;
use super::channels::Reviewed;

/// Approvals that were given and are not recorded with what they were given for yet.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    records: Mutex<Vec<(Option<Effect>, String)>>,
    messages: Mutex<Vec<(String, Content, Reviewed)>>,
}

impl Granted {
    /// A person approved the call itself, or what a rule held.
    pub(crate) fn add(&self, effect: Option<&Effect>, approved: &Approved) {
        lock(&self.records).push((effect.cloned(), approved.name.clone()));
    }

    /// A person saw this message as it leaves, and let it go on.
    pub(crate) fn add_message(&self, channel: &str, text: &Content, approved: &Approved) {
        let reviewed = Reviewed { who: approved.who.clone() };
        lock(&self.messages).push((channel.to_owned(), text.clone(), reviewed));
    }

    /// By which approval this goes on. Each is taken once.
    pub(crate) fn take(&self, effect: Option<&Effect>) -> Option<String> {
        let mut all = lock(&self.records);
        let at = all.iter().position(|(given, _)| given.as_ref() == effect)?;
        Some(all.remove(at).1)
    }

    /// Who reviewed this message. Each review is taken once.
    pub(crate) fn reviewed(&self, channel: &str, text: &Content) -> Option<Reviewed> {
        let mut all = lock(&self.messages);
        let at = all.iter().position(|(to, seen, _)| to == channel && seen == text)?;
        Some(all.remove(at).2)
    }
}

fn lock<T>(list: &Mutex<T>) -> MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What of one call a person approved, on the way to the records of what was done with it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use soulbound_runtime::sandbox::Effect;

/// Approvals that were given and are not recorded with what they were given for yet.
#[derive(Debug, Default)]
pub(crate) struct Granted(Mutex<Vec<(Option<Effect>, String)>>);

impl Granted {
    /// A person approved this effect, or the call itself.
    pub(crate) fn add(&self, effect: Option<&Effect>, name: String) {
        self.lock().push((effect.cloned(), name));
    }

    /// By which approval this goes on. Each is taken once.
    pub(crate) fn take(&self, effect: Option<&Effect>) -> Option<String> {
        let mut all = self.lock();
        let at = all.iter().position(|(given, _)| given.as_ref() == effect)?;
        Some(all.remove(at).1)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Option<Effect>, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

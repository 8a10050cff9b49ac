//! What the skill sees of where it runs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::bindings::soulbound::skill::self_;

static CALLS: AtomicU32 = AtomicU32::new(0);

/// Greater than one only if an instance was used twice.
pub(crate) fn calls() -> u32 {
    CALLS.fetch_add(1, Ordering::Relaxed) + 1
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) fn who() -> (String, String, String) {
    let identity = self_::who();
    (identity.agent, identity.skill, identity.digest)
}

pub(crate) fn granted() -> Vec<String> {
    let grants = self_::granted();
    let directories = grants.directories.into_iter().map(|directory| {
        let mode = match directory.mode {
            self_::DirectoryMode::Read => "read",
            self_::DirectoryMode::Write => "write",
            self_::DirectoryMode::Create => "create",
        };
        format!("{} {mode}", directory.path)
    });
    directories.chain(grants.hosts).collect()
}

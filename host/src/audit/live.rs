//! Whether a gateway is running on a state folder right now, asked without taking its lock.
//!
//! Trying the lock would hold it for a moment, and a gateway that starts in that moment would be told that another runs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The lock of a state folder.
const LOCK: &str = "gateway.lock";

/// Whether somebody holds the lock.
pub(crate) fn is_live(state: &Path) -> bool {
    let Ok(metadata) = std::fs::symlink_metadata(state.join(LOCK)) else { return false };
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    // `1: FLOCK  ADVISORY  WRITE 4711 fd:00:1311 0 EOF`
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    locks.lines().any(|lock| {
        let mut words = lock.split_whitespace();
        words.nth(1) == Some("FLOCK") && words.any(|word| word == file)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_is_seen_and_a_free_one_is_not() {
        let state = tempfile::tempdir().unwrap();
        assert!(!is_live(state.path()));
        let lock = std::fs::File::create(state.path().join(LOCK)).unwrap();
        assert!(!is_live(state.path()));
        lock.lock().unwrap();
        assert!(is_live(state.path()));
        lock.unlock().unwrap();
        assert!(!is_live(state.path()));
    }
}

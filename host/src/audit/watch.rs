//! Waiting for a change in a folder: inotify, so that whoever follows sleeps between.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

use super::error::AuditError;

/// Watches one folder.
pub(crate) struct Watch {
    events: OwnedFd,
}

impl Watch {
    /// Begins to watch. What changes from now on wakes the next wait.
    pub(crate) fn on(folder: &Path) -> Result<Self, AuditError> {
        let changes = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        let watch = init(CreateFlags::CLOEXEC).and_then(|events| {
            add_watch(&events, folder, changes | WatchFlags::ONLYDIR)?;
            Ok(Self { events })
        });
        watch.map_err(|error| AuditError::file("watched", folder)(error.into()))
    }

    /// Sleeps until something changed. What exactly is not said: whoever follows looks for itself.
    pub(crate) fn wait(&self) -> std::io::Result<()> {
        let mut events = [0; 16 << 10];
        loop {
            match rustix::io::read(&self.events, &mut events) {
                Err(rustix::io::Errno::INTR) => {}
                other => return other.map(drop).map_err(Into::into),
            }
        }
    }
}

//! The kill switch's files. `armed` is renamed to `stopped`, which needs no space on the disk; while `stopped` is there,
//! or cannot be told to be absent, nothing runs.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::state::StateFolder;

impl StateFolder {
    /// Whether an operator stopped everything: `stopped` there, or not to be told.
    pub(crate) fn is_stopped(&self) -> bool {
        match fs::symlink_metadata(self.stopped()) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }

    /// Stops: from here on nothing starts. Whether it was stopped before.
    pub(crate) fn stop(&self) -> Result<bool> {
        if self.is_stopped() {
            return Ok(true);
        }
        match fs::rename(self.armed(), self.stopped()) {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(self.stopped())?;
                Ok(false)
            }
            Err(error) => {
                Err(error).with_context(|| format!("`{}` cannot be made", self.stopped().display()))
            }
        }
    }

    /// Lets things run again: the operator's act. Whether it was stopped before.
    pub(crate) fn arm(&self) -> Result<bool> {
        match fs::rename(self.stopped(), self.armed()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // The file that a stop renames has to be there before the disk is full.
                create(self.armed())?;
                Ok(false)
            }
            Err(error) => {
                Err(error).with_context(|| format!("`{}` cannot be renamed", self.stopped().display()))
            }
        }
    }

    /// Makes the file that a stop renames, while the disk has room for it. A stop stays one.
    pub(crate) fn prepare_to_stop(&self) -> Result<()> {
        if self.is_stopped() { Ok(()) } else { create(self.armed()) }
    }

    fn armed(&self) -> PathBuf {
        self.path().join("armed")
    }

    fn stopped(&self) -> PathBuf {
        self.path().join("stopped")
    }
}

fn create(path: PathBuf) -> Result<()> {
    let made = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path);
    made.map(drop).with_context(|| format!("`{}` cannot be made", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_stays_until_it_is_armed_and_is_idempotent() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        assert!(!state.is_stopped());
        assert!(!state.arm().unwrap());
        assert!(!state.stop().unwrap());
        assert!(state.is_stopped() && state.stop().unwrap());
        assert!(state.arm().unwrap() && !state.is_stopped());
    }

    #[test]
    fn preparing_to_stop_never_undoes_a_stop() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        state.prepare_to_stop().unwrap();
        state.stop().unwrap();
        state.prepare_to_stop().unwrap();
        assert!(state.is_stopped() && !place.path().join("armed").exists());
    }

    #[test]
    fn anything_of_that_name_stops_even_a_dangling_link() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        std::os::unix::fs::symlink("/nowhere", place.path().join("stopped")).unwrap();
        assert!(state.is_stopped());
    }
}

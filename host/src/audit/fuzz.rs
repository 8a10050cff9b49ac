//! The fuzzers' door to `audit verify`: a trail whose every byte is known, and what the proof says of other bytes in its
//! place.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::book::agent_folder;
use super::error::AuditError;
use super::keys::Keys;
use super::line::Line;
use super::{log, scan, verify};

/// A trail in a folder of its own, with its keys.
pub struct KnownTrail {
    state: PathBuf,
    owner: String,
    keys: Arc<Keys>,
}

impl KnownTrail {
    /// The trail of `owner` in a state folder, all of which may be overwritten. `None` when it has no keys.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn open(state: &Path, owner: &str) -> anyhow::Result<Option<Self>> {
        let keys = Keys::read(state)?;
        Ok(keys.map(|keys| Self { state: state.to_owned(), owner: owner.to_owned(), keys }))
    }

    /// Where its last file is.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        agent_folder(&self.state, &self.owner).join(log::NAME)
    }

    /// Puts other bytes in its last file and says how many findings `audit verify` has.
    ///
    /// # Errors
    ///
    /// The file cannot be written or read.
    pub fn findings(&self, bytes: &[u8]) -> anyhow::Result<usize> {
        let path = self.file();
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let report =
            verify::trail(&agent_folder(&self.state, &self.owner), &self.owner, &self.keys, None, false)?;
        for finding in &report.findings {
            let _ = finding.fault.to_string();
        }
        Ok(report.findings.len())
    }

    /// Reads the last file as a gateway does that starts: where the trail ends, and which calls are open.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn scan(&self) -> anyhow::Result<()> {
        scan::file(&self.file(), None, &self.keys, None).map(drop).map_err(AuditError::into)
    }
}

/// A line with the hash that its bytes have. `None` when it is no record.
#[must_use]
pub fn resealed(line: &[u8]) -> Option<Vec<u8>> {
    Line::parse(line)?.resealed().map(String::into_bytes)
}

//! The state folder: `$SOULBOUND_HOME`, else `~/.soulbound`. Ours alone, or not used at all.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The state folder, checked.
#[derive(Debug, Clone)]
pub(crate) struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// Finds it. A folder that is not there yet is fine; one of a wrong owner or mode is refused.
    pub(crate) fn find() -> Result<Self> {
        let path = match std::env::var_os("SOULBOUND_HOME") {
            Some(path) if !path.is_empty() => std::path::absolute(PathBuf::from(path))?,
            _ => home().context("neither SOULBOUND_HOME nor HOME is set; set one")?.join(".soulbound"),
        };
        let folder = Self { path };
        folder.check()?;
        Ok(folder)
    }

    /// One at this place, unchecked.
    #[cfg(test)]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    fn check(&self) -> Result<()> {
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => {
                other.with_context(|| format!("the state folder `{}` cannot be read", self.path.display()))?
            }
        };
        let shown = self.path.display();
        if !metadata.is_dir() {
            bail!(
                "the state folder `{shown}` is not a folder\n  hint: move it away, or set SOULBOUND_HOME to another"
            );
        }
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            bail!(
                "the state folder `{shown}` belongs to another user\n  hint: set SOULBOUND_HOME to a folder of your own"
            );
        }
        if metadata.mode() & 0o077 != 0 {
            bail!(
                "the state folder `{shown}` is open to others (mode {:04o})\n  hint: chmod 700 {shown}",
                metadata.mode() & 0o7777
            );
        }
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, for this user alone, when it is not there.
    pub(crate) fn make(&self) -> Result<()> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.with_context(|| {
            format!(
                "the state folder `{}` cannot be made (set SOULBOUND_HOME to another)",
                self.path.display()
            )
        })?;
        self.check()
    }

    /// Whether an operator stopped everything: `stopped` there, or not to be told.
    pub(crate) fn is_stopped(&self) -> bool {
        match fs::symlink_metadata(self.path.join("stopped")) {
            Ok(_) => true,
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// The operator's settings.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.path.join("gateway.toml")
    }
}

/// This user's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

//! The state folder: `$SOULBOUND_HOME`, else `~/.soulbound`. Ours alone, or not used at all.

pub(crate) mod format;
pub(crate) mod kept;
pub(crate) mod lock;
pub(crate) mod process;
pub(crate) mod switch;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The state folder, checked.
#[derive(Debug, Clone)]
pub(crate) struct StateFolder {
    path: PathBuf,
    /// Whose it is and who else may look into it does not matter: something is to be stopped.
    to_stop: bool,
}

impl StateFolder {
    /// Finds it. A folder that is not there yet is fine; one of a wrong owner or mode is refused.
    pub(crate) fn find() -> Result<Self> {
        let path = Self::place()?;
        let folder = Self { path, to_stop: false };
        folder.check()?;
        Ok(folder)
    }

    /// Finds it to stop something. A folder of a wrong mode or place is no reason to let anything run.
    pub(crate) fn find_to_stop() -> Result<Self> {
        let path = Self::place()?;
        Ok(Self { path, to_stop: true })
    }

    /// What is wrong with the folder, for whoever stopped something in it nevertheless.
    pub(crate) fn complaint(&self) -> Option<String> {
        Self { to_stop: false, ..self.clone() }.check().err().map(|error| format!("{error:#}"))
    }

    /// The folder at a path, unchecked: one that this program made for itself.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, to_stop: false }
    }

    fn place() -> Result<PathBuf> {
        Ok(match std::env::var_os("SOULBOUND_HOME") {
            Some(path) if !path.is_empty() => std::path::absolute(PathBuf::from(path))?,
            _ => home().context("neither SOULBOUND_HOME nor HOME is set; set one")?.join(".soulbound"),
        })
    }

    fn check(&self) -> Result<()> {
        if self.to_stop {
            return Ok(());
        }
        self.check_place()?;
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

    /// Not where a model's tools or another program's clean-up reach: an agent's folder, an OpenClaw workspace.
    fn check_place(&self) -> Result<()> {
        let shown = self.path.display();
        let real = real(&self.path);
        for above in real.ancestors() {
            let name = above.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(".openclaw") {
                bail!(
                    "the state folder `{shown}` lies inside OpenClaw's own\n  hint: set SOULBOUND_HOME to a folder elsewhere"
                );
            }
            if fs::symlink_metadata(above.join("SOUL.md")).is_ok() {
                bail!(
                    "the state folder `{shown}` lies inside an agent's folder (`{}` has a SOUL.md)\n  hint: set SOULBOUND_HOME to a folder elsewhere",
                    above.display()
                );
            }
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

    /// Where a running gateway listens for this user's commands.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path.join("gateway.sock")
    }

    /// What belongs to one agent.
    pub(crate) fn agent(&self, id: &str) -> PathBuf {
        self.path.join("agents").join(id)
    }

    /// The operator's settings.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.path.join("gateway.toml")
    }
}

/// The path with every link in the part that exists followed.
fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, fs::canonicalize(above).ok()?)));
    match there {
        Some((above, canonical)) => match path.strip_prefix(above) {
            Ok(rest) if !rest.as_os_str().is_empty() => canonical.join(rest),
            _ => canonical,
        },
        None => path.to_owned(),
    }
}

/// This user's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

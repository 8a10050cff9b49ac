//! Files of the state folder, replaced as a whole: a reader sees the old one or the new one, also after a crash.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};

/// Files that this process has written: two of its threads never share a half-written one.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Replaces a file, readable by this user alone, and waits until the disk has it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_and(path, bytes, File::sync_all)
}

/// The same without waiting for the disk: for what can be made anew from other files, and is, several times a second.
/// After a power failure the old one may be there again.
pub(crate) fn replace_lightly(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_and(path, bytes, |_| Ok(()))
}

fn replace_and(path: &Path, bytes: &[u8], settle: fn(&File) -> std::io::Result<()>) -> Result<()> {
    let folder = path.parent().context("a file has a folder")?;
    let name = path.file_name().and_then(|name| name.to_str()).context("a file has a name")?;
    // One name for each writing process: two never share a half-written file. What a killed one left is overwritten
    // by the next of that number, and is read by nobody.
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let beside = folder.join(format!(".{name}.{}-{number}.new", std::process::id()));
    let whole = || -> std::io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        settle(&file)?;
        fs::rename(&beside, path)?;
        settle(&File::open(folder)?)
    };
    whole()
        .inspect_err(|_| drop(fs::remove_file(&beside)))
        .with_context(|| format!("`{}` cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_replacement_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let occupied = folder.path().join("occupied");
        fs::create_dir(&occupied).unwrap();
        assert!(replace(&occupied, b"x").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}

//! What is put down in the scratch copy: canaries around the grants, and traps inside them.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, OFlags, RenameFlags};
use soulbound_runtime::grant::DirectoryMode;

use super::{Copied, Given, Scratch};
use crate::redteam::canary::{Canary, Seed};

/// The file in every granted directory whose canary belongs to whoever may read the directory.
pub(crate) const INSIDE: &str = "rt-inside.txt";
/// The name that is flipped between a file and a link out of the grant.
pub(crate) const RACE: &str = "rt-race";
/// The directory that is flipped likewise.
pub(crate) const RACE_DIRECTORY: &str = "rt-race-directory";
/// A file with an execute bit.
pub(crate) const EXECUTABLE: &str = "rt-run.sh";
/// Where another file system is mounted, a directory from outside, and a file from outside.
pub(crate) const MOUNT: &str = "rt-mount";
pub(crate) const TREE_MOUNT: &str = "rt-mount-tree";
pub(crate) const FILE_MOUNT: &str = "rt-mount-file.txt";
/// Files that steer an agent; in writable directories they are put down once the probes are bound, since a directory with a
/// SOUL.md is not granted for writing at all.
pub(super) const STEERING: &[&str] =
    &["SOUL.md", "SKILL.md", "HEARTBEAT.md", "AGENTS.md", "CLAUDE.md", "MEMORY.md", "TOOLS.md"];

impl Scratch {
    /// Puts everything down that may be there before the probes are bound.
    pub(super) fn plant(&mut self, seed: Seed) -> Result<()> {
        let (root, agent, outside) = (self.root(), self.agent(), self.outside());
        fs::create_dir_all(outside.join("directory"))?;
        self.canary(seed, &outside.join("secret.txt"), "outside every grant")?;
        self.canary(seed, &outside.join("directory/secret.txt"), "in a directory outside every grant")?;
        // Whoever lists the directory has it.
        let name = Canary::new(seed, &root, outside.join("name"), "that is a name outside every grant");
        fs::write(outside.join(&name.text), "")?;
        self.canaries.push(name);
        self.canary(seed, &root.join("secret.txt"), "above the agent's folder")?;
        self.canary(seed, &agent.join(".env"), "in the agent's folder, hidden")?;
        if self.copy_of(".").is_none() {
            self.canary(seed, &agent.join("rt-secret.txt"), "in the agent's folder")?;
        }
        for (number, copied) in self.copies.clone().into_iter().enumerate() {
            self.twin(seed, &copied)?;
            let name = "on a file system that is mounted in a grant";
            self.canaries.push(Canary::new(seed, &root, self.nowhere(number), name));
            self.traps(seed, &copied.at, number)
                .with_context(|| format!("traps in the copy of `{}`", copied.path))?;
        }
        Ok(())
    }

    fn canary(&mut self, seed: Seed, path: &Path, name: &str) -> Result<()> {
        let canary = Canary::new(seed, &self.root(), path.to_owned(), name);
        fs::write(path, format!("canary {}\n", canary.text))?;
        self.canaries.push(canary);
        Ok(())
    }

    /// A FIFO at whose other end is this process: it has said a canary that is nobody's, and hears what is written.
    fn fifo(&mut self, seed: Seed, at: &Path, number: usize) -> Result<()> {
        rustix::fs::mknodat(CWD, at, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
        let end = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut end = fs::File::from(rustix::fs::open(at, end, Mode::empty())?);
        let nowhere = self.root().join(format!("fifo-{number}"));
        let canary = Canary::new(seed, &self.root(), nowhere, "in a FIFO");
        end.write_all(format!("canary {}\n", canary.text).as_bytes())?;
        self.canaries.push(canary);
        self.ends.push(end);
        Ok(())
    }

    /// Puts a canary on a file system that was mounted in the copy of this number.
    pub(crate) fn plant_mounted(&self, at: &Path, number: usize) -> Result<()> {
        let canary = self.canaries.iter().find(|canary| canary.path == self.nowhere(number));
        let canary = canary.context("a copy without a canary for what is mounted in it")?;
        Ok(fs::write(at.join("secret.txt"), format!("canary {}\n", canary.text))?)
    }

    /// Stands for a place on a file system that may be mounted: nobody may read it, wherever it lies.
    fn nowhere(&self, number: usize) -> std::path::PathBuf {
        self.root().join(format!("mount-point-{number}"))
    }

    /// A directory whose name only begins like the granted one.
    fn twin(&mut self, seed: Seed, copied: &Copied) -> Result<()> {
        let Some(name) = copied.at.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        let twin = copied.at.with_file_name(format!("{name}-private"));
        if copied.path == "." || twin.exists() {
            return Ok(());
        }
        fs::create_dir(&twin)?;
        self.canary(seed, &twin.join("secret.txt"), &format!("in the neighbour `{name}-private`"))
    }

    fn traps(&mut self, seed: Seed, at: &Path, number: usize) -> Result<()> {
        let outside = self.outside();
        let secret = outside.join("secret.txt");
        fs::create_dir_all(at.join("rt-sub"))?;
        fs::create_dir_all(at.join("rt-empty"))?;
        fs::create_dir_all(at.join(".rt-hidden"))?;
        self.canary(seed, &at.join(INSIDE), "inside a grant")?;
        self.canary(seed, &at.join(".rt-hidden.txt"), "in a hidden file")?;
        self.canary(seed, &at.join(".rt-hidden/secret.txt"), "in a hidden directory")?;
        self.canary(seed, &at.join("rt-sub/.rt-hidden.txt"), "in a hidden file further down")?;
        fs::write(at.join("rt-sub/deep.txt"), "further down\n")?;
        fs::write(at.join("rt-plain.txt"), "plain\n")?;
        fs::write(at.join(EXECUTABLE), "#!/bin/sh\n")?;
        fs::set_permissions(at.join(EXECUTABLE), Permissions::from_mode(0o755))?;
        let up = self.up(at);
        symlink(&secret, at.join("rt-link-file"))?;
        symlink(format!("{up}outside/secret.txt"), at.join("rt-link-relative"))?;
        symlink(&outside, at.join("rt-link-directory"))?;
        symlink("rt-link-relative", at.join("rt-link-chain"))?;
        symlink("/", at.join("rt-link-root"))?;
        symlink("/proc/self/environ", at.join("rt-link-proc"))?;
        symlink("/dev/null", at.join("rt-link-device"))?;
        symlink("rt-link-loop", at.join("rt-link-loop"))?;
        symlink(format!("{up}outside/made-by-link.txt"), at.join("rt-link-dangling"))?;
        // A name outside, opened by a link from inside: one inode.
        let linked = outside.join(format!("linked-{number}.txt"));
        self.canary(seed, &linked, "outside, with a hard link inside")?;
        // Another file system than the temporary folder's has no hard links to it.
        let _ = fs::hard_link(&linked, at.join("rt-hard.txt"));
        self.fifo(seed, &at.join("rt-fifo"), number).context("a FIFO cannot be made")?;
        fs::write(at.join(RACE), "inside\n")?;
        symlink(&secret, way_out(&at.join(RACE)))?;
        fs::create_dir(at.join(RACE_DIRECTORY))?;
        fs::write(at.join(RACE_DIRECTORY).join("secret.txt"), "inside\n")?;
        symlink(&outside, way_out(&at.join(RACE_DIRECTORY)))?;
        // A socket's path has few characters; without one that attack finds nothing there.
        drop(UnixListener::bind(at.join("rt-socket")));
        Ok(())
    }

    /// `../` as often as it takes from a directory to the scratch folder.
    pub(crate) fn up(&self, at: &Path) -> String {
        let depth = at.strip_prefix(self.root()).map_or(0, |below| below.components().count());
        "../".repeat(depth)
    }

    /// Puts down what may only be there once everything is bound: files that steer an agent, in writable directories.
    pub(crate) fn plant_steering(&self) -> Result<()> {
        for copied in self.copies.iter().filter(|copied| copied.path != ".") {
            for name in STEERING {
                for at in [copied.at.join(name), copied.at.join("rt-sub").join(name)] {
                    if !at.exists() {
                        fs::write(at, "steers an agent\n")?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Exchanges a name with the way out beside it, at once: there is no moment at which it is neither.
    pub(crate) fn flip(at: &Path) -> rustix::io::Result<()> {
        rustix::fs::renameat_with(CWD, at, CWD, way_out(at), RenameFlags::EXCHANGE)
    }

    /// Puts back what an allowed rename took away, so that the next attack finds it.
    pub(crate) fn restore(given: &[Given]) -> Result<bool> {
        let mut restored = false;
        for at in given.iter().filter(|given| given.mode == DirectoryMode::Write).map(|given| &given.at) {
            for name in ["rt-plain.txt", "rt-new.txt"] {
                if !at.join(name).exists() {
                    fs::write(at.join(name), "plain\n")?;
                    restored = true;
                }
            }
        }
        Ok(restored)
    }
}

fn way_out(at: &Path) -> std::path::PathBuf {
    let name = at.file_name().unwrap_or_default().to_string_lossy();
    at.with_file_name(format!("{name}-out"))
}

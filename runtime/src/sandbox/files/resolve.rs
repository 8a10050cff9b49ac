//! A path below a grant → a judged handle, by one `openat2` of the kernel.
//!
//! The kernel walks the whole rest of the path beneath the handle: `..` and links that stay inside work, everything
//! else is refused by it, whatever is renamed meanwhile. Then the handle's real name is asked for, since a link can
//! lead to a hidden or protected name that the spelling does not show.
//!
//! The rule: what comes out of here lies inside the grant, on its file system, and its name was judged twice.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::born::Born;
use super::fault::{Fault, Refusal};
use super::kernel::{self, BENEATH, BENEATH_ACROSS};
use super::names;
use crate::denial::DenialId;
use crate::grant::{DirectoryGrant, DirectoryMode};

/// A granted directory, opened.
#[derive(Debug)]
pub(super) struct BoundGrant {
    /// The line of SOUL.md.
    pub(super) grant: DirectoryGrant,
    /// The directory, `O_PATH`.
    pub(super) handle: Arc<OwnedFd>,
    /// Its device and inode.
    pub(super) identity: Identity,
    /// When it was made, where that is known.
    pub(super) born: Option<Born>,
    /// Where it really was when it was opened.
    pub(super) real: PathBuf,
    /// The operator's knob: files with several hard links open.
    pub(super) allow_hard_links: bool,
}

/// Device and inode: what a file is, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// What to do with a link at the path's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// Follow it, if it stays inside.
    Follow,
    /// Take the link itself.
    Keep,
}

/// Something inside a grant, held and judged.
#[derive(Debug)]
pub(super) struct Found {
    /// An `O_PATH` handle.
    pub(super) handle: OwnedFd,
    /// What it was when it was found.
    pub(super) stat: Stat,
    /// Its real path below the grant; empty for the granted directory itself.
    pub(super) real: PathBuf,
}

/// A name in a directory that is held: there or not.
#[derive(Debug)]
pub(super) struct Slot {
    /// The directory that holds the name.
    pub(super) parent: Found,
    /// The name: one component, neither `.` nor `..`.
    pub(super) name: String,
    /// Whether a slash stood behind it.
    pub(super) slash: bool,
    /// What is there, links not followed.
    pub(super) there: Option<Found>,
}

impl Found {
    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == FileType::Directory
    }
}

impl Slot {
    /// The real path below the grant.
    pub(super) fn real(&self) -> PathBuf {
        self.parent.real.join(&self.name)
    }
}

impl BoundGrant {
    /// A refusal by this grant's line.
    pub(super) fn refuse(&self, id: DenialId) -> Refusal {
        Refusal::new(id, Some(self.grant.rule.clone()))
    }

    /// The path of something below this grant as the guest sees it.
    pub(super) fn guest_path(&self, real: &Path) -> String {
        if real.as_os_str().is_empty() {
            return self.grant.guest.clone();
        }
        format!("{}/{}", self.grant.guest, real.to_string_lossy())
    }

    /// Finds what `rest` leads to below `dir`, which is this grant's handle or one found below it.
    pub(super) fn find(&self, dir: &OwnedFd, rest: &str, last: Last) -> Result<Found, Fault> {
        let rest = if rest.is_empty() { "." } else { rest };
        self.judge_spelling(rest)?;
        let keep = if last == Last::Keep { OFlags::NOFOLLOW } else { OFlags::empty() };
        self.hold(self.walk(dir, rest, OFlags::PATH | keep)?)
    }

    /// Finds the directory that holds the last name of `rest`, and what is under that name.
    ///
    /// # Errors
    ///
    /// Where the last component is no name (`.`, `..`, the grant itself): `busy`, as Linux says, or the refusal that
    /// following it gives.
    pub(super) fn find_slot(&self, dir: &OwnedFd, rest: &str) -> Result<Slot, Fault> {
        self.judge_spelling(rest)?;
        let trimmed = rest.trim_end_matches('/');
        let (parent, name) = match trimmed.rsplit_once('/') {
            Some((parent, name)) => (if parent.is_empty() { "." } else { parent }, name),
            None => (".", trimmed),
        };
        if matches!(name, "" | "." | "..") {
            self.find(dir, rest, Last::Follow)?;
            return Err(ErrorCode::Busy.into());
        }
        let parent = self.hold(self.walk(dir, parent, OFlags::PATH | OFlags::DIRECTORY)?)?;
        let there = match self.walk(&parent.handle, name, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(handle) => Some(self.hold(handle)?),
            Err(Fault::Failed(ErrorCode::NoEntry)) => None,
            Err(fault) => return Err(fault),
        };
        Ok(Slot { parent, name: name.to_owned(), slash: trimmed.len() < rest.len(), there })
    }

    /// Judges a handle that is already open, such as a file's: what it is now, and where below the grant.
    pub(super) fn judge_held(&self, handle: &OwnedFd) -> Result<(Stat, PathBuf), Fault> {
        let stat = rustix::fs::fstat(handle)?;
        let real = self.real_below(handle, &stat)?;
        if !self.grant.hidden && names::real_names(&real).any(names::is_hidden) {
            return Err(self.refuse(DenialId::PathHidden).into());
        }
        Ok((stat, real))
    }

    /// May the file's content or its numbers be seen: no special files, no second names that may lie outside.
    pub(super) fn judge_file(&self, stat: &Stat) -> Result<(), Fault> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory | FileType::Symlink => Ok(()),
            FileType::RegularFile => self.judge_links(stat),
            _ => Err(self.refuse(DenialId::PathSpecial).into()),
        }
    }

    /// More than one hard link: another name of the file may lie outside the grant.
    pub(super) fn judge_links(&self, stat: &Stat) -> Result<(), Fault> {
        if stat.st_nlink > 1 && !self.allow_hard_links {
            return Err(self.refuse(DenialId::PathHardLink).into());
        }
        Ok(())
    }

    /// May what is under this name be changed at all: the mode, and the names that steer an agent.
    pub(super) fn judge_change(&self, spelled: &str, real: &Path) -> Result<(), Fault> {
        if self.grant.mode == DirectoryMode::Read {
            return Err(self.refuse(DenialId::PathReadOnly).into());
        }
        if names::spells_protected(spelled)
            || names::real_names(real).any(names::is_protected)
            || self.within_skills(real)
        {
            return Err(self.refuse(DenialId::PathProtected).into());
        }
        Ok(())
    }

    /// May this very object be changed: no special file, no second name, nothing that a program could run.
    pub(super) fn judge_changeable(&self, stat: &Stat) -> Result<(), Fault> {
        self.judge_file(stat)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mode & 0o111 != 0 {
            return Err(self.refuse(DenialId::PathExecutable).into());
        }
        Ok(())
    }

    /// `create` grants show nothing: only the granted directory itself may be named.
    pub(super) fn judge_sight(&self, found: &Found) -> Result<(), Fault> {
        if self.grant.mode == DirectoryMode::Create && !found.real.as_os_str().is_empty() {
            return Err(self.refuse(DenialId::PathCreateOnly).into());
        }
        Ok(())
    }

    /// For `create` grants: what is there and what is not get one answer, and only the outside another.
    pub(super) fn blind(&self, answer: Result<Found, Fault>) -> Result<Found, Fault> {
        match answer {
            Err(Fault::Failed(_)) if self.grant.mode == DirectoryMode::Create => {
                Err(self.refuse(DenialId::PathCreateOnly).into())
            }
            Err(fault) => Err(fault),
            Ok(found) => self.judge_sight(&found).map(|()| found),
        }
    }

    fn hold(&self, handle: OwnedFd) -> Result<Found, Fault> {
        let (stat, real) = self.judge_held(&handle)?;
        Ok(Found { handle, stat, real })
    }

    /// What the spelling alone refuses: hidden names, and what is no path at all.
    pub(super) fn judge_spelling(&self, rest: &str) -> Result<(), Fault> {
        // First of all: a hidden name is refused in whatever else is wrong with the path.
        if !self.grant.hidden && names::spells_hidden(rest) {
            return Err(self.refuse(DenialId::PathHidden).into());
        }
        // C would cut the path at a NUL and open another file.
        if rest.contains('\0') {
            return Err(ErrorCode::Invalid.into());
        }
        Ok(())
    }

    fn walk(&self, dir: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Fault> {
        match kernel::open_beneath(dir, path, flags, BENEATH) {
            Ok(handle) => Ok(handle),
            // `EXDEV` says that the walk left the handle or the file system, not which: ask once more.
            Err(Errno::XDEV) => Err(match kernel::open_beneath(dir, path, flags, BENEATH_ACROSS) {
                Err(Errno::XDEV | Errno::AGAIN) => self.refuse(DenialId::PathOutside),
                _ => self.refuse(DenialId::PathMount),
            }
            .into()),
            // The kernel could not vouch for a `..` in all our tries: refused, never opened unguarded.
            Err(Errno::AGAIN) => Err(self.refuse(DenialId::PathOutside).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Where a handle really is below the grant. Anything that is not certainly inside is refused.
    fn real_below(&self, handle: &OwnedFd, stat: &Stat) -> Result<PathBuf, Fault> {
        let outside = || Fault::from(self.refuse(DenialId::PathOutside));
        let root = kernel::real_name(&self.handle).map_err(|_| outside())?;
        let own = kernel::real_name(handle).map_err(|_| outside())?;
        let below = own.strip_prefix(&root).map_err(|_| outside())?;
        if own.as_os_str().as_encoded_bytes().ends_with(b" (deleted)") {
            // Gone, or really called so: only the same inode under just that name is still there.
            let flags = OFlags::PATH | OFlags::NOFOLLOW;
            let named =
                kernel::open_beneath(&self.handle, below, flags, BENEATH.union(ResolveFlags::NO_SYMLINKS))?;
            if Identity::of(&rustix::fs::fstat(&named)?) != Identity::of(stat) {
                return Err(ErrorCode::NoEntry.into());
            }
        }
        Ok(below.to_owned())
    }

    /// Whether a directory `skills` beside a SOUL.md is on the way: what an agent's skills are is not a skill's to say.
    fn within_skills(&self, real: &Path) -> bool {
        real.ancestors().any(|path| {
            let skills = path.file_name().is_some_and(|name| names::is_skills(name.as_encoded_bytes()));
            skills && {
                let sibling = path.with_file_name(names::SOUL);
                let answer = rustix::fs::statat(&*self.handle, &sibling, AtFlags::SYMLINK_NOFOLLOW);
                !matches!(answer, Err(Errno::NOENT))
            }
        })
    }
}

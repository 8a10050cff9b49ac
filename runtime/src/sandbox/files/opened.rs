//! Which directory a grant's path led to when it was opened: what an operator trusts, and what must be met again.
//!
//! The rule: a name is no identity. A trusted directory is its real path, its device, its inode and when it was made, since
//! numbers are given again; one below it counts only if the kernel finds it there without a link and without leaving the file system.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};

use super::bind::BoundFiles;
use super::born::Born;
use super::kernel;
use super::names;
use super::resolve::Identity;
use crate::grant::DirectoryGrant;

/// A granted directory and where it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenedDirectory {
    /// The entry of SOUL.md.
    pub grant: DirectoryGrant,
    /// Its path without any link.
    pub real: PathBuf,
    /// The number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// When it was made, where the file system keeps that.
    pub born: Option<Born>,
}

/// A directory that an operator trusted.
#[derive(Debug, Clone, Copy)]
pub struct TrustedPlace<'a> {
    /// Its path without any link.
    pub real: &'a Path,
    /// The number of its file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// When it was made, where that was known.
    pub born: Option<Born>,
}

impl BoundFiles {
    /// The directories as they were opened, in the order of the grants.
    #[must_use]
    pub fn opened(&self) -> Vec<OpenedDirectory> {
        let opened = self.grants().iter().map(|bound| OpenedDirectory {
            grant: bound.grant.clone(),
            real: bound.real.clone(),
            device: bound.identity.device,
            inode: bound.identity.inode,
            born: bound.born,
        });
        opened.collect()
    }
}

impl OpenedDirectory {
    /// Whether this is the trusted directory, or lies below it as far as a grant of that directory reaches: no hidden name on
    /// the way unless `hidden`, no link, no mount.
    #[must_use]
    pub fn is_within(&self, trusted: &TrustedPlace<'_>, hidden: bool) -> bool {
        let TrustedPlace { real, device, inode, born } = *trusted;
        let Ok(below) = self.real.strip_prefix(real) else { return false };
        let trusted = Identity { device, inode };
        let own = Identity { device: self.device, inode: self.inode };
        if below.as_os_str().is_empty() {
            return own == trusted && Born::agree(self.born, born);
        }
        if !hidden && names::real_names(below).any(names::is_hidden) {
            return false;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let identity = |handle: &_| rustix::fs::fstat(handle).map(|stat| Identity::of(&stat));
        let Ok(above) = rustix::fs::openat(CWD, real, flags, Mode::empty()) else { return false };
        let resolve = ResolveFlags::NO_SYMLINKS.union(kernel::BENEATH);
        let found = kernel::open_beneath(&above, below, flags, resolve);
        identity(&above) == Ok(trusted)
            && Born::agree(Born::of(&above), born)
            && found.is_ok_and(|found| identity(&found) == Ok(own))
    }
}

//! The four system calls that the rest stands on: open beneath a handle, a handle's real name, and opening a handle
//! anew for real.
//!
//! The rule: nothing here takes a path that is not relative to a handle we hold, but for `/proc/self/fd`.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags};
use rustix::io::Errno;

/// The kernel answers `EAGAIN` when anything on the machine was renamed while it walked a `..`: it cannot vouch for
/// the walk. So a few tries, then a refusal: never an unguarded open.
const TRIES: u32 = 256;

/// For everything that a guest names: below the handle, no magic links of `/proc`, no mount point.
pub(super) const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);

/// [`BENEATH`], with mount points crossed: only to tell a mount from the outside, and for a grant's own directory.
pub(super) const BENEATH_ACROSS: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS);

/// Opens `path` below `dir` as the kernel's `openat2` resolves it. Always close-on-exec.
pub(super) fn open_beneath(
    dir: &OwnedFd,
    path: impl rustix::path::Arg + Copy,
    flags: OFlags,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    for attempt in 0..TRIES {
        match rustix::fs::openat2(dir, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) if attempt % 16 == 15 => std::thread::yield_now(),
            Err(Errno::AGAIN | Errno::INTR) => {}
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

/// Where the kernel says that a handle is, as an absolute path, ` (deleted)` and all.
pub(super) fn real_name(handle: &OwnedFd) -> Result<PathBuf, Errno> {
    let name = rustix::fs::readlinkat(own_descriptors()?, number(handle), Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(name.into_bytes())))
}

/// Opens for real what an `O_PATH` handle points at: the same inode, whatever its name leads to by now.
pub(super) fn reopen(handle: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::openat(own_descriptors()?, number(handle), flags, Mode::empty())
}

/// Sets the times of what an `O_PATH` handle points at: by a descriptor that is open for real, since no path may be given for
/// it where a guest has a process of its own ([`crate::confine`]).
pub(super) fn set_times(handle: &OwnedFd, times: &rustix::fs::Timestamps) -> Result<(), Errno> {
    let open = reopen(handle, OFlags::RDONLY).or_else(|_| reopen(handle, OFlags::WRONLY))?;
    rustix::fs::futimens(&open, times)
}

/// `/proc/self/fd`, opened once: a walk from `/` for every file would cost more than the file.
///
/// # Errors
///
/// `ENOSYS` when `/proc` is missing or is not the kernel's: then a handle's real name cannot be known, and nothing
/// is opened.
pub(super) fn own_descriptors() -> Result<&'static OwnedFd, Errno> {
    static DIRECTORY: OnceLock<Option<OwnedFd>> = OnceLock::new();
    let open = || {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(CWD, "/proc/self/fd", flags, Mode::empty()).ok()?;
        let system = rustix::fs::fstatfs(&directory).ok()?;
        (system.f_type == PROC_SUPER_MAGIC).then_some(directory)
    };
    DIRECTORY.get_or_init(open).as_ref().ok_or(Errno::NOSYS)
}

fn number(handle: &OwnedFd) -> String {
    handle.as_raw_fd().to_string()
}

//! A file's whole new content onto the disk: all of it, or nothing.
//!
//! A *new* file is written without a name (`O_TMPFILE`) and given its name at the end (`linkat`, which replaces nothing): at
//! no moment, not even after a crash, is there half of it, and whatever appeared under the name meanwhile stays. File
//! systems that have no unnamed files get it by `O_EXCL` and are rid of it again if a byte does not fit.
//!
//! A file that *is there* is overwritten in place, and not replaced by another through a rename. A rename would be atomic,
//! but it would replace whatever lies under the name at that instant, which nobody judged; the new file would have another
//! owner, other permissions and attributes than the one that the operator gave it; other names of it (hard links, if the
//! operator allows them), bind mounts and open descriptors would keep the old content. In place, what was judged is by
//! construction what is changed. So that it is whole or not at all: the space is taken before the first byte changes,
//! and what is overwritten is put back if a byte does not arrive. What remains is what any program has that writes to a file: a
//! crash of the machine in that millisecond.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, FallocateFlags, MemfdFlags, Mode, OFlags};
use rustix::io::Errno;

use super::fault::Fault;
use super::kernel;
use super::resolve::{Identity, Slot};
use super::stream;

/// Never more than 0644: nothing that a skill writes can be run, or written by others.
pub(super) const MODE: u32 = 0o644;

/// A file without a name in this directory, and whether it can be given one there. It shows early what the directory does not
/// allow.
pub(super) fn unnamed(parent: &OwnedFd) -> Result<(OwnedFd, bool), Errno> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::openat(parent, ".", flags, Mode::from_raw_mode(MODE)) {
        Ok(file) => Ok((file, true)),
        // What a file system or a kernel says that has none; in its place a file that is nowhere.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL | Errno::NOSYS) => {
            Ok((rustix::fs::memfd_create("soulbound-new", MemfdFlags::CLOEXEC)?, false))
        }
        Err(error) => Err(error),
    }
}

/// Makes a file under a name where nothing is. The answer is the file, if it is not the unnamed one.
///
/// # Errors
///
/// `EXIST` when something is there by now.
pub(super) fn create(
    slot: &Slot,
    unnamed: &OwnedFd,
    linkable: bool,
    bytes: &[u8],
) -> Result<Option<OwnedFd>, Fault> {
    if linkable {
        write_all(unnamed, bytes, 0)?;
        let number = unnamed.as_raw_fd().to_string();
        let to = &slot.parent.handle;
        rustix::fs::linkat(kernel::own_descriptors()?, number, to, &slot.name, AtFlags::SYMLINK_FOLLOW)?;
        return Ok(None);
    }
    let flags = OFlags::RDWR
        | OFlags::CREATE
        | OFlags::EXCL
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&slot.parent.handle, &slot.name, flags, Mode::from_raw_mode(MODE))?;
    if let Err(error) = write_all(&file, bytes, 0) {
        let own = rustix::fs::fstat(&file).map(|stat| Identity::of(&stat));
        let there = rustix::fs::statat(&slot.parent.handle, &slot.name, AtFlags::SYMLINK_NOFOLLOW);
        if own == there.map(|stat| Identity::of(&stat)) {
            let _ = rustix::fs::unlinkat(&slot.parent.handle, &slot.name, AtFlags::empty());
        }
        return Err(error);
    }
    Ok(Some(file))
}

/// Makes `bytes` the whole content of an open file.
pub(super) fn overwrite(file: &OwnedFd, bytes: &[u8]) -> Result<(), Fault> {
    let file = kernel::reopen(file, OFlags::RDWR)?;
    let size = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
    let length = bytes.len() as u64;
    if length > size {
        match rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, size, length - size) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)) => return Err(error.into()),
            // File systems that can't reserve space are no worse than without this.
            Ok(()) | Err(_) => {}
        }
    }
    let before = read(&file, size.min(length))?;
    let same = before.iter().zip(bytes).take_while(|(old, new)| old == new).count();
    // An append touches what is there as little as `O_APPEND` does; a file that is the same is still written to.
    let from = if same == bytes.len() && size == length { 0 } else { same };
    let rest = bytes.get(from..).unwrap_or_default();
    if let Err(error) = write_all(&file, rest, from as u64) {
        let _ = write_all(&file, before.get(from..).unwrap_or_default(), from as u64);
        let _ = rustix::fs::ftruncate(&file, size);
        return Err(error);
    }
    if size > length {
        rustix::fs::ftruncate(&file, length)?;
    }
    Ok(())
}

/// The first `length` bytes, or fewer where the file ends before.
pub(super) fn read(file: &OwnedFd, length: u64) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| Errno::FBIG)?];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(file, rest, done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

fn write_all(file: &OwnedFd, bytes: &[u8], offset: u64) -> Result<(), Fault> {
    stream::write_all(bytes, |rest, done| rustix::io::pwrite(file, rest, offset + done))
}

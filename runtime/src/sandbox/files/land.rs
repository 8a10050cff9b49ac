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

/// Makes a file under a name where nothing is. The answer is the file, opened by that name: the kernel knows one that had
/// none by none for ever.
///
/// # Errors
///
/// `EXIST` when something is there by now.
pub(super) fn create(slot: &Slot, unnamed: &OwnedFd, linkable: bool, bytes: &[u8]) -> Result<OwnedFd, Fault> {
    if linkable {
        write_all(unnamed, bytes, 0)?;
        let number = unnamed.as_raw_fd().to_string();
        let to = &slot.parent.handle;
        rustix::fs::linkat(kernel::own_descriptors()?, number, to, &slot.name, AtFlags::SYMLINK_FOLLOW)?;
        // Renamed or replaced in this instant: it was made, and what has its name now is somebody else's.
        return named(slot, unnamed).or_else(|_| Ok(rustix::io::fcntl_dupfd_cloexec(unnamed, 0)?));
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
    Ok(file)
}

/// The file that was just given its name, opened by it.
fn named(slot: &Slot, unnamed: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW;
    let found = kernel::open_beneath(&slot.parent.handle, slot.name.as_str(), flags, kernel::BENEATH)?;
    if Identity::of(&rustix::fs::fstat(&found)?) != Identity::of(&rustix::fs::fstat(unnamed)?) {
        return Err(Errno::NOENT);
    }
    kernel::reopen(&found, OFlags::RDONLY)
}

/// Makes `bytes` the whole content of an open file.
pub(super) fn overwrite(file: &OwnedFd, bytes: &[u8]) -> Result<(), Fault> {
    let file = kernel::reopen(file, OFlags::RDWR)?;
    let size = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
    let length = bytes.len() as u64;
    if length > size {
        let reserved = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, size, length - size);
        // File systems that can't reserve space are no worse than without this.
        if let Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::IO)) = reserved {
            return Err(error.into());
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use rustix::fs::SealFlags;

    use super::super::resolve::Found;
    use super::*;

    #[test]
    fn what_was_overwritten_is_put_back_when_a_byte_does_not_arrive() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("test", flags).unwrap();
        let before = vec![b'a'; 8_192];
        std::fs::File::from(file.try_clone().unwrap()).write_all(&before).unwrap();
        // From here on a write beyond the end fails, after what is before it was written.
        rustix::fs::fcntl_add_seals(&file, SealFlags::GROW).unwrap();
        assert!(overwrite(&file, &[b'b'; 12_288]).is_err());
        assert_eq!(read(&file, 20_000).unwrap(), before);
        overwrite(&file, b"short").unwrap();
        assert_eq!(read(&file, 20_000).unwrap(), b"short");
    }

    #[test]
    fn a_file_system_without_unnamed_files_gets_new_ones_that_replace_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let open = |path: &std::path::Path| rustix::fs::open(path, OFlags::PATH, Mode::empty()).unwrap();
        let slot = |name: &str| {
            let handle = open(folder.path());
            let stat = rustix::fs::fstat(&handle).unwrap();
            let parent = Found { handle, stat, real: PathBuf::new() };
            Slot { parent, name: name.to_owned(), slash: false, there: None }
        };
        let nowhere = rustix::fs::memfd_create("test", MemfdFlags::CLOEXEC).unwrap();
        create(&slot("new"), &nowhere, false, b"text").unwrap();
        assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"text");
        for linkable in [false, true] {
            let (unnamed, _) = unnamed(&open(folder.path())).unwrap();
            assert!(create(&slot("new"), &unnamed, linkable, b"other").is_err());
        }
        assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"text");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

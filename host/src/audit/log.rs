//! The file of a trail: it takes whole lines, or nothing.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, RenameFlags};

use super::error::AuditError;
use super::folder::{self, Access};
use super::reserve::Reserve;
use super::rotation;
use super::trail::Durability;

/// The name of the file that is written, in every trail's folder.
pub(super) const NAME: &str = "audit.jsonl";

/// An open `audit.jsonl`.
pub(super) struct Log {
    path: PathBuf,
    /// Shared with whoever waits for the disk, so that a wait holds no lock.
    file: Arc<File>,
    length: u64,
    reserve: Reserve,
    /// Something half-written stands behind the end, because it could not be cut off.
    torn: bool,
    /// Fails the writes that a test wants to fail.
    #[cfg(test)]
    pub(super) faults: tests::Faults,
}

impl Log {
    /// Opens the file for appending, and makes it if there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, AuditError> {
        let path = folder.join(NAME);
        let file = folder::open_or_make(&path, Access::Append)?;
        let length = file.metadata().map_err(AuditError::file("opened", &path))?.len();
        let reserve = Reserve::new(&path);
        Ok(Self {
            path,
            file: Arc::new(file),
            length,
            reserve,
            torn: false,
            #[cfg(test)]
            faults: tests::Faults::default(),
        })
    }

    /// How long it is, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The file, to wait for the disk with.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Sees to it that there is room for what has to be written even on a full disk.
    pub(super) fn reserve(&mut self) -> io::Result<()> {
        #[cfg(test)]
        self.faults.on_reserve()?;
        self.reserve.top_up(&self.file, self.length)
    }

    /// Appends a line. After an error the file is as it was before.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.cut(self.length)?;
        }
        let mut written = self.write(line);
        if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
            && self.reserve.release()
        {
            self.cut(self.length)?;
            written = self.write(line);
        }
        match written {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Nothing half-written may stay in the middle: the next line would be glued to it.
                self.cut(self.length)?;
                Err(error)
            }
        }
    }

    /// Cuts everything from here on.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.reserve.forget();
        self.torn = true;
        self.file.set_len(length)?;
        self.torn = false;
        self.length = length;
        Ok(())
    }

    /// Goes on in a new file; the old one becomes the segment that begins with record `first`. After an error the old
    /// one is still written.
    pub(super) fn rotate(&mut self, first: u64, durability: Durability) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let next = folder.join(rotation::NEXT);
        let file = folder::open_or_make(&next, Access::Append)
            .map_err(|error| io::Error::other(error.to_string()))?;
        file.set_len(0)?;
        let mut reserve = Reserve::new(&self.path);
        reserve.top_up(&file, 0)?;
        let segment = folder.join(rotation::segment_name(first));
        // Whoever waits for the disk will be given the new file: nothing of the old one may be left to wait for.
        if durability == Durability::Power {
            self.file.sync_data()?;
        }
        rustix::fs::renameat_with(CWD, &self.path, CWD, &segment, RenameFlags::NOREPLACE)?;
        if let Err(error) = std::fs::rename(&next, &self.path) {
            // Back to how it was; if that fails as well, the segment is what is written, and the next opening sees it.
            let _ = std::fs::rename(&segment, &self.path);
            return Err(error);
        }
        (self.file, self.length, self.reserve) = (Arc::new(file), 0, reserve);
        if durability == Durability::Power { File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        self.faults.on_write(&self.file, line)?;
        (&*self.file).write_all(line)
    }

    /// Gives back the blocks behind the end, when the trail is closed: ten thousand agents that rest need none.
    pub(super) fn release(&self) {
        // Never what somebody else wrote behind what this one knows of.
        if self.file.metadata().is_ok_and(|metadata| metadata.len() <= self.length) {
            let _ = self.file.set_len(self.length);
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What goes wrong next.
    #[derive(Debug, Default)]
    pub(in crate::audit) struct Faults {
        /// Each write leaves this many bytes and then fails.
        pub(in crate::audit) write: Option<usize>,
        /// The reserve cannot be topped up.
        pub(in crate::audit) reserve: bool,
    }

    impl Faults {
        pub(super) fn on_write(&self, mut file: &File, line: &[u8]) -> io::Result<()> {
            match self.write {
                None => Ok(()),
                Some(bytes) => {
                    file.write_all(line.get(..bytes).unwrap_or(line))?;
                    Err(io::ErrorKind::StorageFull.into())
                }
            }
        }

        pub(super) fn on_reserve(&self) -> io::Result<()> {
            if self.reserve { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn what_was_half_written_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path()).unwrap();
        log.append(b"one\n").unwrap();
        for bytes in 0..4 {
            log.faults.write = Some(bytes);
            assert!(log.append(b"two\n").is_err());
            assert_eq!(std::fs::read(log.path()).unwrap(), b"one\n");
        }
        log.faults.write = None;
        log.append(b"two\n").unwrap();
        assert_eq!(std::fs::read(log.path()).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn without_fallocate_a_file_beside_is_kept_and_given_up_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path()).unwrap();
        log.reserve = Reserve::without_blocks(&log.path);
        log.reserve().unwrap();
        let beside = folder.path().join("audit.reserve");
        assert_eq!(std::fs::metadata(&beside).unwrap().len(), super::super::reserve::ROOM);
        assert!(log.reserve.release());
        assert!(!beside.exists());
        assert!(!log.reserve.release());
        log.reserve().unwrap();
        assert!(beside.exists());
    }

    #[test]
    fn blocks_behind_the_end_do_not_make_the_file_longer() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path()).unwrap();
        log.append(b"one\n").unwrap();
        log.reserve().unwrap();
        let metadata = std::fs::metadata(log.path()).unwrap();
        assert_eq!(metadata.len(), 4);
        use std::os::unix::fs::MetadataExt;
        assert!(metadata.blocks() * 512 >= super::super::reserve::ROOM, "{}", metadata.blocks());
    }
}

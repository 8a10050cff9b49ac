//! Room on the disk that is ours before we need it: a full disk still records how calls ended, and the stop.
//!
//! Blocks are allocated behind the end of the file without moving it (`fallocate` with `KEEP_SIZE`). Where a file system
//! cannot do that, a file of real bytes lies beside the trail and is given up when the disk is full.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::folder::{self, Access};

/// How much room is kept, in bytes. An outcome has about 600, the largest 20,000.
pub(super) const ROOM: u64 = 128 << 10;
/// What of it has to be left, in bytes, for new calls to be let in.
pub(super) const LEAST: u64 = 64 << 10;

/// The room behind one trail.
#[derive(Debug)]
pub(super) struct Reserve {
    /// Up to here the file has blocks.
    end: u64,
    /// Of real bytes, where `fallocate` is not to be had.
    beside: PathBuf,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Blocks,
    Beside,
}

impl Reserve {
    /// No room yet.
    pub(super) fn new(trail: &Path) -> Self {
        Self { end: 0, beside: trail.with_extension("reserve"), how: How::Blocks }
    }

    /// No room yet, and no `fallocate` either.
    #[cfg(test)]
    pub(super) fn without_blocks(trail: &Path) -> Self {
        Self { how: How::Beside, ..Self::new(trail) }
    }

    /// Tops the room up behind a file of this length when more than half of it is eaten.
    pub(super) fn top_up(&mut self, file: &File, length: u64) -> io::Result<()> {
        if self.how == How::Blocks {
            if self.end >= length + LEAST {
                return Ok(());
            }
            match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, length, ROOM) {
                Ok(()) => {
                    self.end = length + ROOM;
                    return Ok(());
                }
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => self.how = How::Beside,
                Err(error) => return Err(error.into()),
            }
        }
        self.fill_beside()
    }

    fn fill_beside(&self) -> io::Result<()> {
        let other = |error| io::Error::other(format!("{error:#}"));
        if std::fs::symlink_metadata(&self.beside).is_ok_and(|metadata| metadata.len() >= ROOM) {
            return Ok(());
        }
        let mut file = folder::open_or_make(&self.beside, Access::InPlace).map_err(other)?;
        let chunk = [0x20; 4 << 10];
        let fill = (0..ROOM / chunk.len() as u64).try_for_each(|_| file.write_all(&chunk));
        // Half a reserve would be counted as one.
        fill.inspect_err(|_| drop(std::fs::remove_file(&self.beside)))
    }

    /// Gives the room up for one more try, if it is of that kind. Whether there was any.
    pub(super) fn release(&mut self) -> bool {
        self.how == How::Beside && std::fs::remove_file(&self.beside).is_ok()
    }

    /// The file was cut: blocks behind its end went with what was cut.
    pub(super) fn forget(&mut self) {
        self.end = 0;
    }
}

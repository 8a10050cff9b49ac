//! When a directory was made: what tells it from another one that got its number.
//!
//! A file system gives the number of a removed directory to the next one that is made, often at once. So a directory that is
//! taken away and made anew under the same name can have the same device and inode, and holds something else.

use std::fmt;
use std::os::fd::AsFd;
use std::path::Path;
use std::str::FromStr;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags};

/// overlayfs (`linux/magic.h`): a directory of a lower layer is made anew in the upper one when something in it changes first, and
/// stays the same to whoever uses it.
const OVERLAY: i64 = 0x794c_7630;

/// The time at which a directory was made, in nanoseconds since 1970 (`statx`'s `stx_btime`). Nobody can set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Born(i128);

impl Born {
    /// Of an open directory; none where the file system does not keep it.
    pub fn of(directory: impl AsFd) -> Option<Self> {
        let system = rustix::fs::fstatfs(&directory).ok()?;
        if system.f_type == OVERLAY {
            return None;
        }
        let told = rustix::fs::statx(&directory, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME).ok()?;
        let (mask, time) = (StatxFlags::from_bits_retain(told.stx_mask), told.stx_btime);
        mask.contains(StatxFlags::BTIME)
            .then(|| Self(i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)))
    }

    /// Of what is at a path now.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::of(rustix::fs::openat(CWD, path, flags, Mode::empty()).ok()?)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub fn nanoseconds(self) -> i128 {
        self.0
    }

    /// Whether two directories of one device and inode can be the same. Where either time is not known, the numbers alone say.
    #[must_use]
    pub fn agree(one: Option<Self>, other: Option<Self>) -> bool {
        one.zip(other).is_none_or(|(one, other)| one == other)
    }
}

impl fmt::Display for Born {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl FromStr for Born {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_made_anew_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("granted");
        std::fs::create_dir(&path).unwrap();
        let first = Born::at(&path);
        assert!(Born::agree(first, Born::at(&path)));
        assert_eq!(first.map(|born| born.to_string().parse()), first.map(Ok));
        // Until the kernel's clock for files has ticked.
        while first.is_some() && Born::agree(first, Born::at(&path)) {
            std::fs::remove_dir(&path).unwrap();
            std::fs::create_dir(&path).unwrap();
        }
        assert!(Born::agree(first, None), "what is not known says nothing");
    }
}

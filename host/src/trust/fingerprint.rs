//! Whether anything of an agent was touched since somebody looked: a system call a file, and no content read.
//!
//! The rule: equal means nothing happened; unequal means look. A file that was changed only just now is never equal, since
//! the kernel's clock for files ticks in milliseconds and a second change could hide in the same tick.

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Stat};
use sha2::{Digest as _, Sha256};
use soulbound_runtime::sandbox::files::Born;
use soulbound_runtime::skill::Digest;

/// File times tick at most every 10 ms (`CONFIG_HZ=100`); twice that.
const TICK: i64 = 20_000_000;

/// What of a path is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    /// Whether it was written, replaced or renamed: for files, and for folders whose entries matter.
    Content,
    /// The same of what a link leads to: an operator may keep a skill's folder elsewhere.
    Target,
    /// Whether it is the same directory. What is in it changes all the time.
    Identity,
}

/// Paths and what the kernel said of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fingerprint {
    stamps: Vec<(PathBuf, Look, Stamp)>,
}

/// What the kernel says of a path; nothing where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    seen: Option<[i128; 7]>,
    young: bool,
}

impl Fingerprint {
    /// Looks at these paths, before their content is read.
    pub(crate) fn take(paths: Vec<(PathBuf, Look)>) -> Self {
        let stamps = paths.into_iter().map(|(path, look)| {
            let stamp = Stamp::of(&path, look);
            (path, look, stamp)
        });
        Self { stamps: stamps.collect() }
    }

    /// Whether all paths are as they were.
    pub(crate) fn is_current(&self) -> bool {
        self.stamps.iter().all(|(path, look, stamp)| !stamp.young && Stamp::of(path, *look) == *stamp)
    }

    /// Both together.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.stamps.extend(other.stamps.iter().cloned());
        self
    }

    /// The paths that were looked at.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.stamps.iter().map(|(path, _, _)| path.as_path())
    }

    /// All of it as one value to be kept; none while something in it is too young to tell.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let mut hash = Sha256::new();
        for (path, look, stamp) in &self.stamps {
            if stamp.young {
                return None;
            }
            let path = path.as_os_str().as_encoded_bytes();
            hash.update(path.len().to_le_bytes());
            hash.update(path);
            hash.update([*look as u8, u8::from(stamp.seen.is_some())]);
            stamp.seen.iter().flatten().for_each(|number| hash.update(number.to_le_bytes()));
        }
        Some(Digest(hash.finalize().into()))
    }
}

impl Stamp {
    fn of(path: &Path, look: Look) -> Self {
        let flags = if look == Look::Content { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        let Ok(stat) = rustix::fs::statat(CWD, path, flags) else { return Self { seen: None, young: false } };
        let changed = nanoseconds(stat.st_ctime, stat.st_ctime_nsec);
        let (device, inode) = (i128::from(stat.st_dev), i128::from(stat.st_ino));
        match look {
            Look::Identity => {
                let born = Born::at(path).map_or(0, Born::nanoseconds);
                Self { seen: Some([device, inode, born, 0, 0, 0, 0]), young: false }
            }
            Look::Content | Look::Target => {
                Self { seen: Some(Self::content(&stat, changed)), young: is_young(changed) }
            }
        }
    }

    fn content(stat: &Stat, changed: i128) -> [i128; 7] {
        [
            i128::from(stat.st_dev),
            i128::from(stat.st_ino),
            i128::from(stat.st_mode),
            i128::from(stat.st_nlink),
            i128::from(stat.st_size),
            nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed,
        ]
    }
}

fn nanoseconds(seconds: i64, nanoseconds: impl Into<i128>) -> i128 {
    i128::from(seconds) * 1_000_000_000 + nanoseconds.into()
}

/// Whether the kernel's clock for files may not have ticked since.
fn is_young(changed: i128) -> bool {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    // A time in the future tells nothing either, but one far ahead would make the file young for ever.
    let age = nanoseconds(now.tv_sec, now.tv_nsec) - changed;
    age.abs() < i128::from(TICK)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A fingerprint that is old enough to tell.
    fn settled(paths: &[(PathBuf, Look)]) -> Fingerprint {
        loop {
            let taken = Fingerprint::take(paths.to_vec());
            if taken.is_current() {
                return taken;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn every_way_to_change_a_file_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("SOUL.md");
        let change: [(&str, &dyn Fn()); 5] = [
            ("written in place, same size", &|| fs::write(&file, "two").unwrap()),
            ("replaced", &|| {
                fs::write(place.path().join("new"), "two").unwrap();
                fs::rename(place.path().join("new"), &file).unwrap();
            }),
            ("replaced by a link to the same", &|| {
                fs::rename(&file, place.path().join("moved")).unwrap();
                symlink(place.path().join("moved"), &file).unwrap();
            }),
            ("gone", &|| fs::remove_file(&file).unwrap()),
            ("times put back", &|| {
                let before = fs::metadata(&file).unwrap().modified().unwrap();
                fs::write(&file, "two").unwrap();
                fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
            }),
        ];
        for (what, change) in change {
            let _ = fs::remove_file(&file);
            fs::write(&file, "one").unwrap();
            let taken = settled(&[(file.clone(), Look::Content)]);
            let kept = taken.digest();
            change();
            assert!(!taken.is_current(), "{what}");
            let now = Fingerprint::take(vec![(file.clone(), Look::Content)]).digest();
            assert!(kept.is_some() && now != kept, "{what}");
        }
    }

    #[test]
    fn what_was_written_only_just_now_is_never_current() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("SOUL.md");
        fs::write(&file, "one").unwrap();
        let taken = Fingerprint::take(vec![(file, Look::Content)]);
        assert!(taken.digest().is_none() || taken.is_current());
    }

    #[test]
    fn a_granted_directory_is_the_same_whatever_is_written_in_it() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("docs");
        fs::create_dir(&directory).unwrap();
        let taken = settled(&[(directory.clone(), Look::Identity)]);
        fs::write(directory.join("new"), "x").unwrap();
        assert!(taken.is_current());
        fs::rename(&directory, place.path().join("old")).unwrap();
        fs::create_dir(&directory).unwrap();
        assert!(!taken.is_current());
    }
}

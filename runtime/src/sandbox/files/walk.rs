//! A bounded walk over what a directory holds, by handles and without following anything.
//!
//! The rule: it ends. A tree that is too large is reported as such, and the caller decides what that means.

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// Directories nested deeper than this are not looked into: each level holds a descriptor open.
const DEPTH: usize = 64;

/// How a walk ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended<B> {
    /// Everything was seen.
    Whole,
    /// There was more than may be looked at.
    TooLarge,
    /// The visitor had seen enough.
    Stopped(B),
}

/// Visits every entry below `top`, at most `limit` of them, links as links.
pub(super) fn walk<B>(
    top: &OwnedFd,
    limit: usize,
    mut visit: impl FnMut(&CStr, &Stat) -> ControlFlow<B>,
) -> Result<Ended<B>, Errno> {
    let mut open = vec![Dir::new(enter(top, c".")?)?];
    let mut seen = 0;
    while let Some(directory) = open.last_mut() {
        let Some(entry) = directory.read() else {
            open.pop();
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        seen += 1;
        if seen > limit {
            return Ok(Ended::TooLarge);
        }
        let stat = match rustix::fs::statat(directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            answer => answer?,
        };
        if let ControlFlow::Break(found) = visit(name, &stat) {
            return Ok(Ended::Stopped(found));
        }
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            if open.len() >= DEPTH {
                return Ok(Ended::TooLarge);
            }
            let next = open.last().map(|directory| enter(directory.fd()?, name));
            match next {
                Some(Ok(below)) => open.push(Dir::new(below)?),
                Some(Err(Errno::NOENT)) | None => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }
    Ok(Ended::Whole)
}

fn enter(dir: impl std::os::fd::AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

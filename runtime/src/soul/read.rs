//! Reading SOUL.md from disk: a regular file of bounded size, opened without waiting for anybody.
//!
//! A FIFO in the file's place would hold the program until somebody writes to it, and a device might never
//! end. So the type and the size of what was opened are known before a byte is read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

use super::encoding::{self, MAXIMUM_BYTES};
use super::{Soul, SoulErrors};

/// Why a SOUL.md was not read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no file that could be read: it is missing, not permitted, a directory, a FIFO.
    Unreadable {
        /// The file as the operator named it.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The file was read, and its content is wrong.
    Content(SoulErrors),
}

impl fmt::Display for ReadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, reason } => {
                let path = crate::visible::line(&path.display().to_string());
                write!(
                    formatter,
                    "cannot read `{path}`: {reason}\n  hint: name a SOUL.md file, such as `./SOUL.md`"
                )
            }
            Self::Content(errors) => errors.fmt(formatter),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { reason, .. } => Some(reason),
            Self::Content(errors) => Some(errors),
        }
    }
}

/// Reads and parses the file.
pub(super) fn read(path: &Path) -> Result<Soul, ReadError> {
    let name = path.display().to_string();
    let bytes = checked(path, OFlags::empty(), &name)?;
    Soul::parse(&name, &bytes).map_err(ReadError::Content)
}

/// Reads a SOUL.md's bytes and nothing more, for a program that keeps them: a regular file of at most 256 KiB, and not
/// through a link.
///
/// # Errors
///
/// The file cannot be read, or is too large.
pub fn bytes_of(path: &Path) -> Result<Vec<u8>, ReadError> {
    checked(path, OFlags::NOFOLLOW, &path.display().to_string())
}

fn checked(path: &Path, more: OFlags, name: &str) -> Result<Vec<u8>, ReadError> {
    let unreadable = |reason| ReadError::Unreadable { path: path.to_owned(), reason };
    bytes(path, more).map_err(unreadable)?.map_err(|size| {
        let errors = vec![encoding::too_large(name, size)];
        ReadError::Content(SoulErrors { errors, warnings: Vec::new() })
    })
}

/// The file's bytes, or its size if that is too large.
fn bytes(path: &Path, more: OFlags) -> io::Result<Result<Vec<u8>, u64>> {
    // Without O_NONBLOCK the open itself would wait for a FIFO's other end.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Directory => Some("it is a directory"),
        FileType::Fifo => Some("it is a FIFO"),
        _ => Some("it is no regular file"),
    };
    if let Some(kind) = kind {
        return Err(io::Error::other(kind));
    }
    let limit = u64::try_from(MAXIMUM_BYTES).unwrap_or(u64::MAX);
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size > limit {
        return Ok(Err(size));
    }
    // The file may grow while it is read: no more than a byte over the limit is ever held.
    let mut bytes = Vec::new();
    File::from(file).take(limit + 1).read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

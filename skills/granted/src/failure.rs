//! An error of the file system as a failure to act on. The rule: every message ends with what to do next,
//! where there is something to do.

use std::io::{Error, ErrorKind};

use crate::{directories_in_words, quoted};

/// Which failure it is. A skill maps these to the cases of its own WIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is there, or it lies outside the grants.
    NotFound,
    /// The grant does not allow it.
    Denied,
    /// A directory, where a file was expected.
    NotAFile,
    /// A file, where a directory was expected.
    NotADirectory,
    /// Something is there already.
    Exists,
    /// The directory still holds something.
    NotEmpty,
    /// More than can be done at once.
    TooLarge,
    /// The call's or the machine's room is used up.
    NoSpace,
    /// An argument makes no sense.
    InvalidArgument,
    /// Something else.
    Failed,
}

/// A failure: which, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which one it is.
    pub kind: Kind,
    /// What happened, in lower case, with the remedy.
    pub message: String,
}

impl Failure {
    /// A failure of `kind` that says `message`.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What the file system answered for `path`.
    pub fn from_io(error: &Error, path: &str) -> Self {
        let shown = quoted(path);
        match kind_of(error) {
            ErrorKind::NotFound => Self::not_found(path),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::new(
                Kind::Denied,
                format!("{shown} may not be used in this way; {}", directories_in_words()),
            ),
            ErrorKind::IsADirectory => Self::new(Kind::NotAFile, format!("{shown} is a directory")),
            ErrorKind::NotADirectory => {
                Self::new(Kind::NotADirectory, format!("{shown} is not a directory, or leads through a file"))
            }
            ErrorKind::AlreadyExists => Self::new(Kind::Exists, format!("{shown} exists already")),
            ErrorKind::DirectoryNotEmpty => {
                Self::new(Kind::NotEmpty, format!("{shown} is not empty; delete what is in it first"))
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                Self::new(Kind::NoSpace, format!("no room is left to write {shown}"))
            }
            ErrorKind::InvalidInput | ErrorKind::InvalidFilename => {
                Self::new(Kind::InvalidArgument, format!("{shown} can't be a path"))
            }
            _ => Self::new(Kind::Failed, format!("{shown}: {error}")),
        }
    }

    /// The host answers 'no such entry' for what is not granted too, so the message must not send the model
    /// looking for a typing error alone.
    pub fn not_found(path: &str) -> Self {
        Self::new(
            Kind::NotFound,
            format!(
                "nothing is at {}; what lies outside the grants looks the same: {}",
                quoted(path),
                directories_in_words()
            ),
        )
    }

    /// A file can't be made at `path` because what it would lie in is not there.
    pub fn no_directory_for(path: &str) -> Self {
        Self::new(
            Kind::NotFound,
            format!(
                "no directory is there to hold {}; what lies outside the grants looks the same: {}",
                quoted(path),
                directories_in_words()
            ),
        )
    }
}

/// The error's kind, also where std on WASI knows no name for the number that libc gave it.
pub fn kind_of(error: &Error) -> ErrorKind {
    match error.raw_os_error() {
        // From wasi-libc's `__errno_values.h`: EDQUOT, EFBIG, ENAMETOOLONG, ENOSPC, ENOTEMPTY, EROFS, EXDEV,
        // ENOTCAPABLE.
        Some(19) if cfg!(target_os = "wasi") => ErrorKind::QuotaExceeded,
        Some(22) if cfg!(target_os = "wasi") => ErrorKind::FileTooLarge,
        Some(37) if cfg!(target_os = "wasi") => ErrorKind::InvalidFilename,
        Some(51) if cfg!(target_os = "wasi") => ErrorKind::StorageFull,
        Some(55) if cfg!(target_os = "wasi") => ErrorKind::DirectoryNotEmpty,
        Some(69) if cfg!(target_os = "wasi") => ErrorKind::ReadOnlyFilesystem,
        Some(75) if cfg!(target_os = "wasi") => ErrorKind::CrossesDevices,
        Some(76) if cfg!(target_os = "wasi") => ErrorKind::PermissionDenied,
        _ => error.kind(),
    }
}

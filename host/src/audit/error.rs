//! Why a trail cannot be opened or written. Each is a refusal: without its record nothing runs.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong with a trail.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuditError {
    /// The system said no.
    #[error("`{}` cannot be {doing}: {source}", path.display())]
    File {
        /// `opened`, `written`, …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link, a FIFO, a file of another user: somebody else put it there.
    #[error("`{}` is {what}, not a file of this gateway\n  hint: move it away and look at who put it there", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// Trails are there and the keys that made them are not.
    #[error(
        "the keys of the audit trails are gone from `{}`\n  hint: put them back from a backup, or move the trails away; \
         new keys would make every record look forged",
        path.display()
    )]
    KeysGone {
        /// The folder of the keys.
        path: PathBuf,
    },
    /// A key file that holds no key.
    #[error("`{}` holds no key of this program\n  hint: put it back from a backup", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// Intents are refused for now.
    #[error("the audit trail takes no new calls: {reason}")]
    Unavailable {
        /// What failed.
        reason: String,
    },
}

impl AuditError {
    /// Puts the path and what was tried beside the system's error.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}

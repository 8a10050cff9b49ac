//! A granted directory as SOUL.md writes it: where it is, where the skill sees it, what may be done there.
//!
//! This is the text. Opening the directory, and everything that only the file system can tell, is the sandbox's.

use std::fmt;

use crate::denial::RuleRef;

/// What a skill may do below a granted directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectoryMode {
    /// Read, recursively.
    Read,
    /// Read and write, recursively.
    Write,
    /// Make new files; no reading, no overwriting, no deleting.
    Create,
}

impl DirectoryMode {
    /// The key of SOUL.md that grants it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
        }
    }
}

impl fmt::Display for DirectoryMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.key())
    }
}

/// One entry of a `read`, `write` or `create` line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectoryGrant {
    /// What may be done.
    pub mode: DirectoryMode,
    /// The directory as written, without backticks: absolute, or relative to the SOUL.md's folder.
    pub path: String,
    /// Where the skill sees it: absolute, no trailing slash, never `/` itself, such as `/documents`.
    pub guest: String,
    /// Whether names that start with a dot are there for the skill.
    pub hidden: bool,
    /// The line of SOUL.md, with the entry's column.
    pub rule: RuleRef,
}

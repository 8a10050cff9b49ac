//! A process that has only its pipes: walls of the kernel's around one that handles hostile bytes.
//!
//! A bug in a decoder or a compiler would let a component run code of its own choosing in that process. What such code
//! could then do is decided here, by the kernel: no file (Landlock, with nothing granted), and no system call but those for
//! memory, threads and the three pipes that it was started with (seccomp). Both hold for the calling thread and
//! every thread that it starts from then on, for good: so this is called while there is one thread.
//!
//! The rule: a wall that the kernel has stands, or the process does not go on; one that the kernel has not is named in
//! [`Walls`], and whoever runs the program is told.

mod files;
mod system_calls;

use serde::{Deserialize, Serialize};

/// Which of the kernel's walls stand around a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Walls {
    /// The version of Landlock that keeps it from every file; `None` where the kernel has none.
    pub landlock: Option<u32>,
    /// Whether a filter decides which system calls it may make.
    pub seccomp: bool,
}

/// Why a wall that the kernel has could not be put up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    #[error("Landlock: {0}")]
    Landlock(#[from] landlock::RulesetError),
    #[error("seccomp: {0}")]
    Seccomp(#[from] seccompiler::Error),
    #[error("{0}")]
    System(#[from] rustix::io::Errno),
}

impl Walls {
    /// What is missing, in words; none when all stand.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let landlock = self.landlock.is_none().then_some("Landlock (Linux 5.13 or newer, switched on)");
        landlock.into_iter().chain((!self.seccomp).then_some("seccomp")).collect()
    }
}

/// Leaves this thread, and all that it starts from now on, its memory and the descriptors 0, 1 and 2.
///
/// # Errors
///
/// A wall that this kernel has could not be put up. The process must not go on then.
pub(crate) fn to_pipes() -> Result<Walls, ConfineError> {
    // Another process of this user could otherwise read what this one holds, or write to it.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    // In this order: the filter allows no system call of Landlock's.
    let landlock = files::none()?;
    Ok(Walls { landlock, seccomp: system_calls::few()? })
}

#[cfg(test)]
mod tests;

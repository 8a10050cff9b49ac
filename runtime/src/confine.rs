//! A process that has only what it was handed: walls of the kernel's around one that handles hostile bytes, or runs a guest.
//!
//! A bug in a decoder, a compiler or the engine would let a component run code of its own choosing in that process. What such
//! code could then do is decided here, by the kernel. One that compiles: no file (Landlock, with nothing granted), and no
//! system call but those for memory, threads and the three pipes that it was started with (seccomp). One that runs a skill's
//! calls: the granted directories besides, through the handles that it was handed. Both hold for the calling thread and
//! every thread that it starts from then on, for good: so this is called while there is one thread.
//!
//! The rule: a wall that the kernel has stands, or the process does not go on; one that the kernel has not is named in
//! [`Walls`], and whoever runs the program is told.

mod files;
mod system_calls;

use std::os::fd::AsFd;

use serde::{Deserialize, Serialize};

use crate::grant::DirectoryMode;

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
    #[error("{0}")]
    Lacking(String),
}

/// The oldest Landlock that keeps a process which has directories to them. Version 1 lets nothing be renamed between
/// directories; before 3 (Linux 6.2) a file that may only be read can be emptied by opening it.
const LEAST_LANDLOCK: u32 = 3;

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

/// Leaves this thread, and all that it starts from now on, its memory, these directories as far as their mode goes, and the
/// descriptors that it has but those that it `inherited`: whoever started the program may have left some open.
///
/// # Errors
///
/// A wall could not be put up, or this kernel lacks one: there is no doing without here, or calls would run behind fewer walls
/// than the operator asked for.
pub(crate) fn to_directories<H: AsFd>(
    directories: impl IntoIterator<Item = (H, DirectoryMode)>,
    inherited: &[u32],
) -> Result<Walls, ConfineError> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    let landlock = files::only(directories)?;
    if landlock.is_none_or(|version| version < LEAST_LANDLOCK) {
        let has = landlock.map_or_else(|| "has none".to_owned(), |version| format!("has version {version}"));
        return Err(ConfineError::Lacking(format!(
            "Landlock {LEAST_LANDLOCK} (Linux 6.2, switched on) is needed, and this kernel {has}"
        )));
    }
    if !system_calls::of_a_guest(inherited)? {
        return Err(ConfineError::Lacking("seccomp is needed, and this kernel has none".to_owned()));
    }
    Ok(Walls { landlock, seccomp: true })
}

#[cfg(test)]
mod directory_tests;
#[cfg(test)]
mod tests;

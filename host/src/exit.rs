//! How the program ends: 0 done, 1 refused or findings, 2 usage or could not run.

use std::process::ExitCode;

/// The three ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// A denial, a tool's error, a finding.
    Refused,
    /// Bad usage, or something that the answer needs cannot be read.
    CouldNotRun,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Refused => Self::from(1),
            Exit::CouldNotRun => Self::from(2),
        }
    }
}

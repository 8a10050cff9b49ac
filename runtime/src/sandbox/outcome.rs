//! What came of a call: the one way out of the sandbox.

use std::time::Duration;

use serde_json::Value;

use crate::denial::{Denial, DenialId};
use crate::sandbox::log::LogLine;
use crate::sandbox::overseer::Access;

/// A call's end, with everything that it did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Every denial on the way, in order; a tool that went on after one may have succeeded. At most 100.
    pub denials: Vec<Denial>,
    /// Every access, allowed or not, in order. At most 1,000.
    pub accesses: Vec<Access>,
    /// Accesses beyond those.
    pub accesses_dropped: u64,
    /// What the guest printed and logged.
    pub log: Vec<LogLine>,
    /// Bytes of it that did not fit.
    pub log_dropped: u64,
    /// Wall-clock time, waiting for the overseer included.
    pub duration: Duration,
    /// The most memory that the guest had at once, in bytes.
    pub memory_peak: u64,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The tool returned this value.
    Returned(Value),
    /// It did not: a denial, an error, or an error after a denial.
    Failed {
        /// What was refused, or which limit was reached.
        denial: Option<Denial>,
        /// What the tool or the engine said.
        error: Option<CallError>,
    },
}

/// An error of a call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CallError {
    /// Whose.
    pub kind: ErrorKind,
    /// A denial's id, where one fits: `guest.trap`, `guest.exit`.
    pub id: Option<DenialId>,
    /// What happened. May hold text of the guest's: escape before showing.
    pub message: String,
    /// The tool's own error value.
    pub value: Option<Value>,
}

/// Whose error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The tool returned an error.
    Tool,
    /// The guest crashed, or was ended.
    Trap,
    /// The arguments do not fit the tool, or there is no such tool.
    Arguments,
    /// The component does not start.
    Component,
}

impl CallError {
    /// An error with a message.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, id: None, message: message.into(), value: None }
    }
}

impl Outcome {
    /// A call that was refused before it began.
    #[must_use]
    pub fn refused(denial: Denial) -> Self {
        Self::before_start(Ending::Failed { denial: Some(denial), error: None })
    }

    /// A call that could not begin.
    #[must_use]
    pub fn failed(error: CallError) -> Self {
        Self::before_start(Ending::Failed { denial: None, error: Some(error) })
    }

    /// A call that ended before it began.
    pub(crate) fn before_start(ending: Ending) -> Self {
        let denials = match &ending {
            Ending::Failed { denial: Some(denial), .. } => vec![denial.clone()],
            _ => Vec::new(),
        };
        Self {
            ending,
            denials,
            accesses: Vec::new(),
            accesses_dropped: 0,
            log: Vec::new(),
            log_dropped: 0,
            duration: Duration::ZERO,
            memory_peak: 0,
        }
    }

    /// Whether the tool returned a value.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self.ending, Ending::Returned(_))
    }

    /// The denial that ended the call, if one did.
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        match &self.ending {
            Ending::Failed { denial, .. } => denial.as_ref(),
            Ending::Returned(_) => None,
        }
    }
}

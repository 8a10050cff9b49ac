//! The limits of one call, each with a number: what SOUL.md and the operator left open is filled from here.

use std::time::Duration;

use crate::grant::limit::{Limits, Rate};

/// What a call may use up, and a skill over time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallLimits {
    /// Wall-clock time of one call; waiting for a person does not count.
    pub time: Duration,
    /// Linear memories and tables of one call together, in bytes.
    pub memory: u64,
    /// The result as JSON, in bytes.
    pub output: u64,
    /// Bytes that one call may write to files.
    pub disk: u64,
    /// Calls over time; all of them hold.
    pub rate: Vec<Rate>,
    /// Bytes sent over the network over time; all of them hold.
    pub egress: Vec<Rate>,
}

/// 30 s, 256 MiB, 1 MiB of output, 256 MiB written, 120 calls a minute.
#[must_use]
pub fn default_limits() -> Limits {
    Limits {
        time: Some(Duration::from_secs(30)),
        memory: Some(256 << 20),
        output: Some(1 << 20),
        disk: Some(256 << 20),
        rate: vec![Rate { amount: 120, per: Duration::from_secs(60) }],
        ..Limits::default()
    }
}

impl CallLimits {
    /// A skill's own limits under the operator's: of each the stricter.
    pub(crate) fn of(own: &Limits, operator: &Limits) -> Self {
        let tight = own.tighten(&operator.over(&default_limits()));
        Self {
            time: tight.time.unwrap_or(Duration::from_secs(30)),
            memory: tight.memory.unwrap_or(256 << 20),
            output: tight.output.unwrap_or(1 << 20),
            disk: tight.disk.unwrap_or(256 << 20),
            rate: tight.rate,
            egress: tight.egress,
        }
    }
}

//! What one call, and a skill over time, may use up: the operator's defaults, and SOUL.md's `limit` that only tightens.

use std::time::Duration;

use crate::denial::RuleRef;

/// Limits of one skill. `None` leaves the operator's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Wall-clock time of one call.
    pub time: Option<Duration>,
    /// Memory of one call, in bytes: the sum of its linear memories and tables.
    pub memory: Option<u64>,
    /// The result of one call as JSON, in bytes.
    pub output: Option<u64>,
    /// What one call may write to files, in bytes.
    pub disk: Option<u64>,
    /// Calls over time.
    pub rate: Option<Rate>,
    /// Bytes sent over the network over time.
    pub egress: Option<Rate>,
    /// The line that set them.
    pub rule: Option<RuleRef>,
}

/// An amount over a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many calls, or bytes.
    pub amount: u64,
    /// In which time: a second, a minute, an hour or a day.
    pub per: Duration,
}

/// Stub.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs)]
pub struct EffectiveLimits { pub time: Duration, pub memory: u64, pub output: u64, pub disk: u64, pub rate: Option<Rate>, pub egress: Option<Rate> }
impl Limits {
    /// Stub.
    #[must_use]
    pub fn tighten(&self, d: &EffectiveLimits) -> EffectiveLimits {
        EffectiveLimits { time: self.time.unwrap_or(d.time).min(d.time), memory: self.memory.unwrap_or(d.memory).min(d.memory), ..d.clone() }
    }
}

//! The one clock: what time it is, in UTC, as every record and every page writes it.

use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Timelike, Utc};

/// A moment in UTC, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(DateTime<Utc>);

impl Moment {
    /// Now, by the system's clock.
    pub(crate) fn now() -> Self {
        Self(Utc::now())
    }

    /// Reads RFC 3339, in any offset; a bare date is its midnight in UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let with_time = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}T00:00:00Z")));
        with_time.ok().map(|time| Self(time.to_utc()))
    }

    /// `HH:MM`, as HEARTBEAT.md's lines begin.
    pub(crate) fn minute(self) -> String {
        format!("{:02}:{:02}", self.0.hour(), self.0.minute())
    }

    /// Seconds since 1970; 0 before that.
    pub(crate) fn seconds(self) -> u64 {
        u64::try_from(self.0.timestamp()).unwrap_or_default()
    }

    /// So much later.
    pub(crate) fn after(self, time: std::time::Duration) -> Self {
        Self(
            TimeDelta::from_std(time).ok().and_then(|time| self.0.checked_add_signed(time)).unwrap_or(self.0),
        )
    }

    /// Days since the common era began: equal for two moments of one UTC day.
    pub(crate) fn day(self) -> i32 {
        self.0.num_days_from_ce()
    }
}

/// `2026-11-21T05:49:55.123Z`
impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let now = Moment::now();
        assert_eq!(Moment::parse(&now.to_string()).map(|moment| moment.to_string()), Some(now.to_string()));
        assert_eq!(Moment::parse("2026-11-21").map(|day| day.minute()), Some("00:00".to_owned()));
        assert_eq!(Moment::parse("yesterday"), None);
    }
}

//! What is usual for a skill: its tools, hosts, rates and volumes, learned from what it did, bounded, kept over restarts.
//!
//! A baseline belongs to a component. Newly trusted bytes are another program with another normal, so they begin anew. A
//! newly trusted SOUL.md begins nothing anew: the first use of what it adds is just what a person wants to see. What was out of
//! pattern is never learned as a rate; a tool or a host is, once it was noted, since the next one is what matters then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::Digest;

use super::knobs::Knobs;
use crate::clock::Moment;

/// Tools and hosts that are kept by name. Beyond, a new one stays new.
const NAMES: usize = 256;
/// Steps of the distribution of calls an hour: 1, 2–3, 4–7, … each twice as wide as the one before.
const STEPS: usize = 24;
/// Minutes with calls that have to be known before one can be unusual.
const MINUTES: u64 = 10;
/// Hours with calls that have to be known before one's volume can be unusual.
const HOURS: u64 = 5;

/// What is usual for one skill.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Baseline {
    /// Of which component; none before the first call.
    pub(crate) component: Option<Digest>,
    /// When the learning began.
    pub(crate) since: String,
    /// Calls that ran.
    pub(crate) calls: u64,
    /// Of those, how many failed.
    pub(crate) failed: u64,
    /// Calls by tool.
    pub(crate) tools: BTreeMap<String, u64>,
    /// Requests by origin.
    pub(crate) hosts: BTreeMap<String, u64>,
    /// Hours by how many calls they had: of 1, of 2 and 3, of 4 to 7, …
    pub(crate) calls_an_hour: Vec<u64>,
    /// Minutes in which there were calls.
    pub(crate) minutes: u64,
    /// The most calls in a minute.
    pub(crate) busiest_minute: u64,
    /// Bytes sent, in all and in the hour that had most.
    pub(crate) sent: Volume,
    /// Bytes written, likewise.
    pub(crate) written: Volume,
}

/// Bytes of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Volume {
    /// In all.
    pub(crate) total: u64,
    /// In the hour that had most.
    pub(crate) busiest_hour: u64,
}

impl Baseline {
    /// One of this component that knows nothing yet.
    pub(crate) fn of(component: Digest) -> Self {
        Self { component: Some(component), since: Moment::now().to_string(), ..Self::default() }
    }

    /// Whether there were calls enough to tell what is new.
    pub(crate) fn is_learned(&self, knobs: &Knobs) -> bool {
        self.calls >= knobs.learn
    }

    /// Whether it can tell how many calls a minute usually has.
    pub(super) fn knows_minutes(&self, knobs: &Knobs) -> bool {
        self.is_learned(knobs) && self.minutes >= MINUTES
    }

    /// Whether it can tell how much an hour usually moves.
    pub(super) fn knows_hours(&self, knobs: &Knobs) -> bool {
        self.is_learned(knobs) && self.hours() >= HOURS
    }

    /// Hours in which there were calls.
    pub(crate) fn hours(&self) -> u64 {
        self.calls_an_hour.iter().sum()
    }

    /// Counts a use of a tool. Whether it was there before.
    pub(super) fn used(&mut self, tool: &str) -> bool {
        count(&mut self.tools, tool)
    }

    /// Counts a request to an origin. Whether it was there before.
    pub(super) fn contacted(&mut self, origin: &str) -> bool {
        count(&mut self.hosts, origin)
    }

    fn minute_ended(&mut self, calls: u64) {
        self.minutes += 1;
        self.busiest_minute = self.busiest_minute.max(calls);
    }

    fn hour_ended(&mut self, hour: Running) {
        if hour.calls > 0 {
            self.calls_an_hour.resize(STEPS, 0);
            let step = usize::try_from(hour.calls.ilog2()).unwrap_or(STEPS).min(STEPS - 1);
            if let Some(hours) = self.calls_an_hour.get_mut(step) {
                *hours += 1;
            }
        }
        self.sent.busiest_hour = self.sent.busiest_hour.max(hour.sent);
        self.written.busiest_hour = self.written.busiest_hour.max(hour.written);
    }
}

/// Counts a name, if there is room for it. Whether it was there before.
fn count(names: &mut BTreeMap<String, u64>, name: &str) -> bool {
    if let Some(count) = names.get_mut(name) {
        *count += 1;
        return true;
    }
    if names.len() < NAMES {
        names.insert(name.to_owned(), 1);
    }
    false
}

/// The minute and the hour that are not over yet.
#[derive(Debug, Default)]
pub(super) struct Current {
    minute: Option<Running>,
    hour: Option<Running>,
    /// Something out of pattern was noted in them: they are not learned.
    pub(super) odd_minute: bool,
    pub(super) odd_hour: bool,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    began: Instant,
    calls: u64,
    sent: u64,
    written: u64,
}

impl Running {
    fn since(began: Instant) -> Self {
        Self { began, calls: 0, sent: 0, written: 0 }
    }

    fn is_over(&self, now: Instant, seconds: u64) -> bool {
        now.saturating_duration_since(self.began) >= Duration::from_secs(seconds)
    }
}

impl Current {
    /// A call begins.
    pub(super) fn call(&mut self, baseline: &mut Baseline, now: Instant) {
        self.turn(baseline, now);
        self.minute.get_or_insert(Running::since(now)).calls += 1;
        self.hour.get_or_insert(Running::since(now)).calls += 1;
    }

    /// Bytes leave.
    pub(super) fn moved(&mut self, baseline: &mut Baseline, now: Instant, sent: u64, written: u64) {
        self.turn(baseline, now);
        baseline.sent.total = baseline.sent.total.saturating_add(sent);
        baseline.written.total = baseline.written.total.saturating_add(written);
        let hour = self.hour.get_or_insert(Running::since(now));
        hour.sent = hour.sent.saturating_add(sent);
        hour.written = hour.written.saturating_add(written);
    }

    /// The program leaves: what there is counts as a minute and an hour.
    pub(super) fn end(&mut self, baseline: &mut Baseline) {
        if let Some(minute) = self.minute.take().filter(|_| !self.odd_minute) {
            baseline.minute_ended(minute.calls);
        }
        if let Some(hour) = self.hour.take().filter(|_| !self.odd_hour) {
            baseline.hour_ended(hour);
        }
        *self = Self::default();
    }

    fn turn(&mut self, baseline: &mut Baseline, now: Instant) {
        if let Some(minute) = self.minute.take_if(|minute| minute.is_over(now, 60))
            && !std::mem::take(&mut self.odd_minute)
        {
            baseline.minute_ended(minute.calls);
        }
        if let Some(hour) = self.hour.take_if(|hour| hour.is_over(now, 3_600))
            && !std::mem::take(&mut self.odd_hour)
        {
            baseline.hour_ended(hour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_minutes_are_learned_when_they_are_over_and_odd_ones_never() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut baseline, mut current) = (Baseline::default(), Current::default());
        for second in [0, 1, 2, 70] {
            current.call(&mut baseline, at(second));
        }
        assert_eq!((baseline.minutes, baseline.busiest_minute, baseline.hours()), (1, 3, 0));
        current.moved(&mut baseline, at(80), 10, 20);
        current.call(&mut baseline, at(4_000));
        assert_eq!((baseline.minutes, baseline.busiest_minute, baseline.hours()), (2, 3, 1));
        assert_eq!(baseline.calls_an_hour[2], 1, "an hour of four calls");
        assert_eq!((baseline.sent.busiest_hour, baseline.written.busiest_hour), (10, 20));
        current.odd_minute = true;
        current.odd_hour = true;
        (0..50).for_each(|_| current.call(&mut baseline, at(4_001)));
        current.moved(&mut baseline, at(4_002), 1_000, 0);
        current.call(&mut baseline, at(9_000));
        assert_eq!(
            (baseline.busiest_minute, baseline.sent.busiest_hour, baseline.sent.total),
            (3, 10, 1_010)
        );
        current.end(&mut baseline);
        assert_eq!((baseline.minutes, baseline.hours()), (3, 2));
    }

    #[test]
    fn names_are_bounded_and_what_has_no_room_stays_new() {
        let mut baseline = Baseline::default();
        for number in 0..10_000 {
            assert!(!baseline.contacted(&format!("https://{number}.example.com:443")));
        }
        assert_eq!(baseline.hosts.len(), NAMES);
        assert!(baseline.contacted("https://0.example.com:443"));
        assert!(!baseline.contacted("https://9999.example.com:443"));
    }
}

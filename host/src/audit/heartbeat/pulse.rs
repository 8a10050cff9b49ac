//! What HEARTBEAT.md remembers of an agent's records: bounded, however long the trail is.

use std::collections::{BTreeMap, VecDeque};

use super::words;
use super::{Sight, Today};
use crate::audit::event::{Decision, Event, Weight};
use crate::clock::Moment;

/// Acts that are listed.
pub(super) const ACTS: usize = 50;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) last_active: Option<Moment>,
    /// The newest last, as they stand in the file.
    pub(super) acts: VecDeque<String>,
    /// Calls under way, with the line of their arguments.
    pub(super) active: BTreeMap<u64, Option<String>>,
    /// Questions that wait for a person.
    pub(super) waiting: u64,
    pub(super) anomalies: u64,
    /// The newest anomaly, in words.
    pub(super) anomaly: Option<&'static str>,
    pub(super) today: Today,
    /// The breakers that are open, in words.
    pub(super) breakers: Vec<String>,
}

impl Pulse {
    /// Takes a record in. How much it matters is returned.
    pub(super) fn saw(&mut self, sight: &Sight<'_>) -> Weight {
        self.turn(sight.time.day());
        self.last_active = Some(sight.time);
        let Some(event) = Event::parse(sight.event) else { return Weight::Silent };
        match event {
            Event::Intent => {
                self.active.insert(sight.seq, arguments(sight.args));
                Weight::Silent
            }
            Event::Outcome => {
                let arguments = sight.call.and_then(|call| self.active.remove(&call)).flatten();
                self.ended(sight, arguments)
            }
            Event::Rotated => {
                if let Some(today) = sight.today.filter(|today| today.day == sight.time.day()) {
                    self.today = today;
                }
                Weight::Silent
            }
            Event::Refused => self.ended(sight, arguments(sight.args)),
            event => {
                match event {
                    Event::ApprovalRequested => self.waiting += 1,
                    // Each request is closed by one record.
                    Event::ApprovalGranted | Event::ApprovalDenied | Event::ApprovalExpired => {
                        self.waiting = self.waiting.saturating_sub(1);
                    }
                    _ => {}
                }
                self.happened(event, sight)
            }
        }
    }

    /// Calls that returned a value on this day.
    pub(super) fn completed_on(&self, day: i32) -> u64 {
        if self.today.day == day { self.today.completed } else { 0 }
    }

    /// Calls that failed on this day.
    pub(super) fn errors_on(&self, day: i32) -> u64 {
        if self.today.day == day { self.today.errors } else { 0 }
    }

    fn turn(&mut self, day: i32) {
        if self.today.day != day {
            self.today = Today { day, ..Today::default() };
        }
    }

    fn ended(&mut self, sight: &Sight<'_>, arguments: Option<String>) -> Weight {
        let called = format!(
            "{} ({})",
            words::called(sight.skill.unwrap_or("?")),
            words::called(sight.tool.unwrap_or("?"))
        );
        let why = sight.denial.map(|id| format!(" {id}")).unwrap_or_default();
        let said = match sight.decision {
            Some(Decision::Allowed) => {
                self.today.completed += 1;
                format!("Used skill: {called}")
            }
            Some(Decision::Denied) => format!("Denied skill: {called}{why}"),
            Some(Decision::Killed | Decision::Cancelled) => format!("Stopped skill: {called}{why}"),
            Some(Decision::Interrupted) => {
                format!("Interrupted skill: {called}, ended with the gateway")
            }
            Some(Decision::Error) => {
                self.today.errors += 1;
                format!("Used skill: {called} ERROR{why}")
            }
            Some(Decision::Lost) | None => {
                self.today.errors += 1;
                format!("Used skill: {called} ERROR its outcome was lost")
            }
        };
        self.act(sight.time, said, arguments);
        Weight::Line
    }

    fn happened(&mut self, event: Event, sight: &Sight<'_>) -> Weight {
        let (time, weight) = (sight.time, event.weight());
        match weight {
            Weight::Silent => {}
            Weight::Line => self.act(time, event.sentence().to_owned(), None),
            Weight::Anomaly => {
                let sentence = sight.anomaly.unwrap_or_else(|| event.sentence());
                self.anomalies += 1;
                self.anomaly = Some(sentence);
                self.act(time, format!("Anomaly: {sentence}"), None);
            }
        }
        weight
    }

    fn act(&mut self, time: Moment, said: String, arguments: Option<String>) {
        if self.acts.len() == ACTS {
            self.acts.pop_front();
        }
        let arguments = arguments.map(|arguments| format!("\n  args: {arguments}")).unwrap_or_default();
        self.acts.push_back(format!("- [{}] {said}{arguments}", time.minute()));
    }
}

fn arguments(args: Option<&str>) -> Option<String> {
    args.filter(|args| *args != "{}").map(words::chosen)
}

//! What waits for one target: a bounded queue, and the cool-downs that count what they hold back.
//!
//! Of a flood the oldest are kept: how an incident began tells more than its ten-thousandth repetition. What is dropped is
//! counted and said with the next message.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{About, Alert, Message};

/// Messages that wait for one target.
const QUEUE: usize = 256;
/// Cool-downs of one target. There are six kinds, and as many agents as the operator added.
const COOLING: usize = 4_096;
/// Titles that are named of what was held back.
const TITLES: usize = 3;

/// The queue of one target.
#[derive(Debug, Default)]
pub(super) struct Pending {
    queue: VecDeque<Message>,
    cooling: HashMap<(About, Option<String>), Cooling>,
    dropped: u64,
}

/// One kind about one agent, which was told of a moment ago.
#[derive(Debug)]
struct Cooling {
    until: Instant,
    held: Held,
    last: Option<Message>,
}

/// What was held back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// How many.
    pub(super) count: u64,
    titles: BTreeMap<String, u64>,
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this.
    Send(Box<Message>),
    /// Nothing before this moment.
    At(Instant),
    /// Nothing.
    Idle,
}

impl Pending {
    /// Takes an alert in, or counts it.
    pub(super) fn push(&mut self, alert: &Alert, cooldown: Duration, now: Instant) {
        let message = Message::now(alert.clone());
        let key = (alert.about, alert.agent.clone());
        if let Some(cooling) = self.cooling.get_mut(&key) {
            cooling.held.add(&alert.title);
            cooling.last = Some(message);
            return;
        }
        if !cooldown.is_zero() && self.cooling.len() < COOLING {
            self.cooling.insert(key, Cooling { until: now + cooldown, held: Held::default(), last: None });
        }
        self.enqueue(message);
    }

    /// What is next. A cool-down that is over is sent as the last of what it held back, with the count, and begins anew;
    /// when `leaving`, it is over now.
    pub(super) fn next(&mut self, cooldown: Duration, now: Instant, leaving: bool) -> Next {
        self.cool(cooldown, now, leaving);
        if let Some(mut message) = self.queue.pop_front() {
            message.dropped = std::mem::take(&mut self.dropped);
            return Next::Send(Box::new(message));
        }
        match self.cooling.values().map(|cooling| cooling.until).min() {
            Some(until) => Next::At(until),
            None => Next::Idle,
        }
    }

    /// How many messages have not been taken.
    pub(super) fn len(&self) -> u64 {
        let held: u64 = self.cooling.values().map(|cooling| cooling.held.count).sum();
        self.queue.len() as u64 + self.dropped + held
    }

    fn cool(&mut self, cooldown: Duration, now: Instant, leaving: bool) {
        let over = self.cooling.iter().filter(|(_, cooling)| leaving || cooling.until <= now);
        let mut over: Vec<_> = over.map(|(key, cooling)| (cooling.until, key.clone())).collect();
        over.sort();
        for (_, key) in over {
            let Some(cooling) = self.cooling.remove(&key) else { continue };
            let Some(mut last) = cooling.last else { continue };
            // It is one of those that it counts.
            last.held = cooling.held.without(&last.alert.title);
            if !leaving {
                self.cooling
                    .insert(key, Cooling { until: now + cooldown, held: Held::default(), last: None });
            }
            self.enqueue(last);
        }
    }

    fn enqueue(&mut self, message: Message) {
        if self.queue.len() < QUEUE {
            self.queue.push_back(message);
        } else {
            self.dropped += 1 + message.held.count;
        }
    }
}

impl Held {
    fn add(&mut self, title: &str) {
        self.count += 1;
        let title = super::message::shown(title, 80);
        if self.titles.len() < TITLES || self.titles.contains_key(&title) {
            *self.titles.entry(title).or_default() += 1;
        }
    }

    fn without(mut self, title: &str) -> Self {
        self.count = self.count.saturating_sub(1);
        if let Some(count) = self.titles.get_mut(&super::message::shown(title, 80)) {
            *count -= 1;
        }
        self.titles.retain(|_, count| *count > 0);
        self
    }

    /// `: 12 × one thing; 5 × another`
    pub(super) fn listed(&self) -> String {
        let named: u64 = self.titles.values().sum();
        let mut parts: Vec<String> =
            self.titles.iter().map(|(title, count)| format!("{count} × {title}")).collect();
        if named < self.count {
            parts.push(format!("{} × others", self.count - named));
        }
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(60);

    fn alert(agent: &str, title: &str) -> Alert {
        Alert {
            about: About::Denial,
            agent: Some(agent.to_owned()),
            skill: None,
            title: title.to_owned(),
            detail: String::new(),
            record: None,
        }
    }

    fn sent(pending: &mut Pending, now: Instant, leaving: bool) -> Vec<(String, u64, u64)> {
        let mut all = Vec::new();
        while let Next::Send(message) = pending.next(COOLDOWN, now, leaving) {
            all.push((message.alert.title.clone(), message.held.count, message.dropped));
        }
        all
    }

    #[test]
    fn the_first_goes_at_once_and_the_rest_as_a_count() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for title in ["a", "b", "b", "c", "d"] {
            pending.push(&alert("echo", title), COOLDOWN, now);
        }
        pending.push(&alert("other", "a"), COOLDOWN, now);
        assert_eq!(sent(&mut pending, now, false), [("a".to_owned(), 0, 0), ("a".to_owned(), 0, 0)]);
        assert!(matches!(pending.next(COOLDOWN, now, false), Next::At(until) if until == now + COOLDOWN));
        let later = now + COOLDOWN;
        let Next::Send(last) = pending.next(COOLDOWN, later, false) else { panic!("nothing was counted") };
        assert_eq!((last.alert.title.as_str(), last.held.count), ("d", 3));
        assert_eq!(last.held.listed(), ": 2 × b; 1 × c");
        // The cool-down began anew, and ends in silence when nothing came.
        assert!(matches!(pending.next(COOLDOWN, later, false), Next::At(until) if until == later + COOLDOWN));
        assert!(matches!(pending.next(COOLDOWN, later + COOLDOWN, false), Next::Idle));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn of_a_flood_the_oldest_are_kept_and_the_rest_are_counted() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for number in 0..1_000 {
            pending.push(&alert("echo", &format!("number {number}")), Duration::ZERO, now);
        }
        assert_eq!(pending.len(), 1_000);
        let all = sent(&mut pending, now, false);
        assert_eq!((all.len(), all[0].clone()), (QUEUE, ("number 0".to_owned(), 0, 744)));
        assert!(all[1..].iter().all(|(_, _, dropped)| *dropped == 0));
    }

    #[test]
    fn whoever_leaves_tells_what_was_held_back() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for title in ["a", "b", "c"] {
            pending.push(&alert("echo", title), COOLDOWN, now);
        }
        assert_eq!(sent(&mut pending, now, true), [("a".to_owned(), 0, 0), ("c".to_owned(), 1, 0)]);
        assert!(matches!(pending.next(COOLDOWN, now, true), Next::Idle));
    }

    proptest::proptest! {
        #[test]
        fn every_alert_is_sent_or_counted(
            steps in proptest::collection::vec((0_u8..4, 0_u64..90), 0..400),
            cooldown in 0_u64..100,
        ) {
            let cooldown = Duration::from_secs(cooldown);
            let (mut pending, mut now, mut told) = (Pending::default(), Instant::now(), 0);
            let mut tell = |next: Next| match next {
                Next::Send(message) => { told += 1 + message.held.count + message.dropped; true }
                _ => false,
            };
            for (agent, seconds) in &steps {
                pending.push(&alert(&agent.to_string(), "x"), cooldown, now);
                now += Duration::from_secs(*seconds);
                if seconds % 3 == 0 {
                    while tell(pending.next(cooldown, now, false)) {}
                }
            }
            while tell(pending.next(cooldown, now, true)) {}
            proptest::prop_assert_eq!(told, steps.len() as u64);
        }
    }
}

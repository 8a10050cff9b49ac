//! How much happened in the last minute, hour or day: a ring of slots, so that a flood takes no more memory than one event.
//!
//! The rule: nothing is counted that is older than the window, and never more than was added. Time is the monotonic clock's,
//! given by the caller: a wall clock set back or forth changes nothing.

use std::time::{Duration, Instant};

/// Slots of a window: what it forgets at once is a twelfth of it.
const SLOTS: usize = 12;

/// A sum over the last stretch of time.
#[derive(Debug, Clone)]
pub(super) struct Window {
    per: Duration,
    slots: [u64; SLOTS],
    /// The slot that is added to, and when it began.
    newest: usize,
    began: Option<Instant>,
}

impl Window {
    /// An empty window of this length.
    pub(super) fn new(per: Duration) -> Self {
        Self { per: per.max(Duration::from_millis(1)), slots: [0; SLOTS], newest: 0, began: None }
    }

    /// The same window with another length: what was counted by the old one is forgotten.
    pub(super) fn over(&mut self, per: Duration) -> &mut Self {
        if self.per != per {
            *self = Self::new(per);
        }
        self
    }

    /// Adds an amount, and returns the sum.
    pub(super) fn add(&mut self, now: Instant, amount: u64) -> u64 {
        self.turn(now);
        if let Some(slot) = self.slots.get_mut(self.newest) {
            *slot = slot.saturating_add(amount);
        }
        self.total()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.slots = [0; SLOTS];
        self.began = None;
    }

    fn total(&self) -> u64 {
        self.slots.iter().fold(0, |sum, slot| sum.saturating_add(*slot))
    }

    /// Turns the ring on until its newest slot is that of `now`.
    fn turn(&mut self, now: Instant) {
        let width = self.per / u32::try_from(SLOTS).unwrap_or(1);
        let Some(began) = self.began else {
            self.began = Some(now);
            return;
        };
        let passed = now.saturating_duration_since(began);
        if passed < width {
            return;
        }
        if passed >= self.per {
            self.clear();
            self.began = Some(now);
            return;
        }
        let mut began = began;
        while now.saturating_duration_since(began) >= width {
            began += width;
            self.newest = (self.newest + 1) % SLOTS;
            if let Some(slot) = self.slots.get_mut(self.newest) {
                *slot = 0;
            }
        }
        self.began = Some(began);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = Window::new(MINUTE);
        assert_eq!(window.add(at(0), 3), 3);
        assert_eq!(window.add(at(30), 2), 5);
        assert_eq!(window.add(at(54), 0), 5);
        assert_eq!(window.add(at(60), 0), 2);
        assert_eq!(window.add(at(89), 0), 2);
        assert_eq!(window.add(at(90), 0), 0);
        assert_eq!(window.add(at(100_000), 1), 1);
        assert_eq!(window.over(MINUTE).add(at(100_000), 0), 1);
        assert_eq!(window.over(MINUTE * 60).add(at(100_000), 0), 0);
    }

    proptest! {
        #[test]
        fn it_never_counts_more_than_was_added_nor_forgets_the_newest(
            steps in proptest::collection::vec((0_u64..20_000, 0_u64..100), 1..200)
        ) {
            let mut now = Instant::now();
            let mut window = Window::new(MINUTE);
            let mut added: Vec<(Instant, u64)> = Vec::new();
            for (milliseconds, amount) in steps {
                now += Duration::from_millis(milliseconds);
                added.push((now, amount));
                let sum = window.add(now, amount);
                let within = |span: Duration| -> u64 {
                    added.iter().filter(|(at, _)| now.duration_since(*at) < span).map(|(_, amount)| amount).sum()
                };
                prop_assert!(sum <= within(MINUTE), "{} over {}", sum, within(MINUTE));
                prop_assert!(sum >= within(MINUTE * 10 / 12), "{} under {}", sum, within(MINUTE * 10 / 12));
            }
        }
    }
}

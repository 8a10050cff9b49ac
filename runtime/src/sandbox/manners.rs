//! Whether a skill may have the first slice of a call on its caller's thread. That saves two wake-ups of threads, which cost
//! more than a short call; but one step of a guest cannot be interrupted (`memory.fill` of 250 MiB), and the caller may be a
//! server with other things to do.
//!
//! The rule: only a skill whose last call was short has it, and one that once took long there never has it again.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::sandbox::outcome::Outcome;

/// A call that takes longer, all in all, is not short.
const SHORT: Duration = Duration::from_millis(1);
/// A short call has no more memory than this, in bytes: what it can fill in one step.
const SMALL: u64 = 4 << 20;
/// A slice that takes longer than two epochs and a half was more than the caller was promised.
const TOO_LONG: Duration = Duration::from_micros(2_500);

const UNKNOWN: u8 = 0;
const SHORT_BEFORE: u8 = 1;
const NEVER_AGAIN: u8 = 2;

/// How a skill's calls behaved.
#[derive(Debug, Default)]
pub(crate) struct Manners(AtomicU8);

impl Manners {
    /// Whether the next call's first slice may run on the caller's thread.
    pub(crate) fn are_good(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SHORT_BEFORE
    }

    /// A call ended.
    pub(crate) fn saw(&self, outcome: &Outcome, took: Duration) {
        let now = if took < SHORT && outcome.memory_peak <= SMALL { SHORT_BEFORE } else { UNKNOWN };
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
            (before != NEVER_AGAIN).then_some(now)
        });
    }

    /// A slice ran on the caller's thread for so long.
    pub(crate) fn held(&self, took: Duration) {
        if took > TOO_LONG {
            self.0.store(NEVER_AGAIN, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Denial, DenialId};

    #[test]
    fn only_a_short_call_earns_a_slice_and_a_long_slice_loses_it_for_good() {
        let outcome = Outcome::refused(Denial::new(DenialId::Busy, ""));
        let manners = Manners::default();
        assert!(!manners.are_good(), "nothing is known of it");
        manners.saw(&outcome, Duration::from_micros(100));
        assert!(manners.are_good());
        manners.saw(&outcome, Duration::from_millis(5));
        assert!(!manners.are_good());
        manners.saw(&outcome, Duration::from_micros(100));
        manners.held(Duration::from_millis(40));
        manners.saw(&outcome, Duration::from_micros(100));
        assert!(!manners.are_good());
    }
}

//! Whether a skill may have the first slice of a call on its caller's thread. That saves two wake-ups of threads, which cost
//! more than a short call; but one step of a guest cannot be interrupted (`memory.fill` of 250 MiB), and the caller may be a
//! server with other things to do.
//!
//! The rule: only a skill whose last call was short has it. One that used the caller's thread for longer than a short call
//! does has to make many short ones first, so that all in all it takes next to nothing of that thread; and one that once
//! took long there never has it again. What counts is the processor's time: that the thread had to wait is no fault of the
//! skill's.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::sandbox::outcome::Outcome;

/// A call that takes longer, all in all, is not short.
const SHORT: Duration = Duration::from_millis(1);
/// A short call has no more memory than this, in bytes: what it can fill in one step.
const SMALL: u64 = 4 << 20;
/// A slice that takes longer is more than a short call needs.
const NOTICEABLE: Duration = Duration::from_micros(500);
/// After such a slice, so many calls have to be short.
const AMENDS: u32 = 64;
/// A slice that takes longer than two epochs and a half was more than the caller was promised.
const TOO_LONG: Duration = Duration::from_micros(2_500);
/// As many as nobody makes.
const NEVER_AGAIN: u32 = u32::MAX;

/// How a skill's calls behaved: how many have to be short before the next one's first slice may run on its caller's thread.
#[derive(Debug)]
pub(crate) struct Manners(AtomicU32);

impl Default for Manners {
    /// Nothing is known of it: one call has to be short.
    fn default() -> Self {
        Self(AtomicU32::new(1))
    }
}

impl Manners {
    /// Whether the next call's first slice may run on the caller's thread.
    pub(crate) fn are_good(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// A call ended.
    pub(crate) fn saw(&self, outcome: &Outcome, took: Duration) {
        let short = took < SHORT && outcome.memory_peak <= SMALL;
        self.owes(|owed| if short { owed.saturating_sub(1) } else { owed.max(1) });
    }

    /// A slice used the caller's thread for so long.
    pub(crate) fn held(&self, used: Duration) {
        if used > TOO_LONG {
            self.0.store(NEVER_AGAIN, Ordering::Relaxed);
        } else if used > NOTICEABLE {
            // And this call, which may still be short.
            self.owes(|_| AMENDS + 1);
        }
    }

    fn owes(&self, change: impl Fn(u32) -> u32) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |owed| {
            (owed != NEVER_AGAIN).then(|| change(owed))
        });
    }
}

/// The processor's time that this thread has used.
pub(crate) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
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
        for _ in 0..2 * AMENDS {
            manners.saw(&outcome, Duration::from_micros(100));
        }
        assert!(!manners.are_good());
    }

    #[test]
    fn a_slice_that_others_notice_is_made_up_for_by_many_short_calls() {
        let outcome = Outcome::refused(Denial::new(DenialId::Busy, ""));
        let manners = Manners::default();
        manners.saw(&outcome, Duration::from_micros(100));
        manners.held(NOTICEABLE / 2);
        assert!(manners.are_good());
        manners.held(2 * NOTICEABLE);
        for _ in 0..AMENDS {
            manners.saw(&outcome, Duration::from_micros(900));
            assert!(!manners.are_good());
        }
        manners.saw(&outcome, Duration::from_micros(100));
        assert!(manners.are_good());
    }

    #[test]
    fn waiting_is_no_time_of_the_threads_own() {
        let (began, started) = (thread_time(), std::time::Instant::now());
        // Another thread has the answer after a while, in which this one waits.
        let waited = std::thread::spawn(|| while thread_time() < Duration::from_millis(20) {}).join();
        waited.unwrap();
        assert!(thread_time().saturating_sub(began) < started.elapsed());
    }
}

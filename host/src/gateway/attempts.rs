//! What is recorded one by one up to a rate, and only counted beyond it: somebody who is refused in a loop must not fill the
//! disk with it. The count stands in the next record.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bucket of records.
#[derive(Debug)]
pub(crate) struct Attempts {
    burst: u32,
    refill: Duration,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    left: u32,
    refilled: Instant,
    unrecorded: u64,
}

/// What to do about one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Record it, with how many were not recorded since the last record.
    Record(u64),
    /// Count it.
    TooMany,
}

impl Attempts {
    /// So many at once, and then one each time that this passes.
    pub(crate) fn new(burst: u32, refill: Duration) -> Self {
        let bucket = Bucket { left: burst, refilled: Instant::now(), unrecorded: 0 };
        Self { burst, refill, bucket: Mutex::new(bucket) }
    }

    /// One more came.
    pub(crate) fn failed(&self) -> Attempt {
        self.failed_at(Instant::now())
    }

    fn failed_at(&self, now: Instant) -> Attempt {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        while bucket.left < self.burst && now.saturating_duration_since(bucket.refilled) >= self.refill {
            bucket.left += 1;
            bucket.refilled += self.refill;
        }
        if bucket.left == self.burst {
            bucket.refilled = now;
        }
        if bucket.left == 0 {
            bucket.unrecorded += 1;
            return Attempt::TooMany;
        }
        bucket.left -= 1;
        Attempt::Record(std::mem::take(&mut bucket.unrecorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_recorded_the_rest_is_counted_and_told_later() {
        let attempts = Attempts::new(10, Duration::from_secs(6));
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(attempts.failed_at(start), Attempt::Record(0));
        }
        assert_eq!(attempts.failed_at(start), Attempt::TooMany);
        assert_eq!(attempts.failed_at(start), Attempt::TooMany);
        assert_eq!(attempts.failed_at(start + Duration::from_secs(6)), Attempt::Record(2));
    }
}

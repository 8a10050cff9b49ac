//! Whose request it is: the bearer token, against the one hash that it may be.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, header};

/// Wrong tokens that are answered and recorded one by one; then one every [`REFILL`].
const BURST: u32 = 10;
/// How long until one more is.
const REFILL: Duration = Duration::from_secs(6);

/// The token that a request presents: exactly one `Authorization: Bearer …`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Slows down whoever tries tokens. A right token is never slowed down: it is compared first.
#[derive(Debug)]
pub(crate) struct Attempts(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    left: u32,
    refilled: Instant,
    unrecorded: u64,
}

/// What to do about a wrong token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Answer 401 and record it; with how many were not recorded since the last record.
    Record(u64),
    /// Answer 429 and count it.
    TooMany,
}

impl Default for Attempts {
    fn default() -> Self {
        Self(Mutex::new(Bucket { left: BURST, refilled: Instant::now(), unrecorded: 0 }))
    }
}

impl Attempts {
    /// A wrong token came.
    pub(crate) fn failed(&self) -> Attempt {
        self.failed_at(Instant::now())
    }

    fn failed_at(&self, now: Instant) -> Attempt {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while bucket.left < BURST && now.saturating_duration_since(bucket.refilled) >= REFILL {
            bucket.left += 1;
            bucket.refilled += REFILL;
        }
        if bucket.left == BURST {
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
        let attempts = Attempts::default();
        let start = Instant::now();
        for _ in 0..BURST {
            assert_eq!(attempts.failed_at(start), Attempt::Record(0));
        }
        assert_eq!(attempts.failed_at(start), Attempt::TooMany);
        assert_eq!(attempts.failed_at(start), Attempt::TooMany);
        assert_eq!(attempts.failed_at(start + REFILL), Attempt::Record(2));
    }

    #[test]
    fn one_bearer_and_nothing_else_is_a_token() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(with(&["Bearer abc"]), Some("abc".to_owned()));
        assert_eq!(with(&["bearer abc"]), Some("abc".to_owned()));
        for wrong in [&[][..], &["abc"], &["Basic abc"], &["Bearer abc", "Bearer abc"]] {
            assert_eq!(with(wrong), None, "{wrong:?}");
        }
    }
}

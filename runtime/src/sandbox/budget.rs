//! Amounts over time: calls a minute, bytes an hour. A token bucket, filled evenly, full at the start.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::grant::limit::Rate;

/// A budget of one skill. Its state can be kept between two processes ([`Budget::state`]).
#[derive(Debug)]
pub struct Budget {
    rate: Rate,
    state: Mutex<BudgetState>,
}

/// How full a budget was, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BudgetState {
    /// What was left, in the budget's unit.
    pub left: f64,
    /// When, by the wall clock. A clock set back gives nothing away: no time has passed then.
    pub at: SystemTime,
}

impl Budget {
    /// A full budget.
    #[must_use]
    pub fn full(rate: Rate) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
        let left = rate.amount as f64;
        Self { rate, state: Mutex::new(BudgetState { left, at: SystemTime::now() }) }
    }

    /// A budget as it was left, never fuller than full.
    #[must_use]
    pub fn resumed(rate: Rate, state: BudgetState) -> Self {
        let budget = Self::full(rate);
        let full = budget.state().left;
        *budget.lock() = BudgetState { left: state.left.clamp(0.0, full), at: state.at.min(SystemTime::now()) };
        budget
    }

    /// How much over which time.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// What is left now.
    #[must_use]
    pub fn state(&self) -> BudgetState {
        *self.lock()
    }

    /// Takes an amount, or nothing.
    ///
    /// # Errors
    ///
    /// The time after which as much will be there, if ever.
    pub fn take(&self, amount: u64) -> Result<(), Option<Duration>> {
        self.take_at(amount, SystemTime::now())
    }

    #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
    fn take_at(&self, amount: u64, now: SystemTime) -> Result<(), Option<Duration>> {
        let (full, amount) = (self.rate.amount as f64, amount as f64);
        let per_second = full / self.rate.per.as_secs_f64();
        let mut state = self.lock();
        if let Ok(passed) = now.duration_since(state.at) {
            state.left = (state.left + passed.as_secs_f64() * per_second).min(full);
            state.at = now;
        }
        if amount <= state.left {
            state.left -= amount;
            return Ok(());
        }
        Err((amount <= full).then(|| Duration::from_secs_f64((amount - state.left) / per_second)))
    }

    fn lock(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_A_MINUTE: Rate = Rate { amount: 10, per: Duration::from_secs(60) };

    #[test]
    fn a_spent_budget_fills_with_time() {
        let start = SystemTime::now();
        let budget = Budget::resumed(TEN_A_MINUTE, BudgetState { left: 2.0, at: start });
        assert_eq!(budget.take_at(1, start), Ok(()));
        assert_eq!(budget.take_at(1, start), Ok(()));
        assert_eq!(budget.take_at(1, start), Err(Some(Duration::from_secs(6))));
        assert_eq!(budget.take_at(1, start + Duration::from_secs(6)), Ok(()));
        assert_eq!(budget.take_at(11, start + Duration::from_secs(600)), Err(None), "more than it ever holds");
    }

    #[test]
    fn a_clock_set_back_gives_nothing_away() {
        let now = SystemTime::now();
        let budget = Budget::resumed(TEN_A_MINUTE, BudgetState { left: 0.0, at: now });
        assert!(budget.take_at(1, now - Duration::from_secs(3_600)).is_err());
        let future = BudgetState { left: 1e9, at: now + Duration::from_secs(1_000_000) };
        assert!(Budget::resumed(TEN_A_MINUTE, future).state().left <= 10.0);
    }
}

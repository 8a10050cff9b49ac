//! Amounts over time: calls a minute, bytes an hour. A token bucket, filled evenly, full at the start.
//!
//! While the program runs time is the monotonic clock's: a wall clock that is set forward would fill a budget at once, one
//! that is set back would keep it empty until the old time is reached again. The wall clock only says how much time went
//! by between two processes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use crate::grant::limit::Rate;

/// A budget of one skill.
#[derive(Debug)]
struct Budget {
    rate: Rate,
    state: Mutex<Level>,
}

/// How full a budget is, and since when.
#[derive(Debug)]
struct Level {
    left: f64,
    at: Instant,
}

/// How full a budget was, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BudgetState {
    /// What was left, in the budget's unit.
    pub left: f64,
    /// When, by the wall clock. A clock set back gives nothing away: no time has passed then. Whoever can set it forward
    /// while no process of ours runs can fill what was spent.
    pub at: SystemTime,
}

impl Budget {
    /// A full budget.
    fn full(rate: Rate) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
        let left = rate.amount as f64;
        Self { rate, state: Mutex::new(Level { left, at: Instant::now() }) }
    }

    /// Takes it up as it was left, never fuller than full.
    fn resume(&self, state: BudgetState) {
        #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
        let full = self.rate.amount as f64;
        let left = if state.left.is_finite() { state.left.clamp(0.0, full) } else { 0.0 };
        let passed = SystemTime::now().duration_since(state.at).unwrap_or_default();
        let left = (left + passed.as_secs_f64() * self.per_second()).min(full);
        *self.lock() = Level { left, at: Instant::now() };
    }

    #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
    fn give_back(&self, amount: u64) {
        let mut state = self.lock();
        state.left = (state.left + amount as f64).min(self.rate.amount as f64);
    }

    /// What is left now.
    fn state(&self) -> BudgetState {
        let left = self.filled(Instant::now()).left;
        BudgetState { left, at: SystemTime::now() }
    }

    /// Takes an amount, or nothing.
    ///
    /// # Errors
    ///
    /// The time after which as much will be there, if ever.
    fn take(&self, amount: u64) -> Result<(), Option<Duration>> {
        self.take_at(amount, Instant::now())
    }

    #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
    fn take_at(&self, amount: u64, now: Instant) -> Result<(), Option<Duration>> {
        let (full, amount) = (self.rate.amount as f64, amount as f64);
        let mut state = self.filled(now);
        if amount <= state.left {
            state.left -= amount;
            return Ok(());
        }
        Err((amount <= full).then(|| Duration::from_secs_f64((amount - state.left) / self.per_second())))
    }

    /// The budget with what came in until now.
    #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
    fn filled(&self, now: Instant) -> MutexGuard<'_, Level> {
        let mut state = self.lock();
        let passed = now.saturating_duration_since(state.at);
        state.left = (state.left + passed.as_secs_f64() * self.per_second()).min(self.rate.amount as f64);
        state.at = state.at.max(now);
        state
    }

    #[expect(clippy::cast_precision_loss, reason = "budgets are far below 2^53")]
    fn per_second(&self) -> f64 {
        self.rate.amount as f64 / self.rate.per.as_secs_f64()
    }

    fn lock(&self) -> MutexGuard<'_, Level> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several budgets that all hold: ten a minute and a hundred a day.
#[derive(Debug, Default)]
pub struct Budgets(Vec<Budget>);

impl Budgets {
    /// One budget for each rate, all of them full.
    #[must_use]
    pub fn full(rates: &[Rate]) -> Self {
        Self(rates.iter().map(|rate| Budget::full(*rate)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// How full each is.
    #[must_use]
    pub fn states(&self) -> Vec<BudgetState> {
        self.0.iter().map(Budget::state).collect()
    }

    /// Takes them up as [`Budgets::states`] gave them, none fuller than full.
    pub fn resume(&self, states: &[BudgetState]) {
        for (budget, state) in self.0.iter().zip(states) {
            budget.resume(*state);
        }
    }

    /// Takes an amount from each, or from none.
    ///
    /// # Errors
    ///
    /// The rate that has too little, and after which time it will have it, if ever.
    pub fn take(&self, amount: u64) -> Result<(), (Rate, Option<Duration>)> {
        for (index, budget) in self.0.iter().enumerate() {
            if let Err(wait) = budget.take(amount) {
                self.0.iter().take(index).for_each(|earlier| earlier.give_back(amount));
                return Err((budget.rate, wait));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_A_MINUTE: Rate = Rate { amount: 10, per: Duration::from_secs(60) };

    fn resumed(state: BudgetState) -> Budget {
        let budget = Budget::full(TEN_A_MINUTE);
        budget.resume(state);
        budget
    }

    #[test]
    fn two_budgets_are_taken_from_together_or_not_at_all() {
        let day = Rate { amount: 1, per: Duration::from_secs(86_400) };
        let budgets = Budgets::full(&[TEN_A_MINUTE, day]);
        assert!(budgets.take(1).is_ok());
        assert_eq!(budgets.take(1).map_err(|(rate, _)| rate), Err(day));
        let left: Vec<f64> = budgets.states().iter().map(|state| state.left.floor()).collect();
        assert_eq!(left, [9.0, 0.0]);
    }

    #[test]
    fn a_spent_budget_fills_with_time() {
        // A wall clock that is ahead: nothing comes in for the time before.
        let budget = resumed(BudgetState { left: 2.0, at: SystemTime::now() + Duration::from_secs(60) });
        let start = Instant::now();
        assert_eq!(budget.take_at(1, start), Ok(()));
        assert_eq!(budget.take_at(1, start), Ok(()));
        let wait = budget.take_at(1, start).unwrap_err().unwrap();
        assert!(wait <= Duration::from_secs(6) && wait > Duration::from_secs(3), "{wait:?}");
        assert_eq!(budget.take_at(1, start + Duration::from_secs(6)), Ok(()));
        assert_eq!(
            budget.take_at(11, start + Duration::from_secs(600)),
            Err(None),
            "more than it ever holds"
        );
    }

    #[test]
    fn a_clock_set_back_gives_nothing_away_and_keeps_nothing_back() {
        let future = SystemTime::now() + Duration::from_secs(1_000_000);
        let budget = resumed(BudgetState { left: 0.0, at: future });
        assert!(budget.take(1).is_err());
        assert_eq!(budget.take_at(1, Instant::now() + Duration::from_secs(7)), Ok(()), "time goes on");
        assert!(resumed(BudgetState { left: 1e9, at: future }).state().left <= 10.0);
    }

    #[test]
    fn the_time_between_two_processes_counts() {
        let before = SystemTime::now() - Duration::from_secs(30);
        let left = resumed(BudgetState { left: 0.0, at: before }).state().left;
        assert!(left >= 4.9, "{left}: half of it came in");
    }
}

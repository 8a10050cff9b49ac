//! How often an agent, and the whole gateway, may call: token buckets above those of the skills.
//!
//! Without a rate in gateway.toml nothing is counted and no lock taken. With one, a call takes a lock for some tens of
//! nanoseconds.

use std::sync::{Mutex, MutexGuard, PoisonError};

use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{BudgetState, Budgets};
use soulbound_runtime::{Denial, DenialId, RuleRef};

/// A bucket under a rate that the operator may change at any time.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Metered>);

#[derive(Debug, Default)]
struct Metered {
    rate: Option<Rate>,
    budget: Budgets,
    /// As it was left by the gateway before, until the rate is known.
    kept: Vec<BudgetState>,
}

impl Meter {
    /// One that goes on as it was left.
    pub(crate) fn resumed(kept: Vec<BudgetState>) -> Self {
        Self(Mutex::new(Metered { kept, ..Metered::default() }))
    }

    /// Takes one call.
    ///
    /// # Errors
    ///
    /// `limit.rate`, naming the key of gateway.toml; `whose` is who was too quick.
    pub(crate) fn take(&self, rate: Option<Rate>, key: &str, whose: &str) -> Result<(), Denial> {
        let Some(rate) = rate else { return Ok(()) };
        let mut metered = self.lock();
        if metered.rate != Some(rate) {
            let kept = std::mem::take(&mut metered.kept);
            metered.budget = Budgets::full(&[rate]);
            metered.budget.resume(&kept);
            metered.rate = Some(rate);
        }
        metered.budget.take(1).map_err(|(_, wait)| {
            let wait =
                wait.map(|wait| format!("; try again in {} s", wait.as_secs() + 1)).unwrap_or_default();
            let per = rate.per.as_secs();
            let text = format!("{key} = {} in {per} s", rate.amount);
            Denial::new(
                DenialId::LimitRate,
                format!("{whose} called more than {} times in {per} s{wait}", rate.amount),
            )
            .rule(RuleRef { file: "gateway.toml".to_owned(), line: 0, column: 0, text })
        })
    }

    /// How full it is; nothing where no rate was ever set.
    pub(crate) fn states(&self) -> Vec<BudgetState> {
        let metered = self.lock();
        if metered.rate.is_some() { metered.budget.states() } else { metered.kept.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, Metered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_holds_over_a_restart_and_a_new_one_begins_full() {
        let two = Rate { amount: 2, per: Duration::from_secs(86_400) };
        let meter = Meter::default();
        meter.take(None, "agent_rate", "agent `echo`").unwrap();
        for _ in 0..2 {
            meter.take(Some(two), "agent_rate", "agent `echo`").unwrap();
        }
        let denial = meter.take(Some(two), "agent_rate", "agent `echo`").unwrap_err();
        assert_eq!(denial.id, DenialId::LimitRate);
        let again = Meter::resumed(meter.states());
        assert!(again.take(Some(two), "agent_rate", "agent `echo`").is_err());
        let three = Rate { amount: 3, ..two };
        again.take(Some(three), "agent_rate", "agent `echo`").unwrap();
    }
}

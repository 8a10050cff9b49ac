//! The output rules of a call that an operator makes without a gateway: `soulbound call SOUL.md …`.
//!
//! The rule: what the same rules refuse in a gateway, they refuse here. Nobody can be asked, so what waits for a person is
//! refused too, and what is only noted goes on.

use std::sync::Arc;

use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::{Access, BoxFuture, Carrier, Effect, Outcome, Overseer, Permit};

use super::{Outputs, Verdict, unasked, withheld};

/// Watches one call for output rules alone.
pub(crate) struct Alone(Arc<Outputs>);

impl Alone {
    /// Under these rules.
    pub(crate) fn new(outputs: Outputs) -> Self {
        Self(Arc::new(outputs))
    }

    /// The answer as it may be shown.
    pub(crate) fn answer(&self, outcome: Outcome) -> Outcome {
        match self.0.judge_outcome(&outcome).verdict {
            Verdict::Pass => outcome,
            Verdict::Masked(masked) => *masked,
            Verdict::Hold(held) => withheld(outcome, unasked(&held)),
            Verdict::Block(denial) => withheld(outcome, *denial),
        }
    }
}

impl Overseer for Alone {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        Box::pin(std::future::ready(match self.0.judge_effect(effect).verdict {
            Verdict::Pass => Ok(Permit::Unchanged),
            Verdict::Masked(content) => Ok(Permit::Masked(content)),
            Verdict::Hold(held) => Err(unasked(&held)),
            Verdict::Block(denial) => Err(*denial),
        }))
    }

    fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        self.0.inspects(carrier)
    }

    fn record(&self, _: &Access) {}
}

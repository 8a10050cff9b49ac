//! Which line makes a call or an effect wait for a person, and what becomes of it where nobody looks after approvals.
//!
//! The rule: what waits never happens because an embedding program forgot to ask.

use crate::denial::{Denial, DenialId};
use crate::grant::ApprovalGrant;
use crate::sandbox::overseer::{Carrier, Effect};

/// The first line that makes this effect wait.
pub(crate) fn of_effect<'a>(approve: &'a [ApprovalGrant], effect: &Effect) -> Option<&'a ApprovalGrant> {
    approve.iter().find(|grant| match effect {
        Effect::Request { method, .. } => grant.concerns_request(method),
        Effect::Change { .. } => grant.concerns_change(),
        Effect::Message { .. } => false,
    })
}

/// The first line that makes effects wait that carry such content.
pub(crate) fn of_carrier<'a>(
    approve: &'a [ApprovalGrant],
    carrier: Carrier<'_>,
) -> Option<&'a ApprovalGrant> {
    approve.iter().find(|grant| match carrier {
        Carrier::Request { method } => grant.concerns_request(method),
        Carrier::File => grant.concerns_change(),
    })
}

/// The refusal of what waits, where the overseer does not ask anybody.
pub(crate) fn nobody_to_ask(skill: &str, grant: &ApprovalGrant) -> Denial {
    let message =
        format!("skill `{skill}` needs a person's approval for this (`{grant}`), and nobody is asked here");
    Denial::new(DenialId::ApprovalDenied, message)
        .rule(grant.rule.clone())
        .hint("add the agent and call it through the gateway, where an operator can approve it")
}

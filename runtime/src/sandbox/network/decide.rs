//! The decision on a request, before anything is looked up: the operator's ceiling, then the grant with its methods.
//!
//! The call asks here for each request, and `soulbound why --host` asks here without one.

use std::sync::Arc;

use super::refusal;
use crate::denial::{Denial, RuleRef};
use crate::grant::HostGrant;
use crate::grant::host::{HostCeiling, Target, permits};
use crate::sandbox::witness::Witness;

/// The entry that lets the request go on.
pub(super) fn decide<'a>(
    ceiling: &HostCeiling,
    grants: &'a [HostGrant],
    method: &str,
    target: &Target,
    witness: &Witness,
) -> Result<&'a HostGrant, Denial> {
    ceiling.permits(target).map_err(|why| refusal::ceiling(witness, target, why))?;
    permits(grants, method, target).map_err(|why| refusal::not_granted(witness, target, method, why))
}

/// The line that would let a skill make this request, as far as the name and the method tell. The addresses that the
/// name resolves to are judged when a request is made.
///
/// # Errors
///
/// The denial that the request would meet.
pub fn judge_request(
    skill: &str,
    agent: &str,
    grants: &[HostGrant],
    ceiling: &HostCeiling,
    method: &str,
    target: &Target,
) -> Result<RuleRef, Denial> {
    let witness = Witness::of_no_call(Arc::from(skill), Arc::from(agent));
    decide(ceiling, grants, method, target, &witness).map(|grant| grant.rule().clone())
}

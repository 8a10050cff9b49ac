//! The limit of calls over time, attacked by itself: everywhere else it is lifted. The skill's own where it has one that can be
//! used up in a moment, a small one in its place otherwise.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{AgentIdentity, CallLimits};

use super::attack::{Aim, Amount, Attack, Class, Counted, ProbeKind};
use super::canary::Search;
use super::oracle::{self, Evidence, Standard, Verdict};
use super::probe::{self, Probes, Target};
use super::report::Finding;
use super::strike::Ear;
use super::stub::Traffic;

/// A limit of more calls than this is not used up here.
const MOST: u64 = 100;
/// What stands for it then.
const FEW: Rate = Rate { amount: 5, per: Duration::from_secs(3_600) };

/// Calls more often than the limit, at once: so many come through as it says, and those that time gave back meanwhile.
pub(super) async fn attack(target: &Target, probes: &Probes, identity: &AgentIdentity) -> Finding {
    let own = target
        .entry
        .grant
        .limits
        .rate
        .iter()
        .copied()
        .find(|rate| rate.amount <= MOST && rate.per >= Duration::from_secs(60));
    let rate = own.unwrap_or(FEW);
    let mut entry = probe::under_attack(&target.entry);
    entry.grant.limits.rate = vec![rate];
    // A whole one may come back while the calls are made.
    let aim = Aim::AtMost(Amount { of: Counted::Calls, most: rate.amount + 1 });
    let attack =
        Attack::new(Class::Exhaustion, "rate", "calls twice as often as it may", "calls", json!({})).aim(aim);
    let verdict = match target.runtime.bind(identity, &entry, probes.folder(ProbeKind::Files)) {
        Err(error) => Verdict::Blind(error.to_string()),
        Ok(bound) => {
            let mut outcomes = Vec::new();
            for _ in 0..rate.amount * 2 + 2 {
                outcomes
                    .push(bound.call(attack.tool, attack.arguments.clone(), Arc::new(Ear::default())).await);
            }
            let limits: &CallLimits = bound.limits();
            let evidence = Evidence {
                outcomes,
                traffic: Traffic::default(),
                changes: Vec::new(),
                progress: String::new(),
                longest: 0,
            };
            match Search::new(Vec::new()) {
                Ok(none) => {
                    let standard = Standard { forbidden: &none, limits: Some(limits), sight: None };
                    oracle::judge(&attack, &evidence, &standard)
                }
                Err(error) => Verdict::Blind(error.to_string()),
            }
        }
    };
    Finding::of(target, &attack, verdict)
}

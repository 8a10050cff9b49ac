//! The keys of gateway.toml that a running gateway cannot take over: what it was built on when it started.
//!
//! The rule: such a key holds back itself and nothing else. Beside it, in the same edit, may stand a host that nothing may
//! reach any more, and that applies at once.

use super::Settings;

impl Settings {
    /// Puts back, of the keys that change with a restart only, those that are in force: what other values wait for one.
    pub(crate) fn keep_until_restart(&mut self, in_force: &Self) -> Vec<&'static str> {
        let mut waits = Vec::new();
        let mut keep = |key, waiting: bool| {
            if waiting {
                waits.push(key);
            }
        };
        keep("[gateway] listen", self.listen != in_force.listen);
        keep("[approvals] address", self.approvals.address != in_force.approvals.address);
        keep("[sandbox] isolation", self.isolation != in_force.isolation);
        keep("[audit] durability", self.audit.durability != in_force.audit.durability);
        keep("[audit] rotate", self.audit.rotate != in_force.audit.rotate);
        self.listen = in_force.listen;
        self.approvals.address.clone_from(&in_force.approvals.address);
        self.isolation = in_force.isolation;
        self.audit = in_force.audit;
        waits
    }
}

/// The keys in a sentence: what waits, and for what.
pub(crate) fn said<'a>(keys: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let keys: Vec<String> = keys.into_iter().map(|key| format!("`{key}`")).collect();
    let verb = if keys.len() == 1 { "waits" } else { "wait" };
    (!keys.is_empty()).then(|| {
        format!("{} of gateway.toml {verb} for a restart; every other key of it is in force", keys.join(", "))
    })
}

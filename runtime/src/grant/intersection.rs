//! What two grants of one skill permit together: how a SOUL.md that changed on disk narrows the trusted one.
//!
//! The rule: nothing is permitted that either of the two does not permit, and everything is that both do. Whatever waits,
//! limits, refuses or pins holds if either says so.

use std::path::Path;

use super::Grant;
use super::host;

impl Grant {
    /// This grant under the restrictions of another one of the same skill. `folder` is the SOUL.md's, to which both
    /// grants' directories are relative. Where a thing can be written in two ways, it is as this grant writes it.
    #[must_use]
    pub fn intersection(&self, other: &Self, folder: &Path) -> Self {
        let mut directories = Vec::new();
        for own in &self.directories {
            directories.extend(other.directories.iter().filter_map(|other| own.meet(other, folder)));
        }
        let mut limits = self.limits.tighten(&other.limits);
        limits.rule = self.limits.rule.clone().or_else(|| other.limits.rule.clone());
        Self {
            directories,
            hosts: host::meet(&self.hosts, &other.hosts),
            environment: kept(&self.environment, &other.environment, |a, b| {
                a.name == b.name && a.value == b.value
            }),
            secrets: kept(&self.secrets, &other.secrets, |a, b| a.to_string() == b.to_string()),
            approve: union(&self.approve, &other.approve, |a, b| a.what == b.what),
            limits,
            refuse: union(&self.refuse, &other.refuse, |a, b| a.0 == b.0),
            sha256: union(&self.sha256, &other.sha256, |a, b| a.0 == b.0),
            line: self.line.clone(),
        }
    }
}

/// The entries that both have.
fn kept<T: Clone>(own: &[T], other: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    own.iter().filter(|entry| other.iter().any(|other| same(entry, other))).cloned().collect()
}

/// The entries that either has.
fn union<T: Clone>(own: &[T], other: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let more = other.iter().filter(|entry| !own.iter().any(|own| same(own, entry)));
    own.iter().chain(more).cloned().collect()
}

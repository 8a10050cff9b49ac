//! `soulbound why --path`: what would come of an open, and by which line.
//!
//! The rule: it asks the very function that an open asks, so that the answer can't differ from what happens.

use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

use super::bind::BoundFiles;
use super::fault::{Fault, Verb};
use super::open::{Plan, Want, decide};
use super::stat;
use crate::denial::{Denial, RuleRef};

/// What would come of an access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// The grant covers it, whether or not something is there now. The line, where a grant's decided; the virtual
    /// directories above the grants have none.
    Allowed(Option<RuleRef>),
    /// It would be refused.
    Denied(Box<Denial>),
}

impl BoundFiles {
    /// Says what would come of opening a path as the skill sees it (`/documents/policy.md`), for reading or for
    /// writing. Nothing is opened for real, nothing changed, nothing recorded.
    ///
    /// `skill` and `agent` are what the sentence and the hint name.
    #[must_use]
    pub fn judge(&self, skill: &str, agent: &str, path: &str, write: bool) -> Judgement {
        let mut flags = DescriptorFlags::READ;
        let mut oflags = OpenFlags::empty();
        if write {
            flags = DescriptorFlags::WRITE;
            oflags = OpenFlags::CREATE;
        }
        let relative = path.trim_start_matches('/');
        let relative = if relative.is_empty() { "." } else { relative };
        let want = Want::new(PathFlags::SYMLINK_FOLLOW, oflags, flags);
        match decide(self, &stat::root(), relative, want) {
            Ok(Plan::Existing(grant, _) | Plan::New(grant, _)) => {
                Judgement::Allowed(Some(grant.grant.rule.clone()))
            }
            Ok(Plan::Virtual(_)) => Judgement::Allowed(None),
            Err(Fault::Failed(_)) => Judgement::Allowed(self.rule_for(relative)),
            Err(Fault::Overseen(denial)) => Judgement::Denied(denial),
            Err(Fault::Denied(refusal)) => {
                let verb = if write { Verb::Write } else { Verb::Read };
                let denial = refusal.denial(self.who(skill, agent), verb, &format!("/{relative}"));
                Judgement::Denied(Box::new(denial))
            }
        }
    }

    /// The line of the grant that a path from the root is routed to.
    fn rule_for(&self, relative: &str) -> Option<RuleRef> {
        match self.tree().route(super::root::ROOT, relative) {
            Ok(super::root::Routed::Below(grant, _)) => Some(grant.grant.rule.clone()),
            _ => None,
        }
    }
}

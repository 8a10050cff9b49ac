//! One agent's calls against their knobs and baselines: the detection itself, with no clock, disk or trail of its own.
//!
//! The rule: memory does not grow with what a model does. Skills are those that an operator trusted; whatever else is asked for
//! is counted as one.

mod skill;

use std::collections::{BTreeMap, HashMap};
use std::hash::RandomState;
use std::time::Instant;

use soulbound_runtime::DenialId;
use soulbound_runtime::sandbox::Outflow;
use soulbound_runtime::skill::Digest;

use super::baseline::Baseline;
use super::kind::Kind;
use super::knobs::Knobs;
use skill::SkillWatch;
pub(super) use skill::{is_disapproval, is_scope};

/// Skills of an agent that are watched one by one: SOUL.md lists at most as many, twice, for those that come and go.
const SKILLS: usize = 512;

/// Under which rules something is judged, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look<'a> {
    /// The operator's knobs.
    pub(super) knobs: &'a Knobs,
    /// By the monotonic clock.
    pub(super) now: Instant,
}

/// Something out of pattern that is to be noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anomaly {
    /// What kind.
    pub(crate) kind: Kind,
    /// Of which skill; none where no listed skill is concerned.
    pub(crate) skill: Option<String>,
    /// What was seen, in words; what was chosen at run time stands quoted, escaped and cut.
    pub(crate) observed: String,
    /// What would have been in pattern.
    pub(crate) expected: String,
    /// In which time.
    pub(crate) window: Option<String>,
    /// How many of the kind were counted instead of noted since the last one.
    pub(crate) held_back: u64,
}

/// A tool as it was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tool<'a> {
    /// The component exports it.
    Listed(&'a str),
    /// It does not; this is what the model wrote.
    Unlisted(&'a str),
}

/// How a call ended, as far as patterns are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End<'a> {
    /// Its tool returned a value, or somebody ended it.
    Unremarkable,
    /// It failed.
    Failed,
    /// It failed at something that it was not granted.
    Scope(DenialId, &'a str),
}

/// One agent's calls.
#[derive(Debug, Default)]
pub(super) struct Watch {
    skills: HashMap<String, SkillWatch>,
    /// Everything that no listed skill is concerned with.
    unlisted: SkillWatch,
    /// A model must not be able to choose names that count as one.
    keys: RandomState,
    /// Whether a baseline changed since it was last written down.
    dirty: bool,
}

impl Watch {
    /// With the baselines that were kept.
    pub(super) fn with(baselines: BTreeMap<String, Baseline>) -> Self {
        let skills =
            baselines.into_iter().take(SKILLS).map(|(name, baseline)| (name, SkillWatch::with(baseline)));
        Self { skills: skills.collect(), ..Self::default() }
    }

    /// A call is about to run.
    pub(super) fn began(
        &mut self,
        look: Look<'_>,
        skill: &str,
        component: Digest,
        tool: Tool<'_>,
    ) -> Vec<Anomaly> {
        self.dirty = true;
        let mut found = Vec::new();
        self.skill(skill).began(look, component, tool, &mut found);
        named(found, Some(skill))
    }

    /// A request is about to leave for this origin.
    pub(super) fn requested(&mut self, look: Look<'_>, skill: &str, origin: &str) -> Vec<Anomaly> {
        self.dirty = true;
        let found = self.skill(skill).requested(look, origin);
        named(found.into_iter().collect(), Some(skill))
    }

    /// Bytes are about to leave, or to be written.
    pub(super) fn moved(&mut self, look: Look<'_>, skill: &str, out: Outflow, bytes: u64) -> Vec<Anomaly> {
        self.dirty = true;
        let found = self.skill(skill).moved(look, out, bytes);
        named(found.into_iter().collect(), Some(skill))
    }

    /// An access of a running call was refused.
    pub(super) fn denied(&mut self, look: Look<'_>, skill: &str, id: DenialId, target: &str) -> Vec<Anomaly> {
        let key = self.key("access", id, target);
        let found = self.skill(skill).denied(look, id, target, key);
        named(found.into_iter().collect(), Some(skill))
    }

    /// A call that ran ended.
    pub(super) fn ended(&mut self, look: Look<'_>, skill: &str, end: End<'_>) -> Vec<Anomaly> {
        self.dirty = true;
        let key = match end {
            End::Scope(id, message) => self.key("end", id, message),
            _ => 0,
        };
        let mut found = Vec::new();
        self.skill(skill).ended(look, end, key, &mut found);
        named(found, Some(skill))
    }

    /// A call was refused before it ran, of a listed skill or of none; `asked` is what was asked for.
    pub(super) fn refused(
        &mut self,
        look: Look<'_>,
        skill: Option<&str>,
        id: DenialId,
        asked: &str,
    ) -> Vec<Anomaly> {
        let watch = match skill {
            Some(skill) => self.skill(skill),
            None => &mut self.unlisted,
        };
        let found = watch.refused(look, id, asked);
        named(found.into_iter().collect(), skill)
    }

    /// Something that is noted elsewhere happened: it is told, once in the cool-down.
    pub(super) fn happened(
        &mut self,
        look: Look<'_>,
        kind: Kind,
        skill: Option<&str>,
        what: &str,
    ) -> Vec<Anomaly> {
        let watch = match skill {
            Some(skill) => self.skill(skill),
            None => &mut self.unlisted,
        };
        let said = || skill::Said::new(what.to_owned(), "what an operator trusted".to_owned(), None);
        let found = watch.raise(look, kind, said);
        named(found.into_iter().collect(), skill)
    }

    /// What cool-downs that are over have held back; all of it when the program leaves.
    pub(super) fn held_back(&mut self, look: Look<'_>, leaving: bool) -> Vec<Anomaly> {
        let mut all = named(self.unlisted.held_back(look, leaving), None);
        for (name, watch) in &mut self.skills {
            all.extend(named(watch.held_back(look, leaving), Some(name)));
        }
        all
    }

    /// How many of each kind are held back now.
    pub(super) fn holding(&self) -> u64 {
        self.skills.values().chain([&self.unlisted]).map(SkillWatch::holding).sum()
    }

    /// An operator closed a breaker: what was counted is forgotten, what was learned stays.
    pub(super) fn forget(&mut self, skill: Option<&str>) {
        match skill {
            Some(skill) => {
                if let Some(watch) = self.skills.get_mut(skill) {
                    watch.forget();
                }
            }
            None => {
                self.unlisted.forget();
                self.skills.values_mut().for_each(SkillWatch::forget);
            }
        }
    }

    /// The baselines, if one changed since they were last asked for.
    pub(super) fn changed_baselines(&mut self) -> Option<BTreeMap<String, Baseline>> {
        std::mem::take(&mut self.dirty).then(|| {
            let known = self.skills.iter().filter(|(_, watch)| watch.baseline().component.is_some());
            known.map(|(name, watch)| (name.clone(), watch.baseline().clone())).collect()
        })
    }

    /// The program leaves: minutes and hours that are not over count as if they were.
    pub(super) fn end(&mut self) {
        self.skills.values_mut().for_each(SkillWatch::end);
    }

    fn skill(&mut self, name: &str) -> &mut SkillWatch {
        // Two look-ups instead of an owned name for every call.
        if !self.skills.contains_key(name) {
            if self.skills.len() >= SKILLS {
                return &mut self.unlisted;
            }
            self.skills.insert(name.to_owned(), SkillWatch::with(Baseline::default()));
        }
        self.skills.get_mut(name).unwrap_or(&mut self.unlisted)
    }

    fn key(&self, what: &str, id: DenialId, target: &str) -> u64 {
        use std::hash::BuildHasher;
        self.keys.hash_one((what, id, target))
    }
}

fn named(mut found: Vec<Anomaly>, skill: Option<&str>) -> Vec<Anomaly> {
    for anomaly in &mut found {
        anomaly.skill = skill.map(str::to_owned);
    }
    found
}

#[cfg(test)]
mod tests;

//! Every recorded access judged again, by a second matcher that shares no code with the one that decided: an access that was
//! let pass and stands under no grant of the SOUL.md in force then is a finding.
//!
//! The rule: what cannot be judged from the record alone is counted as such, never as fine.

mod files;
mod judge;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod origins;

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;
use soulbound_runtime::Soul;
use soulbound_runtime::skill::Digest;

use super::error::AuditError;
use super::line::Line;
use super::read::{self, Filter};
use files::Course;
use judge::{Ruling, Tried};

/// Whether the second matcher finds a grant for a request of a skill.
#[cfg(feature = "fuzz")]
pub(crate) fn grants_request(soul: &Soul, skill: &str, method: &str, target: &str) -> bool {
    let tried = Tried { kind: "host", target, access: method, failed: false };
    judge::judge(soul, skill, &tried, &mut Course::default()) == Ruling::Granted
}

/// Findings kept one by one.
const KEPT: usize = 1_000;

/// What judging a trail again showed.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Accesses that were let pass and judged again.
    pub(crate) judged: u64,
    /// Accesses that the record says were refused.
    pub(crate) refused: u64,
    /// Accesses that could not be judged: not in the record one by one, a path that the text alone does not settle, or a
    /// SOUL.md that is not in the store.
    pub(crate) unjudged: u64,
    /// Accesses under no grant, the first thousand.
    pub(crate) findings: Vec<Finding>,
    /// How many more there are.
    pub(crate) more_findings: u64,
}

/// An access that was let pass under no grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The record that has it.
    pub(crate) seq: u64,
    /// The skill.
    pub(crate) skill: String,
    /// What was tried: `read`, `GET`, …
    pub(crate) access: String,
    /// On what. Chosen by the guest.
    pub(crate) target: String,
    /// Why no grant covers it.
    pub(crate) why: &'static str,
}

/// Where the SOUL.md with a digest comes from.
pub(crate) type Souls<'a> = dyn Fn(Digest) -> Option<Soul> + 'a;

/// Judges the trail in a folder. Whether the records are genuine is for `audit verify`.
///
/// # Errors
///
/// The trail cannot be read.
pub(crate) fn replay(folder: &Path, souls: &Souls<'_>) -> Result<Replay, AuditError> {
    let mut replaying =
        Replaying { souls, read: HashMap::new(), open: HashMap::new(), replay: Replay::default() };
    read::all(folder, &Filter::default(), &mut |record| {
        replaying.hear(record);
        true
    })?;
    Ok(replaying.replay)
}

/// Under what a call runs.
struct Call {
    skill: String,
    soul: Option<Digest>,
    course: Course,
}

struct Replaying<'a> {
    souls: &'a Souls<'a>,
    read: HashMap<Digest, Option<Soul>>,
    open: HashMap<u64, Call>,
    replay: Replay,
}

impl Replaying<'_> {
    fn hear(&mut self, record: &Line<'_>) {
        match record.text("event") {
            Some("intent") => {
                let soul = record.text("soul").and_then(Digest::parse);
                let skill = record.text("skill").unwrap_or_default().to_owned();
                let narrowed = record.member("note").is_some_and(|note| note.get("narrowed_by").is_some());
                let course = Course::of(narrowed);
                self.open.insert(record.seq, Call { skill, soul, course });
            }
            Some("effect") => {
                if let Some(call) = record.number("call") {
                    self.accesses(record, call);
                }
            }
            Some("outcome") => {
                if let Some(call) = record.number("call") {
                    self.accesses(record, call);
                    self.open.remove(&call);
                }
            }
            _ => {}
        }
    }

    fn accesses(&mut self, record: &Line<'_>, call: u64) {
        let more = record.member("accesses_more").and_then(|more| more.get("count")?.as_u64());
        self.replay.unjudged += more.unwrap_or_default();
        let Some(accesses) = record.member("accesses").and_then(Value::as_array) else { return };
        let Some(call) = self.open.get_mut(&call) else {
            self.replay.unjudged += accesses.len() as u64;
            return;
        };
        let souls = self.souls;
        let soul =
            call.soul.and_then(|digest| self.read.entry(digest).or_insert_with(|| souls(digest)).as_ref());
        for access in accesses {
            let text = |name: &str| access.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("decision") != "allowed" {
                self.replay.refused += 1;
                continue;
            }
            let Some(soul) = soul else {
                self.replay.unjudged += 1;
                continue;
            };
            let tried = Tried {
                kind: text("kind"),
                target: text("target"),
                access: text("access"),
                failed: access.get("failed").is_some(),
            };
            match judge::judge(soul, &call.skill, &tried, &mut call.course) {
                Ruling::Granted => self.replay.judged += 1,
                Ruling::Unclear => self.replay.unjudged += 1,
                Ruling::Ungranted(why) => {
                    self.replay.judged += 1;
                    if self.replay.findings.len() == KEPT {
                        self.replay.more_findings += 1;
                        continue;
                    }
                    self.replay.findings.push(Finding {
                        seq: record.seq,
                        skill: call.skill.clone(),
                        access: tried.access.to_owned(),
                        target: tried.target.to_owned(),
                        why,
                    });
                }
            }
        }
    }
}

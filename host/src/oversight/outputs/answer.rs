//! What a call answers, judged before anybody reads it: the result or the error, the log, and what denials quote.
//!
//! Each string is judged as it is, so that what it holds can be replaced; then the whole as the JSON that a model reads, which
//! finds numbers, keys, and what is spread over JSON's own escapes.

use std::sync::Arc;

use serde_json::Value;
use soulbound_runtime::sandbox::{Ending, Outcome};
use soulbound_runtime::{Denial, DenialId};

use super::content::Mask;
use super::place::{Action, Place};
use super::{Held, Judged, LARGE, Note, Outputs, Verdict, unjudged};
use crate::gateway::doors::Turns;

/// What stands in place of a text that is withheld.
const WITHHELD: &str = "[withheld by an output rule]";

/// [`Outputs::judge_outcome`], a large answer on threads that everybody else goes before. Gives the outcome back.
pub(crate) async fn judged(
    outputs: Arc<Outputs>,
    turns: &Turns,
    outcome: Outcome,
) -> (Outcome, Judged<Box<Outcome>>) {
    if !outputs.applies(Place::Results) || size(&outcome) < LARGE {
        let judged = outputs.judge_outcome(&outcome);
        return (outcome, judged);
    }
    let mut spare = outcome.clone();
    spare.ending = Ending::Failed { denial: None, error: None };
    let judging = move || {
        let judged = outputs.judge_outcome(&outcome);
        (outcome, judged)
    };
    turns.below(judging).await.unwrap_or_else(|| {
        let denial = unjudged(Place::Results, "the judgement did not come to its end");
        (spare, Judged { verdict: Verdict::Block(Box::new(denial)), notes: Vec::new() })
    })
}

/// About how many bytes an answer has.
pub(crate) fn size(outcome: &Outcome) -> usize {
    let said: usize = outcome.log.iter().map(|line| line.text.len()).sum();
    said + match &outcome.ending {
        Ending::Returned(value) => size_of(value),
        Ending::Failed { error: Some(error), .. } => {
            error.message.len() + error.value.as_ref().map_or(0, size_of)
        }
        Ending::Failed { .. } => 0,
    }
}

/// About how many bytes a value has.
pub(crate) fn size_of(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size_of).sum::<usize>() + list.len(),
        Value::Object(members) => members.iter().map(|(name, one)| name.len() + size_of(one)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

impl Outputs {
    /// Judges an outcome. A masked one differs only in its texts; a blocked one keeps all that was done.
    pub(crate) fn judge_outcome(&self, outcome: &Outcome) -> Judged<Box<Outcome>> {
        let mut judged = Judged { verdict: Verdict::Pass, notes: Vec::new() };
        if !self.applies(Place::Results) {
            return judged;
        }
        let mut answer = Answer { outputs: self, notes: Vec::new(), changed: false, stop: None };
        let mut masked = outcome.clone();
        match &mut masked.ending {
            Ending::Returned(value) => answer.value(value),
            Ending::Failed { denial, error } => {
                if let Some(denial) = denial {
                    answer.denial(denial);
                }
                if let Some(error) = error {
                    answer.text(&mut error.message);
                    if let Some(value) = &mut error.value {
                        answer.value(value);
                    }
                }
            }
        }
        for denial in &mut masked.denials {
            answer.denial(denial);
        }
        for line in &mut masked.log {
            answer.aside(&mut line.text);
        }
        for access in &mut masked.accesses {
            if let Some(denial) = &mut access.denial {
                answer.denial(denial);
            }
        }
        judged.verdict = match answer.stop {
            Some(Stop::Block(denial)) => Verdict::Block(denial),
            Some(Stop::Hold(held)) => Verdict::Hold(held),
            None if answer.changed => Verdict::Masked(Box::new(masked)),
            None => Verdict::Pass,
        };
        judged.notes = answer.notes;
        judged
    }

    /// A text that goes beside the answer, such as a call's progress: whatever is to be refused there is left out.
    pub(crate) fn aside(&self, text: &str) -> Option<String> {
        instead(self.judge_bytes(Place::Results, text.as_bytes(), Mask::Named).verdict)
    }
}

/// What stands in place of a text without which the answer is whole.
fn instead(verdict: Verdict<Vec<u8>>) -> Option<String> {
    match verdict {
        Verdict::Pass => None,
        Verdict::Masked(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Verdict::Hold(_) | Verdict::Block(_) => Some(WITHHELD.to_owned()),
    }
}

/// The outcome of a call whose answer is withheld: what was done stands in it, what was said does not.
pub(crate) fn withheld(mut outcome: Outcome, denial: Denial) -> Outcome {
    outcome.denials.push(denial.clone());
    outcome.ending = Ending::Failed { denial: Some(denial), error: None };
    outcome.log.clear();
    let of_accesses = outcome.accesses.iter_mut().filter_map(|access| access.denial.as_mut());
    for denial in outcome.denials.iter_mut().chain(of_accesses) {
        if denial.id != DenialId::OutputBlocked {
            WITHHELD.clone_into(&mut denial.message);
            denial.hint = None;
            if let Some(rule) = &mut denial.rule {
                WITHHELD.clone_into(&mut rule.text);
            }
        }
    }
    outcome
}

/// An answer on its way through the rules.
struct Answer<'a> {
    outputs: &'a Outputs,
    notes: Vec<Note>,
    changed: bool,
    stop: Option<Stop>,
}

/// Why an answer does not go out.
enum Stop {
    Hold(Held),
    Block(Box<Denial>),
}

impl Answer<'_> {
    fn value(&mut self, value: &mut Value) {
        self.strings(value);
        let whole = value.to_string();
        self.judged(whole.as_bytes(), Mask::Impossible);
    }

    /// Every string of a value. JSON that a guest made is no deeper than what the runtime takes.
    fn strings(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => list.iter_mut().for_each(|one| self.strings(one)),
            Value::Object(members) => members.iter_mut().for_each(|(_, one)| self.strings(one)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&mut self, text: &mut String) {
        if let Some(masked) = self.judged(text.as_bytes(), Mask::Named) {
            *text = masked;
        }
    }

    fn denial(&mut self, denial: &mut Denial) {
        self.aside(&mut denial.message);
        // A hint repeats what was tried, and a rule's text what somebody wrote.
        if let Some(hint) = &mut denial.hint {
            self.aside(hint);
        }
        if let Some(imported) = &mut denial.imported {
            self.aside(imported);
        }
        if let Some(rule) = &mut denial.rule {
            self.aside(&mut rule.text);
        }
    }

    /// A text that nobody needs: withheld rather than the whole answer.
    fn aside(&mut self, text: &mut String) {
        let judged = self.outputs.judge_bytes(Place::Results, text.as_bytes(), Mask::Named);
        self.note(judged.notes);
        if let Some(instead) = instead(judged.verdict) {
            *text = instead;
            self.changed = true;
        }
    }

    /// One note a rule: the whole is judged after its parts.
    fn note(&mut self, notes: Vec<Note>) {
        for note in notes {
            match self.notes.iter_mut().find(|known| known.rule == note.rule) {
                Some(known) => known.action = known.action.max(note.action),
                None => self.notes.push(note),
            }
        }
    }

    /// Judges a text, and gives what is to stand in its place.
    fn judged(&mut self, text: &[u8], mask: Mask) -> Option<String> {
        let judged = self.outputs.judge_bytes(Place::Results, text, mask);
        self.note(judged.notes);
        match judged.verdict {
            Verdict::Pass => None,
            Verdict::Masked(bytes) => {
                self.changed = true;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            Verdict::Hold(held) => {
                self.stop.get_or_insert(Stop::Hold(held));
                None
            }
            Verdict::Block(denial) => {
                self.stop = Some(Stop::Block(denial));
                None
            }
        }
    }
}

impl Note {
    /// The event under which it stands in the trail.
    pub(crate) fn event(&self) -> crate::audit::Event {
        match self.action {
            Action::Block | Action::Hold => crate::audit::Event::OutputBlocked,
            Action::Redact => crate::audit::Event::OutputRedacted,
            Action::Note | Action::Allow => crate::audit::Event::OutputNoted,
        }
    }
}

//! What may never leave an agent: the rules of its SOUL.md (`Never output: …`) and of the operator's `[outputs]`, held against
//! results, requests, file writes and channel messages.
//!
//! The rule: what cannot be judged to its end is refused. And no answer, record or message of ours holds what was found: each
//! names the rule and the place.

pub(crate) mod alone;
pub(crate) mod answer;
mod content;
mod detectors;
pub(crate) mod effect;
mod place;
mod rule;
pub(crate) mod settings;
#[cfg(test)]
mod tests;
mod views;

use std::ops::ControlFlow;

use soulbound_runtime::grant::OutputRule;
use soulbound_runtime::{Denial, DenialId, RuleRef, Soul};

pub(crate) use answer::withheld;
use place::{Action, Actions, Place};
use rule::Rule;
pub(crate) use settings::OutputSettings;
use views::Looked;

/// Bytes of a body or of a file that are held back to be judged. Larger ones are refused where a rule applies.
pub(crate) const JUDGED_BYTES: u64 = 8 << 20;

/// Content of so many bytes is judged below everybody else, since whoever asks has others to serve: it takes 60 to 530 µs a KiB.
pub(super) const LARGE: usize = 4 << 10;

/// The output rules of one agent at one moment.
#[derive(Default)]
pub(crate) struct Outputs {
    soul: Vec<Rule>,
    operator: std::sync::Arc<Vec<Rule>>,
}

/// What a judgement comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict<T> {
    /// It goes on as it is.
    Pass,
    /// It goes on like this.
    Masked(T),
    /// A person is asked first.
    Hold(Held),
    /// It is refused.
    Block(Box<Denial>),
}

/// What waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The rule's name, never what it found.
    pub(crate) rule: String,
    /// Where it would go.
    pub(crate) place: Place,
}

/// A verdict, and what the trail has to know of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Judged<T> {
    /// What is to be done.
    pub(crate) verdict: Verdict<T>,
    /// The rules that matched, in order.
    pub(crate) notes: Vec<Note>,
}

/// A rule that matched: for the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    /// The rule's name.
    pub(crate) rule: String,
    /// Where.
    pub(crate) place: Place,
    /// What was done.
    pub(crate) action: Action,
}

/// The rules that something matched.
struct Matches<'a> {
    rules: Vec<&'a Rule>,
    looked: Looked,
}

impl Outputs {
    /// The rules of a SOUL.md and of the operator together.
    pub(crate) fn new(soul: &Soul, operator: &OutputSettings) -> Self {
        let soul = soul.output_rules().filter_map(of_soul).collect();
        Self { soul, operator: operator.rules() }
    }

    /// Whether any rule looks at what is put out there.
    pub(crate) fn applies(&self, place: Place) -> bool {
        self.rules(place).next().is_some()
    }

    fn rules(&self, place: Place) -> impl Iterator<Item = &Rule> {
        self.soul.iter().chain(self.operator.iter()).filter(move |rule| rule.action(place) > Action::Allow)
    }

    /// The rules of this place that something in any view of the text matches.
    fn matches(&self, place: Place, text: &[u8]) -> Matches<'_> {
        let mut left: Vec<&Rule> = self.rules(place).collect();
        let mut rules = Vec::new();
        if left.is_empty() {
            return Matches { rules, looked: Looked::Completely };
        }
        let looked = views::each(text, &mut |view| {
            left.retain(|rule| {
                let found = rule.finds(view, place);
                if found {
                    rules.push(*rule);
                }
                !found
            });
            if left.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Matches { rules, looked }
    }
}

impl Matches<'_> {
    /// The rule that does most, of several the first.
    fn strictest(&self, place: Place) -> Option<&Rule> {
        let rules = self.rules.iter().rev();
        rules.max_by_key(|rule| rule.action(place)).copied()
    }

    fn notes(&self, place: Place) -> Vec<Note> {
        let note = |rule: &&Rule| Note { rule: rule.label.clone(), place, action: rule.action(place) };
        self.rules.iter().map(note).collect()
    }
}

/// SOUL.md's own rules block everywhere: `check` says so, and nothing in gateway.toml loosens them.
fn of_soul(rule: &OutputRule) -> Option<Rule> {
    let source = RuleRef { text: "Never output: …".to_owned(), ..rule.rule.clone() };
    let label = match &rule.what {
        soulbound_runtime::grant::output::OutputPattern::Detector(detector) => detector.name().to_owned(),
        _ => format!("SOUL.md:{}", rule.rule.line),
    };
    Rule::new(label, source, &rule.what, Actions::everywhere(Action::Block))
}

/// Refused because a rule matched.
fn blocked(rule: &Rule, place: Place) -> Denial {
    let message = format!("{} holds what the output rule `{}` forbids", place.what(), rule.label);
    Denial::new(DenialId::OutputBlocked, message)
        .rule(rule.source.clone())
        .hint("soulbound explain output.blocked")
}

/// Refused because nobody can say whether a rule matches.
fn unjudged(place: Place, why: &str) -> Denial {
    let message = format!("{} cannot be held against the output rules: {why}", place.what());
    Denial::new(DenialId::OutputBlocked, message).hint("put out less at once, and nothing packed")
}

/// Refused because it waits for a person, where nobody can be asked.
pub(crate) fn unasked(held: &Held) -> Denial {
    let message = format!(
        "{} holds what the output rule `{}` lets go only after a person was asked, and nobody can be",
        held.place.what(),
        held.rule
    );
    Denial::new(DenialId::OutputBlocked, message).hint("soulbound explain output.blocked")
}

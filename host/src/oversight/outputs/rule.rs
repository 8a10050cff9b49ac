//! One output rule, ready to be looked for: its name, where it comes from, and what it does in each place.

use std::ops::Range;

use icu_normalizer::ComposingNormalizerBorrowed;
use regex::bytes::{Regex, RegexBuilder};
use soulbound_runtime::RuleRef;
use soulbound_runtime::grant::output::{Detector, Expression, OutputPattern};

use super::detectors;
use super::place::{Action, Actions, Place};

/// What may stand between two words of a phrase, in characters: `project titan` is also `project_titan` and `project,\n titan`.
const BETWEEN: &str = r"[^\pL\pN]{1,8}";
/// Replaced matches of an expression that has no longest match. Each search may look at all that follows, so that many of them
/// would take quadratic time; what has more is blocked as a whole.
const UNBOUNDED_MATCHES: usize = 32;
/// The same for an expression whose matches are at most [`SHORT`] bytes.
const MATCHES: usize = 10_000;
/// A match of this many bytes is short.
const SHORT: usize = 1024;

/// An output rule.
pub(crate) struct Rule {
    /// How denials, notes and redactions name it: never by what it looks for, since that is the secret.
    pub(crate) label: String,
    /// Where it stands; its text elided.
    pub(crate) source: RuleRef,
    finder: Finder,
    /// What it does where.
    pub(crate) actions: Actions,
    /// Whether examples from the services' own documentation pass where nothing leaves the machine.
    examples_pass: bool,
}

/// How a rule looks.
enum Finder {
    Words(Words),
    Expression(Expression),
    Detector(Detector),
}

/// Whole words in any case.
struct Words {
    regex: Regex,
    /// Whether the first and the last character belong to a word, so that none may stand beside them.
    starts: bool,
    ends: bool,
}

/// More matches than can be replaced in bounded time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Rule {
    /// Of a pattern. `None` if its words make no expression, which reading them has excluded.
    pub(crate) fn new(
        label: String,
        source: RuleRef,
        pattern: &OutputPattern,
        actions: Actions,
    ) -> Option<Self> {
        let finder = match pattern {
            OutputPattern::Words(words) => Finder::Words(Words::new(words)?),
            OutputPattern::Expression(expression) => Finder::Expression(expression.clone()),
            OutputPattern::Detector(detector) => Finder::Detector(*detector),
            _ => return None,
        };
        Some(Self { label, source, finder, actions, examples_pass: false })
    }

    /// Lets documented examples pass in results and files.
    pub(crate) fn letting_examples_pass(mut self) -> Self {
        self.examples_pass = true;
        self
    }

    /// What it does in this place.
    pub(super) fn action(&self, place: Place) -> Action {
        self.actions.at(place)
    }

    /// Whether something in this text is what it forbids there.
    pub(super) fn finds(&self, text: &[u8], place: Place) -> bool {
        let mut found = false;
        self.each(text, place, &mut |_| {
            found = true;
            false
        });
        found
    }

    /// All that it forbids in this text there, in order, none overlapping.
    ///
    /// # Errors
    ///
    /// More than can be replaced.
    pub(super) fn all(&self, text: &[u8], place: Place) -> Result<Vec<Range<usize>>, TooMany> {
        let most = match &self.finder {
            Finder::Expression(one) if one.longest().is_none_or(|longest| longest > SHORT) => {
                UNBOUNDED_MATCHES
            }
            _ => MATCHES,
        };
        let mut found = Vec::new();
        self.each(text, place, &mut |range| {
            found.push(range);
            found.len() <= most
        });
        if found.len() > most { Err(TooMany) } else { Ok(found) }
    }

    /// Tells of each match until `found` has enough.
    fn each(&self, text: &[u8], place: Place, found: &mut dyn FnMut(Range<usize>) -> bool) {
        match &self.finder {
            Finder::Words(words) => words.each(text, found),
            Finder::Expression(expression) => {
                for one in expression.regex().find_iter(text) {
                    if !found(one.range()) {
                        return;
                    }
                }
            }
            Finder::Detector(detector) => {
                // On the way out an example is a test of this very rule as likely as it is an example.
                let pass = self.examples_pass && matches!(place, Place::Results | Place::Files);
                detectors::each(*detector, text, &mut |range| {
                    let matched = text.get(range.clone()).unwrap_or_default();
                    (pass && detectors::is_documented_example(*detector, matched)) || found(range)
                });
            }
        }
    }
}

impl Words {
    fn new(phrase: &str) -> Option<Self> {
        // Text is looked at as it is and in its compatibility form; so are the words.
        let folded = ComposingNormalizerBorrowed::new_nfkc().normalize(phrase).into_owned();
        let mut spellings = vec![expression(phrase)];
        if folded != phrase {
            spellings.push(expression(&folded));
        }
        let regex = RegexBuilder::new(&spellings.join("|")).case_insensitive(true).build().ok()?;
        let is_edge = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        Some(Self {
            regex,
            starts: is_edge(phrase.chars().next()),
            ends: is_edge(phrase.chars().next_back()),
        })
    }

    /// The boundaries are looked at here and not by the expression: `\b` of all of Unicode makes its engine slow.
    fn each(&self, text: &[u8], found: &mut dyn FnMut(Range<usize>) -> bool) {
        let mut from = 0;
        while let Some(one) = self.regex.find_at(text, from) {
            let range = one.range();
            let before = text.get(..range.start).unwrap_or_default();
            let after = text.get(range.end..).unwrap_or_default();
            let whole = !(self.starts && last_is_of_a_word(before) || self.ends && first_is_of_a_word(after));
            if whole {
                from = range.end;
                if !found(range) {
                    return;
                }
            } else {
                // `tata` in `tatata` may begin within the one that is none.
                from = range.start + 1;
            }
        }
    }
}

/// The words of a phrase with whatever may stand between them.
fn expression(phrase: &str) -> String {
    phrase.split_whitespace().map(regex::escape).collect::<Vec<_>>().join(BETWEEN)
}

fn last_is_of_a_word(text: &[u8]) -> bool {
    let tail = text.get(text.len().saturating_sub(4)..).unwrap_or_default();
    tail.utf8_chunks().last().is_some_and(|chunk| {
        chunk.invalid().is_empty() && chunk.valid().chars().next_back().is_some_and(char::is_alphanumeric)
    })
}

fn first_is_of_a_word(text: &[u8]) -> bool {
    let head = text.get(..text.len().min(4)).unwrap_or_default();
    head.utf8_chunks()
        .next()
        .is_some_and(|chunk| chunk.valid().chars().next().is_some_and(char::is_alphanumeric))
}

//! A text or bytes that leave, judged: let go, masked, held or refused.

use std::ops::Range;

use super::place::{Action, Place};
use super::rule::TooMany;
use super::views::Looked;
use super::{Held, Judged, Note, Outputs, Rule, Verdict, blocked, unjudged};

/// How what is forbidden is made away with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mask {
    /// By `[redacted: RULE]`: where a reader reads it.
    Named,
    /// By as many `*`: where lengths were promised.
    SameLength,
    /// Not at all: a URL with other characters is another URL.
    Impossible,
}

impl Outputs {
    /// Judges bytes that go out in one piece.
    pub(super) fn judge_bytes(&self, place: Place, text: &[u8], mask: Mask) -> Judged<Vec<u8>> {
        let matches = self.matches(place, text);
        let mut notes = matches.notes(place);
        let strictest = matches.strictest(place);
        // A match that is found already tells more than that there is more to look at.
        let action = strictest.map_or(Action::Allow, |rule| rule.action(place));
        let verdict = match (strictest, action) {
            (Some(rule), Action::Block) => Verdict::Block(Box::new(blocked(rule, place))),
            _ if matches.looked == Looked::Partly => {
                notes.push(Note { rule: "unjudged".to_owned(), place, action: Action::Block });
                Verdict::Block(Box::new(unjudged(place, "more is packed into it than is looked at")))
            }
            (Some(rule), Action::Hold) => Verdict::Hold(Held { rule: rule.label.clone(), place }),
            (Some(rule), Action::Redact) => self.redacted(place, text, mask, rule, &mut notes),
            _ => Verdict::Pass,
        };
        Judged { verdict, notes }
    }

    /// Masks what stands there plainly. What is still found then stands in an encoding, which nobody can mask a part of.
    fn redacted(
        &self,
        place: Place,
        text: &[u8],
        mask: Mask,
        rule: &Rule,
        notes: &mut [Note],
    ) -> Verdict<Vec<u8>> {
        let mut block = |rule: &Rule| {
            notes
                .iter_mut()
                .filter(|note| note.rule == rule.label)
                .for_each(|note| note.action = Action::Block);
            Verdict::Block(Box::new(blocked(rule, place)))
        };
        let masked = match mask {
            Mask::Impossible => return block(rule),
            Mask::Named | Mask::SameLength => self.masked(place, text, mask),
        };
        let Ok(masked) = masked else { return block(rule) };
        let again = self.matches(place, &masked);
        match again.strictest(place) {
            Some(rule) if rule.action(place) >= Action::Redact => block(rule),
            _ => Verdict::Masked(masked),
        }
    }

    /// The text without what the masking rules find in it as it stands.
    fn masked(&self, place: Place, text: &[u8], mask: Mask) -> Result<Vec<u8>, TooMany> {
        let mut found: Vec<(Range<usize>, &str)> = Vec::new();
        for rule in self.rules(place).filter(|rule| rule.action(place) == Action::Redact) {
            found.extend(rule.all(text, place)?.into_iter().map(|range| (range, rule.label.as_str())));
        }
        // Where two overlap, the first begins and the longer ends the mask.
        found.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut masked = Vec::with_capacity(text.len());
        let mut end = 0;
        for (range, label) in found {
            if range.start >= end {
                masked.extend_from_slice(text.get(end..range.start).unwrap_or_default());
                if mask == Mask::Named {
                    masked.extend_from_slice(format!("[redacted: {label}]").as_bytes());
                }
            }
            let from = range.start.max(end);
            end = end.max(range.end);
            if mask == Mask::SameLength {
                masked.resize(masked.len() + end.saturating_sub(from), b'*');
            }
        }
        masked.extend_from_slice(text.get(end..).unwrap_or_default());
        Ok(masked)
    }
}

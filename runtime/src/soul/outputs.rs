//! A rule `Never output: <patterns>`, told from prose that only begins like it.
//!
//! The rule: one that a reader would take for enforced is enforced or an error, so the head is compared after case, spaces
//! and emphasis, and what follows it is read as strictly as a grant.

use std::ops::Range;

use super::outline::Block;
use super::source::Source;
use super::value;
use crate::grant::EntryError;
use crate::grant::output::{OutputPattern, OutputRule};

/// The head, as it is compared.
pub(super) const HEAD: &str = "never output";

/// The patterns of a rule of this kind; none if it is another rule.
pub(super) fn read(
    block: &Block,
    at: &Range<usize>,
    source: &Source<'_>,
) -> Result<Option<Vec<OutputRule>>, EntryError> {
    let Some(value) = value_of(at, source) else { return Ok(None) };
    let mut rules = Vec::new();
    for entry in value::entries(block, &value, true, source)? {
        let what = OutputPattern::parse(&entry.text)
            .map_err(|error| EntryError { at: entry.locate(&error.at), ..error })?;
        rules.push(OutputRule { what, rule: source.rule(at, entry.at().start) });
    }
    Ok(Some(rules))
}

/// Where the patterns stand, if the text has the head.
fn value_of(at: &Range<usize>, source: &Source<'_>) -> Option<Range<usize>> {
    let text = source.slice(at);
    let (head, _) = text.split_once(':')?;
    if !is_head(head) {
        return None;
    }
    // `**Never output:** x`: the emphasis ends after the colon.
    let is_around = |character: char| matches!(character, '*' | '_') || character.is_whitespace();
    let value = text.get(head.len() + 1..)?;
    let value =
        if head.starts_with(['*', '_']) { value.trim_start_matches(is_around) } else { value.trim_start() };
    let start = at.end - value.len();
    Some(start..start + value.trim_end().len())
}

/// Whether this stands before the colon of such a rule.
pub(super) fn is_head(head: &str) -> bool {
    let plain: String = head.chars().filter(|c| !matches!(c, '*' | '_')).collect();
    plain.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ") == HEAD
}

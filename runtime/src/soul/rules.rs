//! `## Rules`: prose for the model. Each bullet is a rule; none of them grants anything.

use super::outline::{Block, Shape};
use super::source::Source;
use crate::denial::RuleRef;

/// One rule, as written.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rule {
    /// Its text on one line.
    pub text: String,
    /// Its line, from 1.
    pub line: u32,
    /// Its line, for findings about it.
    pub rule: RuleRef,
}

/// Reads the section: every bullet, numbered and nested ones too, that is not inside a quote.
pub(super) fn read(blocks: &[&Block], source: &Source<'_>) -> Vec<Rule> {
    let items = blocks.iter().filter(|block| matches!(block.shape, Shape::Item { .. }) && !block.foreign);
    items
        .filter_map(|block| {
            let at = block.text()?;
            let rule = source.rule(&at, at.start);
            let text = source.slice(&at).split_whitespace().collect::<Vec<_>>().join(" ");
            Some(Rule { text, line: rule.line, rule })
        })
        .collect()
}

//! `## Rules`: prose for the model. Each bullet is a rule; none of them grants anything.

use super::diagnostic::Findings;
use super::outline::{Block, Shape};
use super::outputs;
use super::source::Source;
use crate::denial::RuleRef;
use crate::grant::{EntryError, OutputRule};

/// At most this many patterns may not be put out: each is looked for in everything that leaves.
const OUTPUT_RULES: usize = 64;

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
    /// What it forbids to put out, if it is `Never output: …`; otherwise nothing.
    pub output: Vec<OutputRule>,
}

/// Reads the section: every bullet, numbered and nested ones too, that is not inside a quote.
pub(super) fn read(blocks: &[&Block], source: &Source<'_>, findings: &mut Findings<'_>) -> Vec<Rule> {
    let items = blocks.iter().filter(|block| matches!(block.shape, Shape::Item { .. }) && !block.foreign);
    let mut rules = Vec::new();
    let mut patterns = 0;
    for block in items {
        let Some(at) = block.text() else { continue };
        let rule = source.rule(&at, at.start);
        let text = source.slice(&at).split_whitespace().collect::<Vec<_>>().join(" ");
        let output = match outputs::read(block, &at, source) {
            Ok(output) => output.unwrap_or_default(),
            Err(error) => {
                findings.error(error);
                Vec::new()
            }
        };
        patterns += output.len();
        if patterns > OUTPUT_RULES {
            let message = format!("more than {OUTPUT_RULES} patterns that may not be put out");
            findings.error(EntryError::at(at, message).hint("one regular expression can hold many"));
            break;
        }
        rules.push(Rule { text, line: rule.line, rule, output });
    }
    rules
}

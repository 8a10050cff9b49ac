//! The text of one SOUL.md and where in it something stands.
//!
//! Every range in the reader is a byte range of this text, so that values come from the raw source and errors
//! name the place that a person sees: lines from 1, columns in characters from 1.

use std::ops::Range;

use crate::denial::RuleRef;

/// A rule's text is kept with every entry of its line; a longer one is cut.
const RULE_CHARACTERS: usize = 160;

/// A SOUL.md's text, without its byte order mark.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let mut line_starts = vec![0];
        line_starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        Self { file, text, line_starts }
    }

    /// The text of a range; empty if the range is none of this text.
    pub(super) fn slice(&self, at: &Range<usize>) -> &'a str {
        self.text.get(at.clone()).unwrap_or_default()
    }

    /// Which line holds the byte, counted from 0.
    fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Where the line with this index begins.
    fn line_start(&self, index: usize) -> usize {
        self.line_starts.get(index).copied().unwrap_or(self.text.len())
    }

    /// Line and column of a byte, both from 1.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let offset = offset.min(self.text.len());
        let index = self.line_index(offset);
        let column = self.slice(&(self.line_start(index)..offset)).chars().count();
        (number(index) + 1, number(column) + 1)
    }

    /// The whole line that holds the byte, without its end.
    pub(super) fn line_text(&self, offset: usize) -> &'a str {
        let index = self.line_index(offset);
        self.slice(&(self.line_start(index)..self.line_start(index + 1))).trim_end_matches(['\n', '\r'])
    }

    /// Where the line that holds the byte ends, before its line break.
    pub(super) fn line_end(&self, offset: usize) -> usize {
        self.line_start(self.line_index(offset)) + self.line_text(offset).len()
    }

    /// Where a rule of this text stands: from its column to the end of its line.
    pub(super) fn place(&self, rule: &RuleRef) -> Range<usize> {
        let index = usize::try_from(rule.line).unwrap_or(1).saturating_sub(1);
        let start = self.line_start(index);
        let skip = usize::try_from(rule.column).unwrap_or(1).saturating_sub(1);
        let column: usize = self.line_text(start).chars().take(skip).map(char::len_utf8).sum();
        start + column..self.line_end(start)
    }

    /// A reference to the rule that stands in `text`, pointing at `at`.
    pub(super) fn rule(&self, text: &Range<usize>, at: usize) -> RuleRef {
        let (line, column) = self.position(at);
        let whole = self.slice(text);
        let mut text: String = whole.chars().take(RULE_CHARACTERS).collect();
        if text.len() < whole.len() {
            text.push('…');
        }
        RuleRef { file: self.file.to_owned(), line, column, text }
    }
}

/// A count as it is reported: a file of 256 KiB has no more lines or columns than fit.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let source = Source::new("SOUL.md", "é: x\r\n- b\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(2), (1, 2));
        assert_eq!(source.position(7), (2, 1));
        assert_eq!(source.position(11), (3, 1));
        assert_eq!(source.line_text(3), "é: x");
        assert_eq!(source.line_text(8), "- b");
        assert_eq!(source.position(999).0, 3);
    }
}

//! What is wrong with a SOUL.md, said to the person who wrote it: the place, what was found, the line itself
//! with a caret under the place, and the remedy. Everything that the file chose is escaped before it is
//! shown.

use std::fmt;

use serde::Serialize;

use super::source::Source;
use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::visible;

/// So many characters of a long line stand in an excerpt.
const EXCERPT_CHARACTERS: usize = 100;
/// Characters of an excerpt before the place, where the line is longer than an excerpt.
const EXCERPT_BEFORE: usize = 30;
/// So many characters of a literal stand in a message.
const LITERAL_CHARACTERS: usize = 60;
/// So many errors, and so many warnings, are kept of one file; the rest is counted.
const KEPT: usize = 100;

/// One error or warning, at a place of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The file as the operator named it.
    #[serde(skip)]
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, in characters from 1.
    pub column: u32,
    /// What was found and what was expected.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
    /// The line of the file, with the place.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// A line of a file, escaped and cut, with a part of it underlined.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excerpt {
    /// The text as it is shown.
    pub text: String,
    /// How many characters of `text` stand before the place.
    pub before: usize,
    /// How many characters of `text` the place is long; 0 underlines nothing.
    pub length: usize,
}

impl Diagnostic {
    /// Its line and column.
    fn place(&self) -> (u32, u32) {
        (self.line, self.column)
    }

    /// A diagnostic at a range of a source.
    pub(super) fn at(source: &Source<'_>, finding: &EntryError) -> Self {
        let (line, column) = source.position(finding.at.start);
        Self {
            file: source.file.to_owned(),
            line,
            column,
            message: visible::line(&finding.message),
            hint: finding.hint.as_deref().map(visible::line),
            excerpt: Some(Excerpt::of(source, finding)),
        }
    }

    /// A diagnostic about a file that could not even be looked at line by line.
    pub(super) fn whole(file: &str, line: u32, message: impl Into<String>, hint: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            column: 1,
            message: message.into(),
            hint: Some(hint.to_owned()),
            excerpt: None,
        }
    }

    /// A diagnostic about a rule that was read well, found later: a directory that is missing, a skill that
    /// is not installed.
    #[must_use]
    pub fn at_rule(rule: &RuleRef, message: impl Into<String>) -> Self {
        let text = visible::line(&rule.text);
        Self {
            file: rule.file.clone(),
            line: rule.line.max(1),
            column: rule.column.max(1),
            message: visible::line(&message.into()),
            hint: None,
            excerpt: (!text.is_empty()).then_some(Excerpt { text, before: 0, length: 0 }),
        }
    }

    /// With a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(visible::line(&hint.into()));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", visible::line(&self.file), self.line, self.column, self.message)?;
        if let Some(excerpt) = &self.excerpt {
            write!(formatter, "\n  | {}", excerpt.text)?;
            if excerpt.length > 0 {
                let (before, caret) = (" ".repeat(excerpt.before), "^".repeat(excerpt.length));
                write!(formatter, "\n  | {before}{caret}")?;
            }
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl Excerpt {
    fn of(source: &Source<'_>, finding: &EntryError) -> Self {
        let line = source.line_text(finding.at.start);
        let (_, column) = source.position(finding.at.start);
        let column = usize::try_from(column).unwrap_or(1) - 1;
        let first = if column + EXCERPT_BEFORE < EXCERPT_CHARACTERS { 0 } else { column - EXCERPT_BEFORE };
        let end = finding.at.end.min(source.line_end(finding.at.start));
        let length = source.slice(&(finding.at.start..end)).chars().count().max(1);
        let mut text = String::new();
        let (mut before, mut underlined) = (0, 0);
        if first > 0 {
            text.push('…');
            before = 1;
        }
        let mut rest = line.chars().enumerate().skip(first);
        for (index, character) in rest.by_ref().take(EXCERPT_CHARACTERS) {
            // A tab as an escape would only distract; a space is what it looks like.
            let shown = if character == '\t' {
                " ".to_owned()
            } else {
                visible::line(character.encode_utf8(&mut [0; 4]))
            };
            let width = shown.chars().count();
            text.push_str(&shown);
            if index < column {
                before += width;
            } else if index < column + length {
                underlined += width;
            }
        }
        if rest.next().is_some() {
            text.push('…');
        }
        Self { text, before, length: underlined.max(1) }
    }
}

/// A literal of the file as it stands in a message: in backticks, escaped, cut.
pub(super) fn literal(text: &str) -> String {
    let text = text.trim();
    let cut: String = text.chars().take(LITERAL_CHARACTERS).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", visible::line(&cut))
}

/// What was found in one file, so far.
pub(super) struct Findings<'a> {
    source: &'a Source<'a>,
    errors: Kept,
    warnings: Kept,
}

/// The first [`KEPT`] of one kind, and how many there were.
#[derive(Default)]
struct Kept {
    diagnostics: Vec<Diagnostic>,
    count: usize,
}

impl Kept {
    fn push(&mut self, source: &Source<'_>, finding: &EntryError) {
        self.count += 1;
        if self.diagnostics.len() < KEPT {
            self.diagnostics.push(Diagnostic::at(source, finding));
        }
    }

    fn finish(mut self, is_same: fn(&Diagnostic, &Diagnostic) -> bool) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(Diagnostic::place);
        self.diagnostics.dedup_by(|one, other| is_same(one, other));
        if let (true, Some(last)) = (self.count > KEPT, self.diagnostics.last()) {
            let more = format!("and {} more", self.count - KEPT);
            let more = Diagnostic { message: more, hint: None, excerpt: None, ..last.clone() };
            self.diagnostics.push(more);
        }
        self.diagnostics
    }
}

impl<'a> Findings<'a> {
    pub(super) fn new(source: &'a Source<'a>) -> Self {
        Self { source, errors: Kept::default(), warnings: Kept::default() }
    }

    /// Nothing of the file will be used; the range of `finding` is the source's.
    pub(super) fn error(&mut self, finding: EntryError) {
        self.errors.push(self.source, &finding);
    }

    /// Something that a person should know, and that grants nothing.
    pub(super) fn warn(&mut self, finding: EntryError) {
        self.warnings.push(self.source, &finding);
    }

    pub(super) fn is_clean(&self) -> bool {
        self.errors.count == 0
    }

    /// Errors and warnings, in order of line.
    pub(super) fn finish(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        // Two views of one mistake: the first one says enough. Warnings of one place are each of its own.
        let errors = self.errors.finish(|one, other| one.place() == other.place());
        (
            errors,
            self.warnings.finish(|one, other| one.place() == other.place() && one.message == other.message),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, at: std::ops::Range<usize>) -> String {
        let source = Source::new("SOUL.md", text);
        Diagnostic::at(&source, &EntryError::at(at, "wrong").hint("do it right")).to_string()
    }

    #[test]
    fn a_caret_stands_under_the_place_even_after_what_cannot_be_seen() {
        insta::assert_snapshot!(shown("a\n\t\u{202e}é host: x\n", 9..13), @r"
        SOUL.md:2:5: wrong
          |  \u202eé host: x
          |          ^^^^
          hint: do it right
        ");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}host{}", "a".repeat(500), "b".repeat(500));
        insta::assert_snapshot!(shown(&text, 500..504), @"
        SOUL.md:1:501: wrong
          | …aaaaaaaaaaaaaaaaaaaaaaaaaaaaaahostbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…
          |                                ^^^^
          hint: do it right
        ");
    }

    #[test]
    fn a_diagnostic_at_a_rule_shows_the_rule() {
        let rule = RuleRef { file: "SOUL.md".into(), line: 12, column: 11, text: "read: ./x".into() };
        insta::assert_snapshot!(Diagnostic::at_rule(&rule, "no such directory").hint("make it"), @"
        SOUL.md:12:11: no such directory
          | read: ./x
          hint: make it
        ");
    }

    #[test]
    fn a_file_of_errors_reports_the_first_hundred_and_counts_the_rest() {
        let text = "x\n".repeat(300);
        let source = Source::new("SOUL.md", &text);
        let mut findings = Findings::new(&source);
        for line in 0..300 {
            findings.error(EntryError::at(line * 2..line * 2 + 1, "wrong"));
        }
        let (errors, _) = findings.finish();
        assert_eq!(errors.len(), 101);
        assert_eq!(errors.last().unwrap().message, "and 200 more");
    }
}

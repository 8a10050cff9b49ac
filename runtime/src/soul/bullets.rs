//! The lists of `## Skills` and `## Channels`: top-level bullets with their nested bullets, and nothing else.
//!
//! Whatever else stands there is an error, or a warning where the design says that it never grants. So no
//! second reading of the same text is possible.

use std::ops::Range;

use super::diagnostic::{Findings, literal};
use super::outline::{Block, Inline, Shape};
use super::sections::{Section, at_start, at_text};
use super::source::Source;
use crate::grant::EntryError;

/// A top-level bullet and what is nested in it.
pub(super) struct Bullet<'a> {
    pub(super) block: &'a Block,
    pub(super) nested: Vec<&'a Block>,
}

/// Characters that look like a colon and separate nothing.
const LIKE_A_COLON: [char; 11] = [
    '\u{ff1a}', '\u{fe55}', '\u{fe13}', '\u{2236}', '\u{a789}', '\u{2d0}', '\u{589}', '\u{5c3}', '\u{2f8}',
    '\u{205a}', '\u{fe30}',
];

/// The bullets of a section; everything else in it is reported.
pub(super) fn read<'a>(
    section: Section,
    blocks: &[&'a Block],
    findings: &mut Findings<'_>,
) -> Vec<Bullet<'a>> {
    let mut bullets: Vec<Bullet<'a>> = Vec::new();
    let mut readable = false;
    let name = section.name();
    for &block in blocks {
        match (block.shape, block.depth) {
            // HTML was judged before; what is in a quote grants nothing, and the quote itself was reported.
            (Shape::Html, _) => {}
            _ if block.foreign => {}
            (Shape::Item { ordered: false }, 0) => {
                readable = true;
                bullets.push(Bullet { block, nested: Vec::new() });
            }
            (Shape::Item { ordered: true }, 0) => {
                readable = false;
                findings.error(
                    at_start(block, format!("a numbered list in `## {name}`"))
                        .hint("write bullets: `- name: purpose`"),
                );
            }
            // What is inside a numbered item was reported with it.
            (_, 1..) if !readable => {}
            (Shape::Item { ordered: false }, 1) => {
                if let Some(bullet) = bullets.last_mut() {
                    bullet.nested.push(block);
                }
            }
            (Shape::Item { .. }, 1) => findings.error(
                at_start(block, "a numbered list where grants are expected")
                    .hint("write bullets: `- key: value`"),
            ),
            (Shape::Item { .. }, _) => findings.error(
                at_text(block, "a list inside a grant")
                    .hint("write all entries of a key on its line, separated by commas"),
            ),
            (Shape::Line, 0) => {}
            (Shape::Code { .. }, 0) => findings.warn(
                at_start(block, format!("code in `## {name}` grants nothing"))
                    .hint("write bullets outside it"),
            ),
            (Shape::Quote, 0) => findings.warn(
                at_start(block, format!("a quote in `## {name}` grants nothing"))
                    .hint("write bullets outside it"),
            ),
            (Shape::Heading { .. }, _) => findings.error(
                at_text(block, format!("a heading inside `## {name}`"))
                    .hint(format!("all bullets stand directly under `## {name}`")),
            ),
            (Shape::Table, 0) => findings.error(
                at_start(block, format!("a table in `## {name}`")).hint("write bullets: `- name: purpose`"),
            ),
            (_, 0) => findings.error(
                at_text(block, format!("text in `## {name}` that is no bullet"))
                    .hint("put it in another section, or in an HTML comment"),
            ),
            (..) => findings.error(
                at_text(block, "only bullets `- key: value` may stand inside a bullet")
                    .hint("put it on the bullet's own line, or in another section"),
            ),
        }
    }
    bullets
}

/// The place of a bullet's text, which must be one line.
pub(super) fn one_line(block: &Block, source: &Source<'_>) -> Result<Range<usize>, EntryError> {
    let Some(text) = block.text() else {
        return Err(at_start(block, "an empty bullet").hint("delete it"));
    };
    if let Some(index) = block.inlines.iter().position(|inline| matches!(inline, Inline::Break { .. })) {
        let next = block.inlines.get(index + 1).map_or(text.end..text.end, |inline| inline.at().clone());
        return Err(EntryError::at(next, "this line continues the bullet above it, which must be one line")
            .hint("join the two lines, or start this one with `- `"));
    }
    let rest = source.slice(&(text.end..source.line_end(text.end)));
    if !rest.trim().is_empty() {
        return Err(shown_otherwise(source, text.end..text.end + rest.len()));
    }
    Ok(text)
}

/// The places of `head: value`.
pub(super) struct Pair {
    /// The whole line's text.
    pub(super) text: Range<usize>,
    pub(super) head: Range<usize>,
    /// Without spaces around it, perhaps empty.
    pub(super) value: Range<usize>,
}

/// Splits a bullet's text at its first colon; nothing if it has none.
pub(super) fn split(text: &Range<usize>, source: &Source<'_>) -> Result<Option<Pair>, EntryError> {
    let raw = source.slice(text);
    let Some(colon) = raw.find(':') else {
        return match raw.char_indices().find(|(_, character)| LIKE_A_COLON.contains(character)) {
            Some((at, character)) => {
                let at = text.start + at..text.start + at + character.len_utf8();
                Err(EntryError::at(
                    at,
                    format!("U+{:04X} looks like a colon and is none", u32::from(character)),
                )
                .hint("write `:`"))
            }
            None => Ok(None),
        };
    };
    let head = text.start..text.start + colon;
    let value = raw.get(colon + 1..).unwrap_or_default();
    let trimmed = value.trim_matches([' ', '\t']);
    if !trimmed.is_empty() && trimmed.len() == value.trim_end_matches([' ', '\t']).len() {
        let colon = head.end..head.end + 1;
        return Err(EntryError::at(
            colon,
            format!("no space after {}", literal(&format!("{}:", source.slice(&head)))),
        )
        .hint("write `: `"));
    }
    let start = head.end + 1 + value.len() - value.trim_start_matches([' ', '\t']).len();
    Ok(Some(Pair { text: text.clone(), head, value: start..start + trimmed.len() }))
}

/// The error for a value that a page shows otherwise than the source has it.
pub(super) fn shown_otherwise(source: &Source<'_>, at: Range<usize>) -> EntryError {
    let found = literal(source.slice(&at));
    EntryError::at(at, format!("{found} is Markdown, and a page would show it otherwise"))
        .hint("put the entry in backticks")
}

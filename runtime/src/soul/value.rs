//! The value of a grant, split at commas into entries, each with its way back to the source.
//!
//! A comma inside backticks or parentheses splits nothing. Text in backticks is literal: the backticks go
//! away, and what is between them is the entry or a part of it. For `env` and `secrets` this means that a
//! value with a comma is written `` `GREETING=hello, world` `` (or with only the value in backticks), since a
//! bare comma always begins the next entry. Directories keep their backticks, because there a path in
//! backticks is read by other rules than a bare one.

use std::ops::Range;

use super::bullets::shown_otherwise;
use super::outline::{Block, Inline};
use super::source::Source;
use crate::grant::EntryError;

/// At most this many entries a key.
pub(super) const MAXIMUM_ENTRIES: usize = 256;

/// One entry of a value.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The text that the entry's parser reads.
    pub(super) text: String,
    /// For each byte of `text`, and for its end, where it stands in the source.
    places: Vec<usize>,
}

/// One character of a value.
#[derive(Clone, Copy)]
struct Piece {
    character: char,
    at: usize,
    /// Which code span it is in, if any.
    code: Option<usize>,
}

impl Entry {
    /// Its place in the source.
    pub(super) fn at(&self) -> Range<usize> {
        self.locate(&(0..self.text.len()))
    }

    /// Where a byte range of `text` stands in the source.
    pub(super) fn locate(&self, at: &Range<usize>) -> Range<usize> {
        let place =
            |offset: usize| self.places.get(offset).or(self.places.last()).copied().unwrap_or_default();
        let start = place(at.start);
        start..place(at.end).max(start + 1)
    }

    fn push(&mut self, character: char, at: usize) {
        self.places.pop();
        self.places.extend((0..character.len_utf8()).map(|byte| at + byte));
        self.places.push(at + character.len_utf8());
        self.text.push(character);
    }
}

/// The entries of the value at `at`, a part of the block's text.
pub(super) fn entries(
    block: &Block,
    at: &Range<usize>,
    keeps_backticks: bool,
    source: &Source<'_>,
) -> Result<Vec<Entry>, EntryError> {
    let pieces = pieces(block, at, source)?;
    let mut entries = Vec::new();
    for run in split(&pieces)? {
        let entry = entry(run, keeps_backticks);
        if entry.text.is_empty() {
            let place = run.first().map_or(at.end.saturating_sub(1).max(at.start), |piece| piece.at);
            return Err(EntryError::at(place..place + 1, "an empty entry").hint("take the extra comma out"));
        }
        entries.push(entry);
        if entries.len() > MAXIMUM_ENTRIES {
            return Err(EntryError::at(at.clone(), format!("more than {MAXIMUM_ENTRIES} entries"))
                .hint("grant a directory above them, or a wildcard"));
        }
    }
    Ok(entries)
}

/// The characters of a value, if the page shows all of them as the source has them.
fn pieces(block: &Block, at: &Range<usize>, source: &Source<'_>) -> Result<Vec<Piece>, EntryError> {
    let mut pieces = Vec::new();
    let mut expected = at.start;
    let mut push = |place: Range<usize>, code| {
        pieces.extend(source.slice(&place).char_indices().map(|(offset, character)| Piece {
            character,
            at: place.start + offset,
            code,
        }));
    };
    for (index, inline) in block.inlines.iter().enumerate() {
        if inline.at().end <= at.start {
            continue;
        }
        let place = inline.at().start.max(at.start)..inline.at().end.min(at.end);
        if place.start != expected {
            return Err(shown_otherwise(source, expected..place.end.max(expected)));
        }
        match inline {
            Inline::Text { plain: true, .. } => push(place.clone(), None),
            Inline::Code { content, .. } if inline.at().start >= at.start => {
                push(content.clone(), Some(index))
            }
            _ => return Err(shown_otherwise(source, inline.at().clone())),
        }
        expected = place.end;
    }
    if expected < at.end {
        return Err(shown_otherwise(source, expected..at.end));
    }
    Ok(pieces)
}

/// Splits at commas outside code and parentheses; spaces around an entry are not its own.
fn split(pieces: &[Piece]) -> Result<Vec<&[Piece]>, EntryError> {
    let mut runs = Vec::new();
    let mut parentheses: Vec<usize> = Vec::new();
    let mut start = 0;
    for (index, piece) in pieces.iter().enumerate() {
        match piece.character {
            _ if piece.code.is_some() => {}
            '(' => parentheses.push(piece.at),
            ')' if parentheses.pop().is_none() => {
                return Err(EntryError::at(piece.at..piece.at + 1, "a `)` without its `(`")
                    .hint("put the entry in backticks if it is meant"));
            }
            '`' => {
                return Err(EntryError::at(piece.at..piece.at + 1, "a backtick without its partner")
                    .hint("close it, or take it out"));
            }
            ',' if parentheses.is_empty() => {
                runs.push(pieces.get(start..index).unwrap_or_default());
                start = index + 1;
            }
            _ => {}
        }
    }
    if let Some(open) = parentheses.first() {
        return Err(EntryError::at(*open..open + 1, "a `(` without its `)`")
            .hint("close it, or put the entry in backticks if it is meant"));
    }
    runs.push(pieces.get(start..).unwrap_or_default());
    Ok(runs)
}

fn entry(run: &[Piece], keeps_backticks: bool) -> Entry {
    let is_space = |piece: &Piece| piece.code.is_none() && matches!(piece.character, ' ' | '\t');
    let start = run.iter().position(|piece| !is_space(piece)).unwrap_or(run.len());
    let end = run.iter().rposition(|piece| !is_space(piece)).map_or(start, |last| last + 1);
    let mut entry = Entry::default();
    let mut code = None;
    let mut end_of_last = 0;
    for piece in run.get(start..end).unwrap_or_default() {
        if keeps_backticks && piece.code != code {
            if code.is_some() {
                entry.push('`', end_of_last);
            }
            if piece.code.is_some() {
                entry.push('`', piece.at.saturating_sub(1));
            }
        }
        code = piece.code;
        entry.push(piece.character, piece.at);
        end_of_last = piece.at + piece.character.len_utf8();
    }
    if keeps_backticks && code.is_some() {
        entry.push('`', end_of_last);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::super::outline::Shape;
    use super::*;

    /// Whatever the Markdown parser leaves out of its events, a value with a hole in it is not read.
    #[test]
    fn what_the_page_leaves_out_of_a_value_is_an_error() {
        let source = Source::new("SOUL.md", "./a, ./b");
        let read = |places: &[(usize, usize)]| {
            let inlines =
                places.iter().map(|(start, end)| Inline::Text { at: *start..*end, plain: true }).collect();
            let shape = Shape::Item { ordered: false };
            let block = Block { shape, at: 0..8, depth: 1, foreign: false, inlines, shown: String::new() };
            entries(&block, &(0..8), true, &source).map(|entries| entries.len())
        };
        assert_eq!(read(&[(0, 8)]), Ok(2));
        assert_eq!(read(&[(0, 3), (3, 8)]), Ok(2));
        assert!(read(&[(0, 3), (4, 8)]).is_err());
        assert!(read(&[(1, 8)]).is_err());
        assert!(read(&[(0, 7)]).is_err());
    }
}

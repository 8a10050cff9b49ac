//! A part of an entry's text that knows where it stands, so that every error points at the very characters.

use std::ops::Range;

use crate::grant::EntryError;

/// A slice of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    start: usize,
}

impl<'a> Piece<'a> {
    /// The whole entry.
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// Where it stands in the entry, in bytes.
    pub(super) fn at(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// An error about it.
    pub(super) fn error(self, message: impl Into<String>) -> EntryError {
        EntryError::at(self.at(), message)
    }

    /// Without spaces and tabs around it.
    pub(super) fn trim(self) -> Self {
        let head = self.text.trim_start_matches([' ', '\t']);
        Self { text: head.trim_end_matches([' ', '\t']), start: self.start + self.text.len() - head.len() }
    }

    /// What stands before and after the first `separator`.
    pub(super) fn split_once(self, separator: &str) -> Option<(Self, Self)> {
        let (before, after) = self.text.split_once(separator)?;
        Some((
            Self { text: before, start: self.start },
            Self { text: after, start: self.start + before.len() + separator.len() },
        ))
    }

    /// Without this prefix.
    pub(super) fn strip_prefix(self, prefix: &str) -> Option<Self> {
        let text = self.text.strip_prefix(prefix)?;
        Some(Self { text, start: self.start + prefix.len() })
    }

    /// Without this suffix.
    pub(super) fn strip_suffix(self, suffix: &str) -> Option<Self> {
        Some(Self { text: self.text.strip_suffix(suffix)?, start: self.start })
    }

    /// The words, split at spaces and tabs.
    pub(super) fn words(self) -> Vec<Self> {
        let mut words = Vec::new();
        let mut rest = self.trim();
        while !rest.text.is_empty() {
            let end = rest.text.find([' ', '\t']).unwrap_or(rest.text.len());
            let (word, tail) = rest.text.split_at(end);
            words.push(Self { text: word, start: rest.start });
            rest = Self { text: tail, start: rest.start + end }.trim();
        }
        words
    }
}

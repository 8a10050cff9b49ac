//! What a text says to whoever decodes it: the text itself, what it is without characters that nobody sees, and what its
//! escapes, its base64 and its hexadecimal digits stand for, so deep as somebody who hides something may nest them.
//!
//! The rule: work is linear. All views of a text together have a bounded size, and a text that has more in it is said to be
//! incompletely looked at, which whoever asks takes for a match.

pub(super) mod base64;
pub(super) mod escapes;
pub(super) mod hexadecimal;
mod nearby;
mod packed;
pub(super) mod plain;
mod spoken;

use std::ops::ControlFlow;

/// Stands between parts of a view: it belongs to no encoding and to no word, so that two of them never become one.
const BETWEEN: &[u8] = b"\n~\n";

/// Encodings in one another that are undone: two, and those of the format that carries them.
const LEVELS: usize = 3;
/// Bytes of all views together, for each byte of the text. Base64 in base64 needs nine, and in hexadecimal digits eight; an
/// English page or JSON of any kind needs less than two.
const FOR_EACH: usize = 24;
/// And what even a short text may unpack to, in bytes.
const AT_LEAST: usize = 1 << 20;

/// Whether all views were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked {
    /// All of them, or whoever looked had seen enough.
    Completely,
    /// There are more than the bound.
    Partly,
}

/// Shows every view of the text, itself first, until `look` has seen enough.
pub(super) fn each(text: &[u8], look: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Looked {
    let room = text.len().saturating_mul(FOR_EACH).saturating_add(AT_LEAST);
    let mut views = Views { look, room };
    let looked = match packed::unpacked(text, room / 2) {
        packed::Packed::No => views.descend(text, 0),
        packed::Packed::Content(content) => {
            views.room = views.room.saturating_sub(content.len());
            views.descend(text, 0).and_then(|()| views.descend(&content, 0))
        }
        packed::Packed::TooMuch => Err(Stop::Partly),
    };
    match looked {
        Ok(()) | Err(Stop::Enough) => Looked::Completely,
        Err(Stop::Partly) => Looked::Partly,
    }
}

struct Views<'a> {
    look: &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    room: usize,
}

/// Why no more views are shown.
enum Stop {
    Enough,
    Partly,
}

impl Views<'_> {
    /// Shows a text and all that is in it.
    fn descend(&mut self, text: &[u8], level: usize) -> Result<(), Stop> {
        self.show(text)?;
        self.decode(text, level)?;
        match plain::plain(text) {
            Some(plain) => {
                self.take(&plain)?;
                self.show(&plain)?;
                self.decode(&plain, level)
            }
            None => Ok(()),
        }
    }

    fn decode(&mut self, text: &[u8], level: usize) -> Result<(), Stop> {
        if level >= LEVELS {
            return Ok(());
        }
        for decode in [escapes::unescaped, escapes::unquoted, base64::decoded, hexadecimal::decoded] {
            if let Some(decoded) = decode(text) {
                self.take(&decoded)?;
                self.descend(&decoded, level + 1)?;
            }
        }
        Ok(())
    }

    fn show(&mut self, view: &[u8]) -> Result<(), Stop> {
        match (self.look)(view) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Enough),
        }
    }

    fn take(&mut self, view: &[u8]) -> Result<(), Stop> {
        self.room = self.room.checked_sub(view.len()).ok_or(Stop::Partly)?;
        Ok(())
    }
}

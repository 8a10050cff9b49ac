//! What a text says to whoever decodes it: the text itself, what it is without characters that nobody sees, what its
//! escapes, its base64 and its hexadecimal digits stand for, and what is packed in it or in one of these, so deep as somebody
//! who hides something may nest them.
//!
//! The rule: work is linear. All views of a text together have a bounded size, and a text that has more in it is said to be
//! incompletely looked at, which whoever asks takes for a match.

pub(super) mod base64;
pub(super) mod contents;
pub(super) mod escapes;
pub(super) mod hexadecimal;
mod nearby;
pub(super) mod packed;
pub(super) mod plain;
mod spoken;
mod tags;

use std::ops::ControlFlow;

use contents::Contents;

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

/// Packings in one another that are undone, beside the encodings.
const PACKINGS: usize = 3;
/// Bytes that unpacking reads and writes, for each byte of all views: a text is read in several ways, and what is packed in it
/// is found in most of them.
const WORK: usize = 4;

/// Bytes of all views of this text.
fn room(text: &[u8]) -> usize {
    text.len().saturating_mul(FOR_EACH).saturating_add(AT_LEAST)
}

/// Shows every view of the text, itself first, until `look` has seen enough.
pub(super) fn each(text: &[u8], look: &mut dyn FnMut(&[u8]) -> ControlFlow<()>) -> Looked {
    let room = room(text);
    let mut views = Views { look, room, work: room.saturating_mul(WORK) };
    match views.descend(text, Depth { encodings: 0, packings: 0 }) {
        Ok(()) | Err(Stop::Enough) => Looked::Completely,
        Err(Stop::Partly) => Looked::Partly,
    }
}

struct Views<'a> {
    look: &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    room: usize,
    work: usize,
}

/// How deep a view lies in the text.
#[derive(Debug, Clone, Copy)]
struct Depth {
    encodings: usize,
    packings: usize,
}

/// Why no more views are shown.
enum Stop {
    Enough,
    Partly,
}

/// Gives what a text stands for, and what is packed in it.
pub(super) type Decoder = fn(&[u8], &mut Contents) -> Option<Vec<u8>>;

/// In this order.
pub(super) const DECODERS: [Decoder; 6] = [
    |text, _| escapes::unescaped(text),
    |text, _| escapes::unquoted(text),
    |text, _| escapes::unoctaled(text),
    |text, _| tags::spoken(text),
    base64::decoded,
    hexadecimal::decoded,
];

impl Views<'_> {
    /// Shows a text and all that is in it.
    fn descend(&mut self, text: &[u8], depth: Depth) -> Result<(), Stop> {
        self.show(text)?;
        self.decode(packed_in, text, depth)?;
        self.undo(text, depth)?;
        match plain::plain(text) {
            Some(plain) => {
                self.take(&plain)?;
                self.show(&plain)?;
                self.undo(&plain, depth)
            }
            None => Ok(()),
        }
    }

    /// Every encoding of a text.
    fn undo(&mut self, text: &[u8], depth: Depth) -> Result<(), Stop> {
        if depth.encodings >= LEVELS {
            return Ok(());
        }
        DECODERS.iter().try_for_each(|decoder| self.decode(*decoder, text, depth))
    }

    fn decode(&mut self, decoder: Decoder, text: &[u8], depth: Depth) -> Result<(), Stop> {
        let mut contents = Contents::new(self.work, self.room);
        let decoded = decoder(text, &mut contents);
        self.work = contents.work;
        if contents.too_much || contents.certain && depth.packings >= PACKINGS {
            return Err(Stop::Partly);
        }
        if let Some(decoded) = decoded {
            self.take(&decoded)?;
            self.descend(&decoded, Depth { encodings: depth.encodings + 1, ..depth })?;
        }
        if depth.packings < PACKINGS {
            for content in contents.found {
                self.take(&content)?;
                self.descend(&content, Depth { packings: depth.packings + 1, ..depth })?;
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

/// What is packed in the text as it stands.
fn packed_in(text: &[u8], contents: &mut Contents) -> Option<Vec<u8>> {
    contents.search(text);
    contents.bare(text);
    None
}

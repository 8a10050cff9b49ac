//! Unicode's tag characters, U+E0020 to U+E007E: nobody sees them, and a model reads them as the ASCII that they copy.
//!
//! They hide a text as well as they stand in the midst of one, so they are read both ways beside being left out: where they
//! stand, and all in a row.

use super::BETWEEN;
use super::nearby::Nearby;

/// What the tags say; none if there are none.
pub(super) fn spoken(text: &[u8]) -> Option<Vec<u8>> {
    let mut view = Nearby::new(text);
    let mut row = BETWEEN.to_vec();
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xf3)) {
        at += offset;
        // UTF-8 of U+E0020 to U+E007E: the last two bytes hold twelve bits, of which seven are the character.
        let tag = match text.get(at..).unwrap_or_default() {
            [0xf3, 0xa0, high @ 0x80..=0x81, low @ 0x80..=0xbf, ..] => {
                Some(((high & 1) << 6) | (low & 0x3f)).filter(|tag| matches!(tag, b' '..=b'~'))
            }
            _ => None,
        };
        let Some(tag) = tag else {
            at += 1;
            continue;
        };
        view.change(at, at + 4, &[tag]);
        row.push(tag);
        at += 4;
    }
    let mut view = view.finish()?;
    view.append(&mut row);
    Some(view)
}

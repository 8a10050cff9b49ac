//! Base64 of each word or piece apart: `UHJvamVjdA== VGl0YW4=`, `UHJvamVjdA,VGl0YW4`.
//!
//! Each piece begins a group of four, and what they stand for is read in a row: as it is, and as words.

use super::super::spoken::Spoken;
use super::{Classes, SKIP, bytes};

/// What is readable in the pieces, which everything ends that is not of this alphabet.
pub(super) fn decoded(text: &[u8], alphabet: &Classes) -> Vec<u8> {
    let value = |byte: &u8| alphabet.get(usize::from(*byte)).copied().filter(|value| *value < SKIP);
    let (mut together, mut apart) = (Vec::new(), Vec::new());
    let (mut row, mut words) = (Spoken::default(), Spoken::default());
    let mut piece = Vec::new();
    for byte in text.iter().map(Some).chain([None]) {
        if let Some(value) = byte.and_then(value) {
            piece.push(value);
        } else if !piece.is_empty() {
            let bytes = bytes(&piece);
            take(&mut row, b"", &bytes, &mut together);
            take(&mut words, b" ", &bytes, &mut apart);
            piece.clear();
        }
    }
    row.end(&mut together);
    words.end(&mut apart);
    together.append(&mut apart);
    together
}

/// Goes on with a piece. A word that is no encoding ends what was before it, and is no part of what follows.
fn take(spoken: &mut Spoken, between: &[u8], bytes: &[u8], out: &mut Vec<u8>) {
    if spoken.goes_on_with(bytes) {
        spoken.extend(between, out);
        spoken.extend(bytes, out);
    } else {
        spoken.end(out);
        if spoken.goes_on_with(bytes) {
            spoken.extend(bytes, out);
        }
    }
}

//! A text as a reader takes it: without characters that nobody sees, in Unicode's compatibility form (NFKC), with one
//! spelling of each digit, dash and dot.

use icu_normalizer::ComposingNormalizerBorrowed;
use soulbound_runtime::visible;

/// Zero in scripts whose digits people also read as numbers; NFKC leaves them.
const ZEROS: [u32; 12] =
    [0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xe50, 0x1040];

/// The text in that form; none if it already has it.
pub(super) fn plain(text: &[u8]) -> Option<Vec<u8>> {
    if text.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')) {
        return None;
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let seen: String = chunk.valid().chars().filter_map(one).collect();
        let folded = normalizer.normalize(&seen);
        // Marks that belong to no letter: a line struck through a digit.
        let characters = folded
            .chars()
            .filter(|character| !matches!(character, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}'));
        out.extend(characters.collect::<String>().into_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    (out != text).then_some(out)
}

/// The character as it is read; none if nobody sees it.
fn one(character: char) -> Option<char> {
    Some(match character {
        '\n' | '\r' | '\t' => character,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' => '-',
        '\u{b7}' | '\u{2219}' | '\u{22c5}' | '\u{2022}' | '\u{30fb}' | '\u{3002}' => '.',
        '\u{2028}' | '\u{2029}' | '\u{85}' => '\n',
        _ if visible::is_invisible(character) => return None,
        _ => ZEROS
            .iter()
            .find_map(|zero| {
                char::from_digit(u32::from(character).checked_sub(*zero).filter(|digit| *digit < 10)?, 10)
            })
            .unwrap_or(character),
    })
}

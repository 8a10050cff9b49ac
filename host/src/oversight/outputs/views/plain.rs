//! A text as a reader takes it: without characters that nobody sees, in Unicode's compatibility form (NFKC), with one
//! spelling of each digit, dash and dot.

use icu_normalizer::ComposingNormalizerBorrowed;
use soulbound_runtime::visible;

use super::nearby::Nearby;

/// Zero in scripts whose digits people also read as numbers; NFKC leaves them.
const ZEROS: [u32; 12] =
    [0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xe50, 0x1040];

/// The text in that form; none if it already has it.
pub(in crate::oversight::outputs) fn plain(text: &[u8]) -> Option<Vec<u8>> {
    if is_plain(text) {
        return None;
    }
    let mut view = Nearby::new(text);
    let mut end = 0;
    // Line by line, since most have nothing to be changed.
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let start = end;
        end += line.len();
        if !is_plain(line) {
            let folded = folded(line);
            if folded != line {
                view.change(start, end, &folded);
            }
        }
    }
    view.finish()
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t'))
}

fn folded(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    for chunk in line.utf8_chunks() {
        let seen: String = chunk.valid().chars().filter_map(one).collect();
        // Marks that belong to no letter: a line struck through a digit.
        let is_mark = |character: &char| matches!(character, '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}');
        let folded: String =
            normalizer.normalize(&seen).chars().filter(|character| !is_mark(character)).collect();
        out.extend_from_slice(folded.as_bytes());
        out.extend_from_slice(chunk.invalid());
    }
    out
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

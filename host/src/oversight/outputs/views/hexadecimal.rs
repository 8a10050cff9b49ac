//! Hexadecimal digits in a text: `3432`, `34 32`, `34:32`, `0x34, 0x32`.
//!
//! As with [base64](super::base64), nobody sees which digit begins a pair, so both are tried.

use super::contents::Contents;
use super::spoken::Spoken;

/// Digits of a run: fewer hold no [part](super::spoken) that is kept.
const SHORTEST: usize = 12;
/// And of a run that is taken for deflate without a header.
const SHORTEST_BARE: usize = 24;

/// How the digits of a text belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Each piece stands for itself.
    Apart,
    /// What stands between pieces means nothing. What follows runs into the end, as in `"414b", "cafe"`.
    Joined,
    /// The same, and the zero of a `0x` is no digit. It is one in `34 30 x`, and in `34 30x`.
    Prefixed,
}

/// What is readable in the text's hexadecimal digits, none if that is nothing; and what is packed in them.
pub(super) fn decoded(text: &[u8], contents: &mut Contents) -> Option<Vec<u8>> {
    let mut readings: Vec<Vec<u8>> = Vec::new();
    for reading in [Reading::Apart, Reading::Joined, Reading::Prefixed] {
        let read = read(text, reading, contents);
        if !read.is_empty() && !readings.contains(&read) {
            readings.push(read);
        }
    }
    (!readings.is_empty()).then(|| readings.concat())
}

fn read(text: &[u8], reading: Reading, contents: &mut Contents) -> Vec<u8> {
    let mut out = Vec::new();
    let mut run = Vec::new();
    let mut before = 0;
    for byte in text {
        match byte {
            b'0'..=b'9' => run.push(byte - b'0'),
            b'a'..=b'f' => run.push(byte - b'a' + 10),
            b'A'..=b'F' => run.push(byte - b'A' + 10),
            b'x' | b'X' if reading == Reading::Prefixed && before == b'0' => drop(run.pop()),
            b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b';' | b'-' | b'_' | b'.' | b'|' | b'"' | b'\''
            | b'\\' | b'x' | b'X'
                if reading != Reading::Apart => {}
            _ => end(&mut run, &mut out, contents),
        }
        before = *byte;
    }
    end(&mut run, &mut out, contents);
    out
}

/// Decodes a run from both of its beginnings, and empties it.
fn end(run: &mut Vec<u8>, out: &mut Vec<u8>, contents: &mut Contents) {
    if run.len() >= SHORTEST {
        for beginning in 0..2 {
            let pairs = run.get(beginning..).unwrap_or_default().chunks_exact(2);
            let bytes: Vec<u8> =
                pairs.map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect();
            let mut spoken = Spoken::default();
            spoken.extend(&bytes, out);
            spoken.end(out);
            contents.search(&bytes);
            if beginning == 0 && run.len() >= SHORTEST_BARE {
                contents.bare_run(&bytes);
            }
        }
    }
    run.clear();
}

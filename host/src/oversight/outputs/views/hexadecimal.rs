//! Hexadecimal digits in a text: `3432`, `34 32`, `34:32`, `0x34, 0x32`.
//!
//! As with [base64](super::base64), nobody sees which digit begins a pair, so both are tried.

use super::spoken::Spoken;

/// Digits of a run: fewer hold no [part](super::spoken) that is kept.
const SHORTEST: usize = 12;

/// What is readable in the text's hexadecimal digits; none if that is nothing.
pub(in crate::oversight::outputs) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = read(text, false);
    let joined = read(text, true);
    if joined != out {
        out.extend_from_slice(&joined);
    }
    (!out.is_empty()).then_some(out)
}

/// Reads pieces each for itself, or as one run: then what follows runs into the end, `"414b", "cafe"`.
fn read(text: &[u8], joined: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut run = Vec::new();
    for byte in text {
        match byte {
            b'0'..=b'9' => run.push(byte - b'0'),
            b'a'..=b'f' => run.push(byte - b'a' + 10),
            b'A'..=b'F' => run.push(byte - b'A' + 10),
            // `0x` is a prefix: its zero is no digit.
            b'x' | b'X' if joined && run.last() == Some(&0) => drop(run.pop()),
            b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b';' | b'-' | b'_' | b'.' | b'|' | b'"' | b'\''
            | b'\\' | b'x'
                if joined => {}
            _ => end(&mut run, &mut out),
        }
    }
    end(&mut run, &mut out);
    out
}

/// Decodes a run from both of its beginnings, and empties it.
fn end(run: &mut Vec<u8>, out: &mut Vec<u8>) {
    if run.len() >= SHORTEST {
        for beginning in 0..2 {
            let mut spoken = Spoken::default();
            for pair in run.get(beginning..).unwrap_or_default().chunks_exact(2) {
                spoken.push(pair.iter().fold(0, |byte, digit| (byte << 4) | digit), out);
            }
            spoken.end(out);
        }
    }
    run.clear();
}

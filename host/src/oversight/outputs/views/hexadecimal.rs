//! Hexadecimal digits in a text: `3432`, `34 32`, `34:32`, `0x34, 0x32`.
//!
//! As with [base64](super::base64), nobody sees which digit begins a pair, so both are tried.

use super::spoken::Spoken;

/// Digits of a run: fewer hold no [part](super::spoken) that is kept.
const SHORTEST: usize = 12;

/// What is readable in the text's hexadecimal digits; none if that is nothing.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
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
    let mut run = Run::default();
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            // A prefix, not a digit.
            (b'0', Some(b'x' | b'X')) => drop(bytes.next()),
            (b'0'..=b'9', _) => run.push(byte - b'0', &mut out),
            (b'a'..=b'f', _) => run.push(byte - b'a' + 10, &mut out),
            (b'A'..=b'F', _) => run.push(byte - b'A' + 10, &mut out),
            (
                b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b';' | b'-' | b'_' | b'.' | b'|' | b'"' | b'\''
                | b'\\' | b'x',
                _,
            ) if joined => {}
            _ => run.end(&mut out),
        }
    }
    run.end(&mut out);
    out
}

/// Digits in a row, paired from two beginnings.
#[derive(Default)]
struct Run {
    last: u8,
    length: usize,
    spoken: [Spoken; 2],
}

impl Run {
    fn push(&mut self, digit: u8, out: &mut Vec<u8>) {
        self.length += 1;
        if self.length >= 2
            && let Some(spoken) = self.spoken.get_mut(self.length % 2)
        {
            spoken.push((self.last << 4) | digit, out);
        }
        self.last = digit;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.length > 0 {
            let mut none = Vec::new();
            let kept = if self.length >= SHORTEST { out } else { &mut none };
            self.spoken.iter_mut().for_each(|spoken| spoken.end(kept));
        }
        (self.last, self.length) = (0, 0);
    }
}

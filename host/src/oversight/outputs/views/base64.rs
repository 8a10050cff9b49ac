//! Base64 in a text, of either alphabet, padded or not, broken into pieces, beginning anywhere.
//!
//! An encoding may stand behind other characters of its alphabet, so that nobody sees where its groups of four begin. All four
//! possible beginnings are decoded at once: each character ends a group of one of them.

use super::spoken::Spoken;

/// Characters of a run: fewer hold no [part](super::spoken) that is kept.
const SHORTEST: usize = 8;
/// Stands between pieces and means nothing.
const SKIP: u8 = 64;
/// Ends a run.
const BREAK: u8 = 65;
/// Each byte's six bits, or one of the two above.
const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [BREAK; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse it")]
    while index < alphabet.len() {
        classes[alphabet[index] as usize] = index as u8;
        index += 1;
    }
    // RFC 4648, section 5.
    classes[b'-' as usize] = 62;
    classes[b'_' as usize] = 63;
    let skipped = b" \t\r\n\"',;|:.\\";
    let mut index = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which would refuse it")]
    while index < skipped.len() {
        classes[skipped[index] as usize] = SKIP;
        index += 1;
    }
    classes
}

/// What is readable in the text's base64; none if that is nothing.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut run = Run::default();
    for byte in text {
        match CLASSES.get(usize::from(*byte)) {
            Some(&SKIP) => {}
            Some(value) if *value < SKIP => run.push(*value, &mut out),
            _ => run.end(&mut out),
        }
    }
    run.end(&mut out);
    (!out.is_empty()).then_some(out)
}

/// Characters in a row, decoded from four beginnings.
#[derive(Default)]
struct Run {
    bits: u32,
    length: usize,
    spoken: [Spoken; 4],
}

impl Run {
    fn push(&mut self, value: u8, out: &mut Vec<u8>) {
        self.bits = (self.bits << 6) | u32::from(value);
        self.length += 1;
        // The beginning whose group this character ends. The first three end one before they have begun.
        if self.length >= 4
            && let Some(spoken) = self.spoken.get_mut(self.length % 4)
        {
            let [_, first, second, third] = self.bits.to_be_bytes();
            for byte in [first, second, third] {
                spoken.push(byte, out);
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.length >= SHORTEST {
            // Of an unfinished group of two or three characters, one or two bytes are known.
            for (rest, bytes) in [(2, 1), (3, 2)] {
                if let Some(spoken) = self.spoken.get_mut((self.length + 4 - rest) % 4) {
                    let bits = self.bits << (6 * (4 - rest));
                    bits.to_be_bytes().iter().skip(1).take(bytes).for_each(|byte| spoken.push(*byte, out));
                }
            }
        }
        if self.length > 0 {
            self.spoken.iter_mut().for_each(|spoken| spoken.end(out));
        }
        (self.bits, self.length) = (0, 0);
    }
}

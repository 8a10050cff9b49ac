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
/// A byte's six bits, or one of the two above.
type Classes = [u8; 256];

/// The readings of a text. Of two alphabets, one's last two characters end the other's run, as in `/path/QUtJQQ`. Lines make
/// one run, then whatever pieces do: not always, since what follows would run into the end, as in `"QUtJQQ", "more"`.
const READINGS: [Classes; 4] = [
    classes(b"+/", b"", b""),
    classes(b"", b"-_", b""),
    classes(b"+/", b"-_", b"\t\r\n"),
    classes(b"+/", b"-_", b" \t\r\n\"',;|:.\\"),
];

const fn classes(standard: &[u8], url_safe: &[u8], skipped: &[u8]) -> Classes {
    let mut classes = [BREAK; 256];
    set(&mut classes, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0, 1);
    set(&mut classes, standard, 62, 1);
    // RFC 4648, section 5.
    set(&mut classes, url_safe, 62, 1);
    set(&mut classes, skipped, SKIP, 0);
    classes
}

const fn set(classes: &mut Classes, characters: &[u8], first: u8, step: u8) {
    let mut index = 0;
    let mut class = first;
    #[expect(
        clippy::indexing_slicing,
        reason = "evaluated by the compiler, which would refuse what is out of bounds"
    )]
    while index < characters.len() {
        classes[characters[index] as usize] = class;
        class += step;
        index += 1;
    }
}

/// What is readable in the text's base64; none if that is nothing.
pub(super) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut readings: Vec<Vec<u8>> = Vec::new();
    for classes in &READINGS {
        let reading = read(text, classes);
        // Where nothing is in pieces, they say the same.
        if !reading.is_empty() && !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    (!readings.is_empty()).then(|| readings.concat())
}

fn read(text: &[u8], classes: &Classes) -> Vec<u8> {
    let mut out = Vec::new();
    let mut run = Run::default();
    for byte in text {
        match classes.get(usize::from(*byte)) {
            Some(&SKIP) => {}
            Some(value) if *value < SKIP => run.push(*value, &mut out),
            _ => run.end(&mut out),
        }
    }
    run.end(&mut out);
    out
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

//! Base64 in a text, of either alphabet, padded or not, broken into pieces, beginning anywhere.
//!
//! An encoding may stand behind other characters of its alphabet, so that nobody sees where its groups of four begin. All four
//! possible beginnings are decoded at once: each character ends a group of one of them.

use super::spoken::Spoken;

/// Characters of a run: fewer hold no [part](super::spoken) that is kept.
const SHORTEST: usize = 8;
/// A run of pieces is looked at in blocks of so many characters, and decoded where one has so many changes between capitals,
/// small letters and digits. Base64 has seven, prose and sources one; without this, all of a page is one run.
const BLOCK: usize = 16;
const CHANGES: usize = 3;
/// Stands between pieces and means nothing.
const SKIP: u8 = 64;
/// Ends a run.
const BREAK: u8 = 65;
/// A byte's six bits, or one of the two above.
type Classes = [u8; 256];

/// A way to read a text.
struct Reading {
    classes: Classes,
    /// Whether runs are made of pieces.
    joins: bool,
}

/// The readings of a text. Of two alphabets, one's last two characters end the other's run, as in `/path/QUtJQQ`. Lines make
/// one run, then whatever pieces do: not always, since what follows would run into the end, as in `"QUtJQQ", "more"`.
static READINGS: [Reading; 4] = [
    Reading { classes: classes(b"+/", b"", b""), joins: false },
    Reading { classes: classes(b"", b"-_", b""), joins: false },
    Reading { classes: classes(b"+/", b"-_", b"\t\r\n"), joins: true },
    Reading { classes: classes(b"+/", b"-_", b" \t\r\n\"',;|:.\\"), joins: true },
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
pub(in crate::oversight::outputs) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut readings: Vec<Vec<u8>> = Vec::new();
    for reading in &READINGS {
        let read = reading.read(text);
        // Where nothing is in pieces, they say the same.
        if !read.is_empty() && !readings.contains(&read) {
            readings.push(read);
        }
    }
    (!readings.is_empty()).then(|| readings.concat())
}

impl Reading {
    fn read(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut run = Vec::new();
        for byte in text {
            match self.classes.get(usize::from(*byte)) {
                Some(&SKIP) => {}
                Some(value) if *value < SKIP => run.push(*value),
                _ => self.end(&mut run, &mut out),
            }
        }
        self.end(&mut run, &mut out);
        out
    }

    /// Decodes what a run has, and empties it.
    fn end(&self, run: &mut Vec<u8>, out: &mut Vec<u8>) {
        if run.len() >= SHORTEST {
            if self.joins {
                dense(run, &mut |part| decode(part, out));
            } else {
                decode(run, out);
            }
        }
        run.clear();
    }
}

/// The parts of a run that look encoded, each with a block before and after it.
fn dense(run: &[u8], decode: &mut dyn FnMut(&[u8])) {
    let is_dense = |block: &[u8]| {
        let kinds =
            block.windows(2).filter(|pair| matches!(pair, [one, other] if kind(*one) != kind(*other)));
        kinds.count() >= CHANGES
    };
    let mut part: Option<(usize, usize)> = None;
    for (index, block) in run.chunks(BLOCK).enumerate() {
        // Of a short run at the end of another nothing can be said.
        if !is_dense(block) {
            continue;
        }
        let (start, end) = (index.saturating_sub(1) * BLOCK, (index + 2) * BLOCK);
        part = match part {
            Some((first, last)) if start <= last => Some((first, end)),
            Some((first, last)) => {
                decode(run.get(first..last.min(run.len())).unwrap_or_default());
                Some((start, end))
            }
            None => Some((start, end)),
        };
    }
    if let Some((first, last)) = part {
        decode(run.get(first..last.min(run.len())).unwrap_or_default());
    }
}

/// Whether six bits are written as a capital, a small letter, or something else.
fn kind(value: u8) -> u8 {
    value / 26
}

/// Decodes a run from each of its four beginnings.
fn decode(run: &[u8], out: &mut Vec<u8>) {
    for beginning in 0..4 {
        let mut spoken = Spoken::default();
        for group in run.get(beginning..).unwrap_or_default().chunks(4) {
            let bits = group.iter().fold(0_u32, |bits, value| (bits << 6) | u32::from(*value));
            let bits = bits << (6 * (4 - group.len()));
            // Of two or three characters, one or two bytes are known.
            let [_, bytes @ ..] = bits.to_be_bytes();
            bytes.iter().take(group.len() * 6 / 8).for_each(|byte| spoken.push(*byte, out));
        }
        spoken.end(out);
    }
}

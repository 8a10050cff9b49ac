//! Base64 in a text, of either alphabet, padded or not, broken into pieces, beginning anywhere.
//!
//! An encoding may stand behind other characters of its alphabet, so that nobody sees where its groups of four begin. All four
//! possible beginnings are decoded at once: each character ends a group of one of them.

mod words;

use super::contents::Contents;
use super::spoken::Spoken;

/// Characters of a run: fewer hold no [part](super::spoken) that is kept.
const SHORTEST: usize = 8;
/// A run of pieces is looked at in blocks of so many characters, and decoded where one has so many changes between capitals,
/// small letters and digits. Base64 has seven, prose and sources one; without this, all of a page is one run.
const BLOCK: usize = 16;
const CHANGES: usize = 3;
/// Characters of a run that is taken for deflate without a header: more than a word has.
const SHORTEST_BARE: usize = 20;
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

/// Between the characters of an encoding, a decoder of MIME's kind (RFC 2045, section 6.8) skips all others. Those that end
/// a value in a query, a path or a list do not stand here.
const OTHERS: &[u8] = b"*!#$%^@~`()[]{}<>";

/// The readings of a text. Of two alphabets, one's last two characters end the other's run, as in `/path/QUtJQQ`. Lines make
/// one run, then whatever pieces do, then all there is up to the padding: not always, since what follows would run into the
/// end, as in `"QUtJQQ", "more"`.
static READINGS: [Reading; 6] = [
    Reading { classes: classes(b"+/", b"", b""), joins: false },
    Reading { classes: classes(b"", b"-_", b""), joins: false },
    Reading { classes: classes(b"+/", b"-_", b"\t\r\n"), joins: true },
    Reading { classes: classes(b"+/", b"-_", OTHERS), joins: true },
    Reading { classes: classes(b"+/", b"-_", b" \t\r\n\"',;|:.\\"), joins: true },
    Reading { classes: all_but_padding(classes(b"+/", b"-_", b"")), joins: true },
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

/// The same, in which everything else is skipped.
const fn all_but_padding(mut classes: Classes) -> Classes {
    let mut index = 0;
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, as above")]
    while index < classes.len() {
        if classes[index] == BREAK && index != b'=' as usize {
            classes[index] = SKIP;
        }
        index += 1;
    }
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

/// What is readable in the text's base64, none if that is nothing; and what is packed in it.
pub(super) fn decoded(text: &[u8], contents: &mut Contents) -> Option<Vec<u8>> {
    let mut readings: Vec<Vec<u8>> = Vec::new();
    for reading in &READINGS {
        let read = reading.read(text, contents);
        // Where nothing is in pieces, they say the same.
        if !read.is_empty() && !readings.contains(&read) {
            readings.push(read);
        }
    }
    for reading in READINGS.iter().filter(|reading| !reading.joins) {
        let read = words::decoded(text, &reading.classes);
        if !readings.contains(&read) {
            readings.push(read);
        }
    }
    let read = readings.concat();
    (!read.is_empty()).then_some(read)
}

/// A run while it is read.
#[derive(Default)]
struct Run {
    values: Vec<u8>,
    /// Whether something is skipped in it; whether that was the last so far.
    in_pieces: bool,
    skips: bool,
    /// Whether a character of only the one alphabet stands in it or beside it.
    standard: bool,
    url_safe: bool,
}

impl Reading {
    fn read(&self, text: &[u8], contents: &mut Contents) -> Vec<u8> {
        let mut out = Vec::new();
        let mut run = Run::default();
        for byte in text {
            run.standard |= matches!(byte, b'+' | b'/');
            run.url_safe |= matches!(byte, b'-' | b'_');
            match self.classes.get(usize::from(*byte)) {
                Some(&SKIP) => run.skips = !run.values.is_empty(),
                Some(value) if *value < SKIP => {
                    run.in_pieces |= run.skips;
                    run.values.push(*value);
                }
                _ => {
                    self.end(&mut run, &mut out, contents);
                    // What ends one run in this alphabet is beside the next.
                    run.standard = matches!(byte, b'+' | b'/');
                    run.url_safe = matches!(byte, b'-' | b'_');
                }
            }
        }
        self.end(&mut run, &mut out, contents);
        out
    }

    /// Decodes what a run has if no other reading before has the same, and empties it.
    fn end(&self, run: &mut Run, out: &mut Vec<u8>, contents: &mut Contents) {
        let is_new = match (self.joins, self.classes.get(usize::from(b'+')) == Some(&62)) {
            (false, true) => true,
            (false, false) => run.standard || run.url_safe,
            (true, _) => run.in_pieces || run.standard && run.url_safe,
        };
        let values = std::mem::take(&mut run.values);
        if is_new && values.len() >= SHORTEST {
            if self.joins {
                dense(&values, &mut |part| decode(part, out, contents));
            } else {
                decode(&values, out, contents);
                if values.len() >= SHORTEST_BARE {
                    contents.bare_run(&bytes(&values));
                }
            }
        }
        *run = Run { values, ..Run::default() };
        run.values.clear();
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
fn decode(run: &[u8], out: &mut Vec<u8>, contents: &mut Contents) {
    for beginning in 0..4 {
        let bytes = bytes(run.get(beginning..).unwrap_or_default());
        let mut spoken = Spoken::default();
        spoken.extend(&bytes, out);
        spoken.end(out);
        contents.search(&bytes);
    }
}

/// The bytes of a run from its first beginning.
fn bytes(run: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4);
    for group in run.chunks(4) {
        let bits = group.iter().fold(0_u32, |bits, value| (bits << 6) | u32::from(*value));
        let [_, known @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        // Of two or three characters, one or two bytes are known.
        bytes.extend(known.iter().take(group.len() * 6 / 8));
    }
    bytes
}

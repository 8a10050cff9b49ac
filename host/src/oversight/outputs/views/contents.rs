//! Packed parts of a text: where one may begin is tried, and what comes out is looked at like any other text.
//!
//! The rule: work is bounded. Each try costs what it read, what it wrote and what a try costs at least; a text that has more
//! beginnings in it than chance puts there is said to be incompletely looked at.

use std::collections::BTreeSet;

use super::packed::{Packing, Unpacked, unpack};
use super::spoken;

/// What a try costs at least, in bytes of [`Contents::work`]: a window is made ready. Of random bytes one in 2,000 is a beginning.
const TRY: usize = 512;
/// Bytes of content in which chance never ends up. Shorter ones count if something in them can be read.
const CERTAIN: usize = 32;
/// Bytes of packed data among which one is no ASCII. All of them are with a chance of one in ten millions.
const TELLING: usize = 16;

/// Bytes of deflate below which nothing is in it that a detector finds, six characters being the least: a try costs more than all
/// the rest of looking at a short answer.
const SHORTEST: usize = 8;
/// Bytes of packed data below which encoders write one block.
const ONE_BLOCK: usize = 4 << 10;

/// What was found, and what finding more may cost.
pub(in crate::oversight::outputs) struct Contents {
    /// Each content once, however many readings led to it.
    pub(super) found: BTreeSet<Vec<u8>>,
    /// Bytes that may still be read and written.
    pub(super) work: usize,
    /// Bytes that may still be found.
    room: usize,
    /// Whether there was more.
    pub(super) too_much: bool,
    /// Whether something came to its own end with a check that held: that is no chance.
    pub(super) certain: bool,
}

impl Contents {
    /// Nothing yet.
    pub(in crate::oversight::outputs) fn new(work: usize, room: usize) -> Self {
        Self { found: BTreeSet::new(), work, room, too_much: false, certain: false }
    }

    /// Looks for what begins as gzip or zlib anywhere in these bytes.
    pub(super) fn search(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() > 2 && !self.too_much) {
            let Some(packing) = beginning(rest).filter(|_| at == 0 || !is_ascii(rest)) else {
                at += 1;
                continue;
            };
            let unpacked = self.unpack(packing, rest);
            // Behind one there may be another.
            at += if unpacked.ended { unpacked.read.max(1) } else { 1 };
            let certain = unpacked.ended;
            self.certain |= certain;
            self.keep(unpacked.content, certain);
        }
    }

    /// Takes these bytes as a whole for deflate without a header, which nothing announces.
    pub(super) fn bare(&mut self, bytes: &[u8]) {
        if !self.too_much && bytes.len() >= SHORTEST {
            let unpacked = self.unpack(Packing::Deflate, bytes);
            if unpacked.ended || unpacked.content.len() > self.room {
                let certain = unpacked.ended && unpacked.read == bytes.len();
                self.keep(unpacked.content, certain);
            }
        }
    }

    /// The same for what an encoding in a text stands for. There are many, so only for what begins as encoders do: what is
    /// short with its last block, and what is stored as it is with its length twice.
    pub(super) fn bare_run(&mut self, bytes: &[u8]) {
        let is_likely = match bytes {
            [first, low, high, not_low, not_high, ..] => match first & 0b111 {
                0b011 | 0b101 => true,
                0b000 | 0b001 => low ^ not_low == 0xff && high ^ not_high == 0xff,
                0b010 | 0b100 => bytes.len() >= ONE_BLOCK,
                _ => false,
            },
            _ => false,
        };
        if is_likely && !is_ascii(bytes) {
            self.bare(bytes);
        }
    }

    fn unpack(&mut self, packing: Packing, bytes: &[u8]) -> Unpacked {
        let unpacked = unpack(packing, bytes, self.room.min(self.work));
        let cost = TRY + unpacked.read + unpacked.content.len();
        self.too_much |= cost > self.work;
        self.work = self.work.saturating_sub(cost);
        unpacked
    }

    fn keep(&mut self, content: Vec<u8>, certain: bool) {
        if content.is_empty() || !(certain || content.len() >= CERTAIN || spoken::in_(&content)) {
            return;
        }
        if !self.found.contains(&content) {
            self.too_much |= content.len() > self.room;
            self.room = self.room.saturating_sub(content.len());
            self.found.insert(content);
        }
    }
}

/// How these bytes are packed, as far as their beginning tells.
fn beginning(bytes: &[u8]) -> Option<Packing> {
    match bytes {
        [0x1f, 0x8b, 8, ..] => Some(Packing::Gzip),
        // RFC 1950: deflate, a window of at most 32 KiB, no dictionary, and a check of the two bytes. Of compressed data no block
        // is of the fourth kind.
        [method, flags, block, ..]
            if method & 0x8f == 8
                && flags & 0x20 == 0
                && u16::from_be_bytes([*method, *flags]) % 31 == 0
                && block & 0b110 != 0b110 =>
        {
            Some(Packing::Zlib)
        }
        _ => None,
    }
}

/// Whether these bytes begin as text: `x^2` and `hC` are no headers.
fn is_ascii(bytes: &[u8]) -> bool {
    bytes.iter().take(TELLING).all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'))
}

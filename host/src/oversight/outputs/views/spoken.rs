//! The readable parts of decoded bytes.
//!
//! Nearly every word is base64 of something, and nobody tells where an encoding begins: so everything is decoded, from every
//! place where it could begin, and only what could be text is kept. Of random bytes that is one in fifty.

use super::BETWEEN;

/// Bytes of a readable part. Shorter ones are chance: random bytes are text for six bytes in a row once in 400 times.
const SHORTEST: usize = 6;

/// Whether something in these bytes is readable.
pub(super) fn in_(bytes: &[u8]) -> bool {
    !of(bytes).is_empty()
}

/// What is readable in these bytes.
pub(super) fn of(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut spoken = Spoken::default();
    spoken.extend(bytes, &mut out);
    spoken.end(&mut out);
    out
}

/// Collects what is readable.
#[derive(Debug, Default)]
pub(super) struct Spoken {
    part: Vec<u8>,
    /// Bytes of an unfinished UTF-8 sequence at the part's end, and how many are still to come.
    pending: usize,
    expected: usize,
    after_ascii: bool,
}

impl Spoken {
    /// Takes the next byte, and says whether the part goes on with it; one that ends goes to `out`.
    pub(super) fn push(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match byte {
            b'\t' | b'\n' | b'\r' | b' '..=b'~' if self.expected == 0 => {
                self.part.push(byte);
                self.after_ascii = true;
            }
            // UTF-16 of ASCII, as PowerShell encodes it.
            0 if self.after_ascii => self.after_ascii = false,
            0x80..=0xbf if self.expected > 0 => {
                self.part.push(byte);
                self.expected -= 1;
                self.pending = if self.expected == 0 { 0 } else { self.pending + 1 };
                self.after_ascii = false;
            }
            0xc2..=0xf4 if self.expected == 0 => {
                self.part.push(byte);
                self.pending = 1;
                self.expected = match byte {
                    0xc2..=0xdf => 1,
                    0xe0..=0xef => 2,
                    _ => 3,
                };
                self.after_ascii = false;
            }
            _ => {
                self.end(out);
                // It may begin the next part.
                if matches!(byte, b' '..=b'~' | 0xc2..=0xf4) {
                    self.push(byte, out);
                }
                return false;
            }
        }
        true
    }

    /// Takes bytes in a row.
    pub(super) fn extend(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.push(*byte, out);
        }
    }

    /// Whether the part would go on with all of these.
    pub(super) fn goes_on_with(&self, bytes: &[u8]) -> bool {
        let mut state = Self { part: Vec::new(), ..*self };
        let mut ends = Vec::new();
        bytes.iter().all(|byte| state.push(*byte, &mut ends))
    }

    /// Ends the part.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.part.truncate(self.part.len().saturating_sub(self.pending));
        if self.part.len() >= SHORTEST {
            out.extend_from_slice(&self.part);
            out.extend_from_slice(BETWEEN);
        }
        self.part.clear();
        (self.pending, self.expected, self.after_ascii) = (0, 0, false);
    }
}

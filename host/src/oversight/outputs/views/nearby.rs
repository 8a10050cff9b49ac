//! What a decoding changed, with what stands around it: the rest was looked at before, and a page with one escape in it is no
//! reason to look at all of it again.

use super::BETWEEN;

/// Bytes on either side of a change. A token has less; of what an expression matches over more than that, one end is not seen
/// if only the other is encoded.
const AROUND: usize = 2 << 10;

/// A view in the making.
pub(super) struct Nearby<'a> {
    text: &'a [u8],
    out: Vec<u8>,
    /// Where the last change ended.
    done: usize,
    changed: bool,
}

impl<'a> Nearby<'a> {
    /// Of this text.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, out: Vec::new(), done: 0, changed: false }
    }

    /// Puts something else in place of these bytes, which follow those of the last change.
    pub(super) fn change(&mut self, from: usize, to: usize, instead: &[u8]) {
        let gap = self.text.get(self.done..from).unwrap_or_default();
        let tail = gap.get(gap.len().saturating_sub(AROUND)..).unwrap_or_default();
        if !self.changed {
            self.out.extend_from_slice(tail);
        } else if gap.len() > 2 * AROUND {
            self.out.extend_from_slice(gap.get(..AROUND).unwrap_or_default());
            self.out.extend_from_slice(BETWEEN);
            self.out.extend_from_slice(tail);
        } else {
            self.out.extend_from_slice(gap);
        }
        self.out.extend_from_slice(instead);
        self.done = to;
        self.changed = true;
    }

    /// The view; none if nothing was changed.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        let rest = self.text.get(self.done..).unwrap_or_default();
        self.out.extend_from_slice(rest.get(..rest.len().min(AROUND)).unwrap_or_default());
        self.changed.then_some(self.out)
    }
}

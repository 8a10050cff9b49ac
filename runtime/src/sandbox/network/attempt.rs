//! A request that the grant and the overseer let go on: written down exactly once, whatever becomes of it.
//!
//! A lookup is already an effect (the name goes out). So a call that is killed between the lookup and the
//! connection must have left its record: dropping an attempt that was not refused records it as allowed.

use std::sync::Arc;

use crate::denial::Denial;
use crate::sandbox::overseer::AccessKind;
use crate::sandbox::witness::Witness;

/// The record of one request, not yet written.
pub(super) struct Attempt {
    witness: Arc<Witness>,
    target: String,
    method: String,
    written: bool,
}

impl Attempt {
    /// An attempt that goes on unless it is refused.
    pub(super) fn begin(witness: Arc<Witness>, target: String, method: String) -> Self {
        Self { witness, target, method, written: false }
    }

    /// Records it as allowed.
    pub(super) fn allow(mut self) {
        self.write(None);
    }

    /// Records it as refused.
    pub(super) fn refuse(mut self, denial: Denial) {
        self.write(Some(denial));
    }

    fn write(&mut self, denial: Option<Denial>) {
        if std::mem::replace(&mut self.written, true) {
            return;
        }
        match denial {
            None => self.witness.allowed(AccessKind::Host, &self.target, &self.method),
            Some(denial) => self.witness.denied(AccessKind::Host, &self.target, &self.method, denial),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.write(None);
    }
}

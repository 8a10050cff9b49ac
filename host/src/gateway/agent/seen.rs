//! What was seen at the last look, and whether it still counts.
//!
//! The rule: what was touched counts again only when a look that began afterwards has ended. So touches are counted, and
//! what a look saw carries the count from before it. A flag that is taken down at the look's begin would let calls run by
//! the look before until this one ends, and for ever if it fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// A value that is found by looking.
#[derive(Debug)]
pub(super) struct Seen<T> {
    touches: AtomicU64,
    last: RwLock<Option<(u64, Arc<T>)>>,
}

/// A look that began.
#[derive(Debug)]
pub(super) struct Looking(u64);

impl<T> Seen<T> {
    /// Nobody looked yet.
    pub(super) fn nothing() -> Self {
        Self { touches: AtomicU64::new(0), last: RwLock::new(None) }
    }

    /// From now on only a look counts that begins later.
    pub(super) fn touch(&self) {
        self.touches.fetch_add(1, Ordering::AcqRel);
    }

    /// Begins a look, before anything is read.
    pub(super) fn begin(&self) -> Looking {
        Looking(self.touches.load(Ordering::Acquire))
    }

    /// Ends a look that saw this. One that failed is just dropped.
    pub(super) fn end(&self, Looking(touches): Looking, seen: Arc<T>) {
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = Some((touches, seen));
    }

    /// What was seen last, if nothing was touched since that look began.
    pub(super) fn counting(&self) -> Option<Arc<T>> {
        let (touches, seen) = self.last.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        (touches == self.touches.load(Ordering::Acquire)).then_some(seen)
    }

    /// What was seen last, whether it counts or not.
    pub(super) fn last(&self) -> Option<Arc<T>> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().map(|(_, seen)| Arc::clone(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen<&'static str> {
        let seen = Seen::nothing();
        let look = seen.begin();
        seen.end(look, Arc::new("old"));
        seen
    }

    #[test]
    fn what_was_touched_does_not_count_while_a_look_is_under_way() {
        let seen = seen();
        assert_eq!(seen.counting().as_deref(), Some(&"old"));
        seen.touch();
        assert_eq!(seen.counting(), None);
        let look = seen.begin();
        assert_eq!(seen.counting(), None, "the look has not ended");
        assert_eq!(seen.last().as_deref(), Some(&"old"));
        seen.end(look, Arc::new("new"));
        assert_eq!(seen.counting().as_deref(), Some(&"new"));
    }

    #[test]
    fn a_look_that_failed_makes_nothing_count() {
        let seen = seen();
        seen.touch();
        let _failed = seen.begin();
        assert_eq!(seen.counting(), None);
    }

    #[test]
    fn a_touch_in_the_middle_of_a_look_asks_for_another() {
        let seen = seen();
        let look = seen.begin();
        seen.touch();
        seen.end(look, Arc::new("new"));
        assert_eq!(seen.counting(), None);
    }
}

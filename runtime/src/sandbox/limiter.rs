//! Memory of one call, summed over everything that it makes: linear memories, tables, instances.
//!
//! wasmtime's own `StoreLimits` counts each memory by itself, so twenty memories of 60 MiB pass a limit of 64 MiB.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::ResourceLimiter;

use crate::sandbox::engine::TABLE_ELEMENTS;

/// Bytes that one table element takes.
const ELEMENT: u64 = 8;

/// Sums and refuses.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: u64,
    used: u64,
    gauge: Arc<MemoryGauge>,
}

/// What the limiter saw, readable after the store is gone.
#[derive(Debug, Default)]
pub(crate) struct MemoryGauge {
    peak: AtomicU64,
    refused: AtomicBool,
}

impl MemoryGauge {
    /// The most that was in use at once, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// What a limiter in another process saw.
    pub(crate) fn tell(&self, peak: u64) {
        self.peak.fetch_max(peak, Ordering::Relaxed);
    }

    /// Whether anything was refused.
    pub(crate) fn refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }
}

impl MemoryLimiter {
    /// A limiter for `limit` bytes.
    pub(crate) fn new(limit: u64, gauge: Arc<MemoryGauge>) -> Self {
        Self { limit, used: 0, gauge }
    }

    fn grow(&mut self, current: u64, desired: u64) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit {
            self.gauge.refused.store(true, Ordering::Relaxed);
            return false;
        }
        self.used = used;
        self.gauge.peak.fetch_max(used, Ordering::Relaxed);
        true
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(current as u64, desired as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // First: the pool's own maximum arrives as the table's, and it is a limit of ours.
        if desired > TABLE_ELEMENTS {
            self.gauge.refused.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow((current as u64).saturating_mul(ELEMENT), (desired as u64).saturating_mul(ELEMENT)))
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_summed() {
        let gauge = Arc::<MemoryGauge>::default();
        let mut limiter = MemoryLimiter::new(1_000, Arc::clone(&gauge));
        assert!(limiter.memory_growing(0, 500, None).unwrap());
        assert!(limiter.table_growing(0, 50, None).unwrap());
        assert!(!gauge.refused());
        assert!(!limiter.memory_growing(500, 700, None).unwrap(), "900 + 200 bytes of 1,000");
        assert!(gauge.refused());
        assert_eq!(gauge.peak(), 900);
    }

    #[test]
    fn a_growth_beyond_the_module_s_own_maximum_is_no_limit_of_ours() {
        let gauge = Arc::<MemoryGauge>::default();
        let mut limiter = MemoryLimiter::new(1_000, Arc::clone(&gauge));
        assert!(!limiter.memory_growing(0, 500, Some(100)).unwrap());
        assert!(!gauge.refused());
    }
}

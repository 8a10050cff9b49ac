//! How threads for long work stay below the others.
//!
//! A higher `nice` value is a smaller share, and no place behind: since Linux 6.6 a thread that runs may finish its slice
//! before one that wakes up, which is until the next tick of the clock, 4 ms at 250 Hz. Ten times what a short call takes. So
//! while others are there, threads for long work keep to all cores but one: what wakes up finds a core that nobody computes
//! on. On a machine with one core, and in what a container leaves of a bigger one, there is nothing to leave free.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Lowers this thread's own priority by so many steps of `nice`. Refusals are ignored: fairness suffers, containment does not.
pub fn lower_priority(nice: i32) {
    if nice > 0 {
        // On Linux "this process" is the calling thread alone here.
        let _ = rustix::process::setpriority_process(None, nice);
    }
}

/// Keeps this thread to all cores but one, for good. Refusals are ignored, as with [`lower_priority`].
pub fn leave_a_core() {
    Cores::of_this_thread().leave_one(true);
}

/// The cores of one thread.
pub(crate) struct Cores {
    all: CpuSet,
    /// All but the first; none where there is but one, or where the kernel does not say.
    fewer: Option<CpuSet>,
    leaves_one: bool,
}

impl Cores {
    /// Those that this thread may run on now.
    pub(crate) fn of_this_thread() -> Self {
        let all = sched_getaffinity(None).unwrap_or_default();
        let mut fewer = all;
        if let Some(first) = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)) {
            fewer.unset(first);
        }
        let fewer = (fewer.count() > 0).then_some(fewer);
        Self { all, fewer, leaves_one: false }
    }

    /// Leaves one of them to others, or takes it back. To be called on the same thread.
    pub(crate) fn leave_one(&mut self, leave: bool) {
        let Some(fewer) = self.fewer.as_ref().filter(|_| leave != self.leaves_one) else { return };
        let _ = sched_setaffinity(None, if leave { fewer } else { &self.all });
        self.leaves_one = leave;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_left_free_and_taken_back() {
        let here = || sched_getaffinity(None).unwrap();
        let all = here();
        let mut cores = Cores::of_this_thread();
        let left = if all.count() > 1 { all.count() - 1 } else { 1 };
        cores.leave_one(true);
        assert_eq!(here().count(), left);
        cores.leave_one(true);
        assert_eq!(here().count(), left);
        cores.leave_one(false);
        assert_eq!(here(), all);
        leave_a_core();
        assert_eq!(here().count(), left);
    }
}

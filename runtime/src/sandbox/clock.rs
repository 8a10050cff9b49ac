//! The wall-clock budget of one call, which stands still while a person decides.
//!
//! Epochs and fuel do not end a guest that sleeps or waits, so the deadline is a timer beside the call. Waiting for
//! an approval must not eat it: whoever waits holds a [`Pause`]. A request waits beside its guest, which may compute on
//! meanwhile: that time is charged tick by tick ([`CallClock::computed`]), or a request that is held would be free computing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// The budget of one call.
#[derive(Debug)]
pub(crate) struct CallClock {
    budget: Duration,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    spent: Duration,
    running_since: Instant,
    pauses: u32,
}

/// While one lives, the clock stands still.
#[derive(Debug)]
pub(crate) struct Pause(Arc<CallClock>);

impl CallClock {
    /// A clock that starts now.
    pub(crate) fn start(budget: Duration) -> Arc<Self> {
        let state = State { spent: Duration::ZERO, running_since: Instant::now(), pauses: 0 };
        Arc::new(Self { budget, state: Mutex::new(state), changed: Notify::new() })
    }

    /// The whole budget.
    pub(crate) fn budget(&self) -> Duration {
        self.budget
    }

    /// What is left, or `None` while the clock stands still and something is left.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let state = self.lock();
        let left = self.budget.saturating_sub(state.spent);
        match state.pauses {
            0 => Some(left.saturating_sub(state.running_since.elapsed())),
            _ => left.is_zero().then_some(left),
        }
    }

    /// The guest computed for so long. Counts while the clock stands still; otherwise it is on the clock anyway.
    pub(crate) fn computed(&self, time: Duration) {
        let mut state = self.lock();
        if state.pauses == 0 {
            return;
        }
        state.spent = state.spent.saturating_add(time);
        let spent = state.spent >= self.budget;
        drop(state);
        if spent {
            self.changed.notify_one();
        }
    }

    /// Stops the clock until the pause is dropped. Pauses nest.
    pub(crate) fn pause(self: &Arc<Self>) -> Pause {
        let mut state = self.lock();
        if state.pauses == 0 {
            let ran = state.running_since.elapsed();
            state.spent = state.spent.saturating_add(ran);
        }
        state.pauses += 1;
        drop(state);
        self.changed.notify_one();
        Pause(Arc::clone(self))
    }

    /// Resolves when the budget is used up. One waiter at a time.
    pub(crate) async fn expired(&self) {
        loop {
            match self.remaining() {
                Some(Duration::ZERO) => return,
                Some(left) => {
                    let _ = tokio::time::timeout(left, self.changed.notified()).await;
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.pauses = state.pauses.saturating_sub(1);
        if state.pauses == 0 {
            state.running_since = Instant::now();
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_paused_clock_does_not_expire() {
        let clock = CallClock::start(Duration::from_millis(30));
        let pause = clock.pause();
        let early = tokio::time::timeout(Duration::from_millis(120), clock.expired()).await;
        assert!(early.is_err(), "expired while it stood still");
        drop(pause);
        clock.expired().await;
        assert_eq!(clock.remaining(), Some(Duration::ZERO));
    }

    #[tokio::test]
    async fn computing_is_charged_while_the_clock_stands_still() {
        let clock = CallClock::start(Duration::from_secs(3_600));
        clock.computed(Duration::from_secs(7_200));
        assert!(
            clock.remaining() > Some(Duration::from_secs(3_000)),
            "it runs, so that time was on it already"
        );
        let _pause = clock.pause();
        let expired = clock.expired();
        tokio::pin!(expired);
        clock.computed(Duration::from_secs(1_800));
        let early = tokio::time::timeout(Duration::from_millis(20), &mut expired).await;
        assert!(early.is_err(), "half of it is left");
        clock.computed(Duration::from_secs(1_800));
        expired.await;
    }
}

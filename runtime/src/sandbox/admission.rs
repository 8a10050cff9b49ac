//! Who may start: a bounded number of calls at once, fairly by agent.
//!
//! Sixty-four sleepers must not hold all sixty-four slots. So no agent ever has more than its share of them, callers
//! beyond it wait in line, agents' lines take turns, and the lines are bounded: beyond that a call is `busy`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Hands out the slots.
#[derive(Debug)]
pub(crate) struct Admission {
    slots: usize,
    share: usize,
    line: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    agents: HashMap<Arc<str>, Agent>,
    turns: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Agent {
    running: usize,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// A slot; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    agent: Arc<str>,
}

/// Too many calls of this agent are waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineFull;

impl Admission {
    /// `slots` calls at once; one agent has at most half of them (at least one) and 256 waiting.
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        Arc::new(Self { slots, share: (slots / 2).max(1), line: 256, state: Mutex::default() })
    }

    /// Waits for a slot.
    ///
    /// # Errors
    ///
    /// [`LineFull`] when the agent's line is full.
    pub(crate) async fn enter(self: &Arc<Self>, agent: &Arc<str>) -> Result<Permit, LineFull> {
        let receiver = {
            let mut state = self.lock();
            let running = state.running;
            let entry = state.agents.entry(Arc::clone(agent)).or_default();
            if running < self.slots && entry.running < self.share && entry.waiting.is_empty() {
                entry.running += 1;
                state.running += 1;
                return Ok(Permit { admission: Arc::clone(self), agent: Arc::clone(agent) });
            }
            entry.waiting.retain(|sender| !sender.is_closed());
            if entry.waiting.len() >= self.line {
                return Err(LineFull);
            }
            let (sender, receiver) = oneshot::channel();
            if entry.waiting.is_empty() && !state.turns.contains(agent) {
                state.turns.push_back(Arc::clone(agent));
            }
            if let Some(entry) = state.agents.get_mut(agent) {
                entry.waiting.push_back(sender);
            }
            receiver
        };
        self.admit();
        receiver.await.map_err(|_| LineFull)
    }

    /// How many hold a slot, and how many wait for one.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let waiting =
            state.agents.values().map(|agent| agent.waiting.iter().filter(|one| !one.is_closed()).count());
        (state.running, waiting.sum())
    }

    /// Gives free slots to those who wait, agents in turn.
    fn admit(self: &Arc<Self>) {
        while let Some((sender, permit)) = self.next() {
            // Whoever stopped waiting gives the slot back by dropping the permit, which admits the next.
            let _ = sender.send(permit);
        }
    }

    fn next(self: &Arc<Self>) -> Option<(oneshot::Sender<Permit>, Permit)> {
        let mut state = self.lock();
        if state.running >= self.slots {
            return None;
        }
        for _ in 0..state.turns.len() {
            let agent = state.turns.pop_front()?;
            let share = self.share;
            let entry = state.agents.entry(Arc::clone(&agent)).or_default();
            entry.waiting.retain(|sender| !sender.is_closed());
            if entry.waiting.is_empty() {
                continue;
            }
            let admitted = (entry.running < share).then(|| entry.waiting.pop_front()).flatten();
            if !entry.waiting.is_empty() {
                state.turns.push_back(Arc::clone(&agent));
            }
            if let Some(sender) = admitted {
                if let Some(entry) = state.agents.get_mut(&agent) {
                    entry.running += 1;
                }
                state.running += 1;
                return Some((sender, Permit { admission: Arc::clone(self), agent }));
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Whether its agent has no other.
    pub(crate) fn is_the_only_one(&self) -> bool {
        self.admission.lock().agents.get(&self.agent).is_some_and(|agent| agent.running == 1)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.admission.lock();
            state.running = state.running.saturating_sub(1);
            if let Some(entry) = state.agents.get_mut(&self.agent) {
                entry.running = entry.running.saturating_sub(1);
                if entry.running == 0 && entry.waiting.is_empty() {
                    state.agents.remove(&self.agent);
                }
            }
            if state.turns.is_empty() {
                return;
            }
        }
        self.admission.admit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> Arc<str> {
        name.into()
    }

    #[tokio::test]
    async fn one_agent_never_holds_all_slots() {
        let admission = Admission::new(4);
        let (a, b) = (agent("a"), agent("b"));
        let _held = [admission.enter(&a).await.unwrap(), admission.enter(&a).await.unwrap()];
        let mut third = Box::pin(admission.enter(&a));
        assert!(futures_now(&mut third).await.is_none(), "a third slot of four for one agent");
        assert!(admission.enter(&b).await.is_ok());
    }

    #[tokio::test]
    async fn those_who_wait_are_let_in_when_a_slot_is_free() {
        let admission = Admission::new(2);
        let (a, b) = (agent("a"), agent("b"));
        let held = admission.enter(&a).await.unwrap();
        let _other = admission.enter(&b).await.unwrap();
        let waiting = {
            let (admission, a) = (Arc::clone(&admission), Arc::clone(&a));
            tokio::spawn(async move { admission.enter(&a).await.map(drop) })
        };
        tokio::task::yield_now().await;
        drop(held);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_loses_no_slot() {
        let admission = Admission::new(2);
        let a = agent("a");
        let held = admission.enter(&a).await.unwrap();
        let mut given_up = Box::pin(admission.enter(&a));
        assert!(futures_now(&mut given_up).await.is_none());
        drop(given_up);
        drop(held);
        for _ in 0..100 {
            drop(admission.enter(&a).await.unwrap());
        }
        assert_eq!(admission.lock().running, 0);
    }

    #[tokio::test]
    async fn a_full_line_is_busy() {
        let admission = Admission::new(2);
        let a = agent("a");
        let _held = admission.enter(&a).await.unwrap();
        let mut waiting: Vec<_> = (0..256).map(|_| Box::pin(admission.enter(&a))).collect();
        for one in &mut waiting {
            assert!(futures_now(one).await.is_none());
        }
        assert_eq!(admission.enter(&a).await.map(drop), Err(LineFull));
    }

    /// Polls once.
    async fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}

//! Who may start: a bounded number of calls at once, fairly by agent.
//!
//! Sixty-four sleepers must not hold all sixty-four slots. So no agent ever has more than its share of them, callers
//! beyond it wait in line, agents' lines take turns, and the lines are bounded: beyond that a call is `busy`.
//!
//! A call that waits for somebody's decision gives its slot back ([`crate::sandbox::seat`]) and has a *place* meanwhile: a
//! bounded number too, of which no agent has more than its share. When it comes back it goes before its agent's new calls,
//! which could otherwise keep it out for ever.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// An agent with so many calls at once has few: as many as two callers' threads make, each with one at a time.
const FEW: usize = 2;

/// Calls at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Calls that hold a slot.
    pub running: usize,
    /// Calls that wait for one, anew or again.
    pub waiting: usize,
    /// Calls that wait for somebody's decision, without a slot.
    pub held: usize,
}

/// Hands out the slots.
#[derive(Debug)]
pub(crate) struct Admission {
    slots: usize,
    share: usize,
    line: usize,
    places: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    held: usize,
    agents: HashMap<Arc<str>, Agent>,
    turns: VecDeque<Arc<str>>,
}

#[derive(Debug, Default)]
struct Agent {
    running: usize,
    held: usize,
    /// Calls that had a slot and gave it back while they were held.
    returning: VecDeque<oneshot::Sender<Permit>>,
    /// Calls that did not begin.
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

impl Agent {
    /// Forgets those who stopped waiting, and says whether anybody is left.
    fn has_line(&mut self) -> bool {
        self.returning.retain(|sender| !sender.is_closed());
        self.waiting.retain(|sender| !sender.is_closed());
        !self.returning.is_empty() || !self.waiting.is_empty()
    }

    fn first(&mut self) -> Option<oneshot::Sender<Permit>> {
        self.returning.pop_front().or_else(|| self.waiting.pop_front())
    }

    fn is_forgettable(&self) -> bool {
        self.running == 0 && self.held == 0 && self.returning.is_empty() && self.waiting.is_empty()
    }
}

/// A slot, or a turn in the line.
enum Turn {
    Now(Permit),
    Later(oneshot::Receiver<Permit>),
}

/// A slot; dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    agent: Arc<str>,
}

/// A place of a call that is held; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    agent: Arc<str>,
}

/// Too many calls of this agent are waiting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LineFull;

/// Too many calls of this agent, or of all, are held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PlacesFull;

impl Admission {
    /// `slots` calls at once, and `places` more that are held; one agent has at most half of either (at least one) and
    /// 256 waiting.
    pub(crate) fn new(slots: usize, places: usize) -> Arc<Self> {
        Arc::new(Self { slots, share: (slots / 2).max(1), line: 256, places, state: Mutex::default() })
    }

    /// Takes a place for a call that is held.
    ///
    /// # Errors
    ///
    /// [`PlacesFull`] when all are taken, or all that this agent may have.
    pub(crate) fn hold(self: &Arc<Self>, agent: &Arc<str>) -> Result<Place, PlacesFull> {
        let mut state = self.lock();
        let held = state.agents.get(agent).map_or(0, |entry| entry.held);
        if state.held >= self.places || held >= self.places.div_ceil(2) {
            return Err(PlacesFull);
        }
        state.held += 1;
        state.agents.entry(Arc::clone(agent)).or_default().held += 1;
        Ok(Place { admission: Arc::clone(self), agent: Arc::clone(agent) })
    }

    /// Waits for a slot.
    ///
    /// # Errors
    ///
    /// [`LineFull`] when the agent's line is full.
    pub(crate) async fn enter(self: &Arc<Self>, agent: &Arc<str>) -> Result<Permit, LineFull> {
        self.line_up(agent, false)?.comes().await
    }

    /// Waits for a slot again, before all calls of this agent that did not begin. Bounded by the places.
    ///
    /// # Errors
    ///
    /// Never while the runtime lives.
    pub(crate) async fn enter_again(self: &Arc<Self>, agent: &Arc<str>) -> Result<Permit, LineFull> {
        self.line_up(agent, true)?.comes().await
    }

    fn line_up(self: &Arc<Self>, agent: &Arc<str>, again: bool) -> Result<Turn, LineFull> {
        let receiver = {
            let mut state = self.lock();
            let running = state.running;
            let entry = state.agents.entry(Arc::clone(agent)).or_default();
            let alone = entry.returning.is_empty() && (again || entry.waiting.is_empty());
            if running < self.slots && entry.running < self.share && alone {
                entry.running += 1;
                state.running += 1;
                return Ok(Turn::Now(Permit { admission: Arc::clone(self), agent: Arc::clone(agent) }));
            }
            entry.has_line();
            if !again && entry.waiting.len() >= self.line {
                return Err(LineFull);
            }
            let (sender, receiver) = oneshot::channel();
            if again {
                entry.returning.push_back(sender);
            } else {
                entry.waiting.push_back(sender);
            }
            if !state.turns.contains(agent) {
                state.turns.push_back(Arc::clone(agent));
            }
            receiver
        };
        self.admit();
        Ok(Turn::Later(receiver))
    }

    /// How busy it is.
    pub(crate) fn load(&self) -> Load {
        let state = self.lock();
        let waiting = state
            .agents
            .values()
            .map(|agent| agent.returning.iter().chain(&agent.waiting).filter(|one| !one.is_closed()).count());
        Load { running: state.running, waiting: waiting.sum(), held: state.held }
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
            if !entry.has_line() {
                continue;
            }
            let admitted = (entry.running < share).then(|| entry.first()).flatten();
            if entry.has_line() {
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

impl Turn {
    async fn comes(self) -> Result<Permit, LineFull> {
        match self {
            Self::Now(permit) => Ok(permit),
            Self::Later(receiver) => receiver.await.map_err(|_| LineFull),
        }
    }
}

impl Permit {
    /// Who gave it out, and to whom.
    pub(crate) fn origin(&self) -> (&Arc<Admission>, &Arc<str>) {
        (&self.admission, &self.agent)
    }

    /// Whether its agent has at most [`FEW`].
    pub(crate) fn is_one_of_few(&self) -> bool {
        self.admission.lock().agents.get(&self.agent).is_some_and(|agent| agent.running <= FEW)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.admission.lock();
            state.running = state.running.saturating_sub(1);
            if let Some(entry) = state.agents.get_mut(&self.agent) {
                entry.running = entry.running.saturating_sub(1);
                if entry.is_forgettable() {
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

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.admission.lock();
        state.held = state.held.saturating_sub(1);
        if let Some(entry) = state.agents.get_mut(&self.agent) {
            entry.held = entry.held.saturating_sub(1);
            if entry.is_forgettable() {
                state.agents.remove(&self.agent);
            }
        }
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
        let admission = Admission::new(4, 4);
        let (a, b) = (agent("a"), agent("b"));
        let _held = [admission.enter(&a).await.unwrap(), admission.enter(&a).await.unwrap()];
        let mut third = Box::pin(admission.enter(&a));
        assert!(futures_now(&mut third).await.is_none(), "a third slot of four for one agent");
        assert!(admission.enter(&b).await.is_ok());
    }

    #[tokio::test]
    async fn those_who_wait_are_let_in_when_a_slot_is_free() {
        let admission = Admission::new(2, 2);
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
        let admission = Admission::new(2, 2);
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
        let admission = Admission::new(2, 2);
        let a = agent("a");
        let _held = admission.enter(&a).await.unwrap();
        let mut waiting: Vec<_> = (0..256).map(|_| Box::pin(admission.enter(&a))).collect();
        for one in &mut waiting {
            assert!(futures_now(one).await.is_none());
        }
        assert_eq!(admission.enter(&a).await.map(drop), Err(LineFull));
    }

    #[tokio::test]
    async fn a_call_that_was_held_goes_before_its_agent_s_new_ones() {
        let admission = Admission::new(2, 2);
        let a = agent("a");
        let running = admission.enter(&a).await.unwrap();
        let mut new = Box::pin(admission.enter(&a));
        assert!(futures_now(&mut new).await.is_none());
        let mut again = Box::pin(admission.enter_again(&a));
        assert!(futures_now(&mut again).await.is_none());
        drop(running);
        let back = futures_now(&mut again).await.unwrap().unwrap();
        assert!(futures_now(&mut new).await.is_none(), "one slot, and it went to the one that came back");
        drop(back);
        assert!(futures_now(&mut new).await.is_some());
    }

    #[tokio::test]
    async fn one_agent_never_has_all_places_and_they_are_bounded() {
        let admission = Admission::new(2, 4);
        let (a, b, c) = (agent("a"), agent("b"), agent("c"));
        let of_a = [admission.hold(&a).unwrap(), admission.hold(&a).unwrap()];
        assert_eq!(admission.hold(&a).map(drop), Err(PlacesFull), "half of them");
        let _of_b = [admission.hold(&b).unwrap(), admission.hold(&b).unwrap()];
        assert_eq!(admission.hold(&c).map(drop), Err(PlacesFull), "none is left");
        drop(of_a);
        assert!(admission.hold(&c).is_ok());
        assert_eq!(admission.load().held, 2);
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

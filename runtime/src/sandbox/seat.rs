//! One call's slot among those that run, which it gives back while it is held and takes again before it goes on.
//!
//! An approval may take minutes, and sixty-four of them must not be the end of everybody's calls. While anything of a call
//! is held it has a [`Place`] instead of a slot; its instance stays where it is, in the pool's room for held ones
//! ([`crate::sandbox::engine::running`]).
//!
//! The rule: a call has a slot, or a place, or it is over; whatever is dropped at whatever moment. A guest that gives up a
//! request that is held goes on computing, so it keeps the place until it has a slot again: places are bounded, so this is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::sandbox::admission::{Admission, Permit, Place, PlacesFull};

/// The longest that a call that was held waits for a slot again. Every call that has one is on its own clock, so one
/// becomes free before; this is for the case that it does not.
const AGAIN: Duration = Duration::from_secs(60);

/// The slot of one call, given back while it is held.
#[derive(Debug)]
pub(crate) struct Seat {
    admission: Arc<Admission>,
    agent: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    permit: Option<Permit>,
    place: Option<Place>,
    holds: u32,
    over: bool,
}

/// One effect that is held. While one lives its call has no slot.
#[derive(Debug)]
pub(crate) struct Hold(Option<Arc<Seat>>);

/// Lives as long as the guest does.
#[derive(Debug)]
pub(crate) struct Seated(pub(crate) Arc<Seat>);

/// No slot became free for a call that was held.
#[derive(Debug)]
pub(crate) struct NoSlot;

impl Seat {
    /// A seat with its slot.
    pub(crate) fn new(permit: Permit) -> Arc<Self> {
        let (admission, agent) = permit.origin();
        let (admission, agent) = (Arc::clone(admission), Arc::clone(agent));
        let state = State { permit: Some(permit), place: None, holds: 0, over: false };
        Arc::new(Self { admission, agent, state: Mutex::new(state) })
    }

    /// Gives the slot back until the hold ends.
    ///
    /// # Errors
    ///
    /// [`PlacesFull`]: too many calls are held already, and this one keeps its slot.
    pub(crate) fn hold(self: &Arc<Self>) -> Result<Hold, PlacesFull> {
        let mut state = self.lock();
        if state.place.is_none() && !state.over {
            state.place = Some(self.admission.hold(&self.agent)?);
        }
        state.holds += 1;
        let permit = state.permit.take();
        drop(state);
        drop(permit);
        Ok(Hold(Some(Arc::clone(self))))
    }

    /// Waits for a slot, and takes it unless the call is held again or over by then.
    async fn enter_again(&self) -> Result<(), NoSlot> {
        let entering = tokio::time::timeout(AGAIN, self.admission.enter_again(&self.agent)).await;
        let Ok(Ok(permit)) = entering else { return Err(NoSlot) };
        let mut state = self.lock();
        if state.holds > 0 || state.over || state.permit.is_some() {
            drop(state);
            // Outside the lock, here and below: a permit that is dropped lets another call in.
            drop(permit);
            return Ok(());
        }
        state.permit = Some(permit);
        let place = state.place.take();
        drop(state);
        drop(place);
        Ok(())
    }

    /// One hold less; whether the call needs a slot now.
    fn released(&self) -> bool {
        let mut state = self.lock();
        state.holds = state.holds.saturating_sub(1);
        state.holds == 0 && !state.over && state.permit.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Ends the hold; waits for a slot if it was the call's last. Until then the place is kept.
    ///
    /// # Errors
    ///
    /// [`NoSlot`] when none became free in a minute.
    pub(crate) async fn release(mut self) -> Result<(), NoSlot> {
        let Some(seat) = self.0.take() else { return Ok(()) };
        if !seat.released() {
            return Ok(());
        }
        let guard = Returning(Some(seat));
        let Some(seat) = &guard.0 else { return Ok(()) };
        let answer = seat.enter_again().await;
        if answer.is_ok() {
            guard.arrived();
        }
        answer
    }
}

/// A call on its way back to a slot. Dropped on the way, it goes on in the background: the guest may be running.
struct Returning(Option<Arc<Seat>>);

impl Returning {
    fn arrived(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        let Some(seat) = self.0.take() else { return };
        // Outside of a runtime the call is being dropped as a whole.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let weak = Arc::downgrade(&seat);
        runtime.spawn(async move {
            if let Some(seat) = weak.upgrade() {
                let _ = seat.enter_again().await;
            }
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(seat) = self.0.take()
            && seat.released()
        {
            drop(Returning(Some(seat)));
        }
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.over = true;
        let (permit, place) = (state.permit.take(), state.place.take());
        drop(state);
        drop((permit, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seat(admission: &Arc<Admission>) -> Arc<Seat> {
        Seat::new(admission.enter(&"a".into()).await.unwrap())
    }

    fn counts(admission: &Arc<Admission>) -> (usize, usize) {
        let load = admission.load();
        (load.running, load.held)
    }

    #[tokio::test]
    async fn a_hold_gives_the_slot_back_and_takes_it_again() {
        let admission = Admission::new(1, 2);
        let seat = seat(&admission).await;
        let hold = seat.hold().unwrap();
        assert_eq!(counts(&admission), (0, 1));
        let other = admission.enter(&"a".into()).await.unwrap();
        let release = tokio::spawn(hold.release());
        tokio::task::yield_now().await;
        assert_eq!(counts(&admission), (1, 1), "it waits for the other call's end, in its place");
        drop(other);
        release.await.unwrap().unwrap();
        assert_eq!(counts(&admission), (1, 0));
        drop(Seated(seat));
        assert_eq!(counts(&admission), (0, 0));
    }

    #[tokio::test]
    async fn two_holds_of_one_call_are_one_place_and_the_last_takes_the_slot() {
        let admission = Admission::new(1, 1);
        let seat = seat(&admission).await;
        let (one, two) = (seat.hold().unwrap(), seat.hold().unwrap());
        one.release().await.unwrap();
        assert_eq!(counts(&admission), (0, 1));
        two.release().await.unwrap();
        assert_eq!(counts(&admission), (1, 0));
    }

    #[tokio::test]
    async fn a_hold_that_is_given_up_takes_the_slot_again_by_itself_and_keeps_its_place_until_then() {
        let admission = Admission::new(1, 2);
        let seat = seat(&admission).await;
        drop(seat.hold().unwrap());
        assert_eq!(counts(&admission), (0, 1), "a guest that runs on without a slot is counted");
        while counts(&admission) != (1, 0) {
            tokio::task::yield_now().await;
        }
        // The same for one that is given up while it waits for the slot.
        let hold = seat.hold().unwrap();
        let other = admission.enter(&"b".into()).await.unwrap();
        let mut release = Box::pin(hold.release());
        assert!(tokio::time::timeout(Duration::from_millis(5), &mut release).await.is_err());
        drop(release);
        assert_eq!(counts(&admission), (1, 1));
        drop(other);
        while counts(&admission) != (1, 0) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_call_that_is_over_keeps_neither_slot_nor_place_whatever_comes_later() {
        let admission = Admission::new(1, 1);
        let seat = seat(&admission).await;
        let hold = seat.hold().unwrap();
        drop(Seated(Arc::clone(&seat)));
        assert_eq!(counts(&admission), (0, 0));
        hold.release().await.unwrap();
        let late = seat.hold().unwrap();
        drop(late);
        tokio::task::yield_now().await;
        assert_eq!(counts(&admission), (0, 0));
    }
}

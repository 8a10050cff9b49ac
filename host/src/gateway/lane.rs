//! Where a connection is served: among the quick, or below everybody else while its agent's answers are large.
//!
//! An answer of 1 MB is milliseconds of work at every step: hashed for the trail, written as a message, and copied into the
//! socket. All of that is one future, the connection's, and a future may be polled by any executor. So the connection goes
//! over as a whole, at the moment at which a large answer leaves its sandbox, and comes back when answers are small again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Which of both it is for one connection, known to it and to the requests that come by it.
#[derive(Clone, Default)]
pub(crate) struct Lane(Arc<AtomicBool>);

impl Lane {
    /// Below everybody else from now on, or not. Whether that is a change: then the connection goes over as soon as it waits,
    /// so whoever turned it waits at once.
    pub(super) fn turn(&self, below: bool) -> bool {
        self.0.swap(below, Ordering::AcqRel) != below
    }

    /// Whether below.
    pub(super) fn is_below(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A future for as long as it stays in one lane.
pub(super) struct Leg<Output> {
    /// None only once it is over.
    pub(super) future: Option<Pin<Box<dyn Future<Output = Output> + Send>>>,
    /// Where it wants to be.
    pub(super) lane: Lane,
    /// Where it is.
    pub(super) below: bool,
}

/// How a leg ends.
pub(super) enum Leaves<Output> {
    /// The future is ready.
    Ended(Output),
    /// It goes on in the other lane.
    Turned(Pin<Box<dyn Future<Output = Output> + Send>>),
}

impl<Output> Future for Leg<Output> {
    type Output = Leaves<Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Leaves<Output>> {
        let Some(mut future) = self.future.take() else { return Poll::Pending };
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Leaves::Ended(output));
        }
        if self.lane.is_below() != self.below {
            return Poll::Ready(Leaves::Turned(future));
        }
        self.future = Some(future);
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::gateway::doors::Doors;

    /// The name of the thread on which this runs.
    fn here() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    /// As a request does: turns its connection's lane, and waits if that is a change.
    async fn turned(lane: &Lane, below: bool) -> String {
        std::future::poll_fn(|_| if lane.turn(below) { Poll::Pending } else { Poll::Ready(()) }).await;
        here()
    }

    #[test]
    fn a_connection_goes_over_at_once_and_comes_back() {
        let doors = Doors::start().unwrap();
        let (handles, lane) = (doors.handles(), Lane::default());
        let (ends, place) = (std::sync::mpsc::channel(), handles.place());
        let connection = {
            let lane = lane.clone();
            async move {
                let at_first = here();
                [at_first, turned(&lane, true).await, turned(&lane, true).await, turned(&lane, false).await]
            }
        };
        place.handle.spawn(async move {
            let ended = handles.wander(lane, connection).await;
            ends.0.send(ended.unwrap()).unwrap();
        });
        let places = ends.1.recv().unwrap();
        assert_eq!(places, ["soulbound-door", "soulbound-bulk", "soulbound-bulk", "soulbound-door"]);
    }
}

//! The threads on which requests are served, apart from the guests' own.
//!
//! A connection stays on one thread, with everything that is done for it: handing a request from thread to thread costs more
//! than most of what is done with it (a call then took a third longer, measured in turns). New connections go where there are
//! fewest.
//!
//! A large answer is judged, hashed, and written as a message: milliseconds of computing for each, where a small request
//! takes a tenth of one. On the same two threads, one agent's large answers would be every other agent's wait (19 times the
//! quiet p99). The rule: an agent whose answers were large lately is served by threads of a lower priority
//! (`gateway/lane.rs`), and what is large is judged there whoever it is of, so that the system itself lets everybody else's
//! requests through at once.

use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::lane::{Lane, Leaves, Leg};

/// Threads for connections, each with its own.
const DOORS: usize = 2;
/// Threads for what is done beside the connections: accepting them, looking at agents anew, errands of the gateway's.
const THREADS: usize = 2;
/// As many for large ones.
const BULK_THREADS: usize = 2;
/// How much lower those are (the `nice` value): as the guests' heavy threads.
const BULK_NICE: i32 = 5;
/// An answer of about so many bytes is large.
pub(super) const LARGE: usize = 64 << 10;
/// Judgements of one agent at once. Whoever has more to be judged waits behind its own, not others behind it.
const JUDGED_AT_ONCE: usize = 2;
/// For how long after one the agent's connections are served below the others'.
pub(super) const LATELY: Duration = Duration::from_secs(10);

/// All of them.
pub(crate) struct Doors {
    handles: DoorHandles,
    quick: Runtime,
    bulk: Runtime,
    /// Ends the doors' own threads.
    leaving: CancellationToken,
}

/// Where to find them.
#[derive(Clone)]
pub(crate) struct DoorHandles {
    /// Everything else that is no command of the operator's.
    pub(crate) quick: Handle,
    bulk: Handle,
    doors: Arc<[Place]>,
}

/// A connection's place at one of the doors; of each door one is kept by [`DoorHandles`].
#[derive(Clone)]
pub(crate) struct Place {
    /// The door's thread.
    pub(crate) handle: Handle,
    taken: Arc<()>,
}

impl Place {
    fn at(handle: Handle) -> Self {
        Self { handle, taken: Arc::new(()) }
    }
}

impl Doors {
    /// Starts the threads.
    pub(crate) fn start() -> Result<Self> {
        let of = |name, threads| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads).thread_name(name).enable_all();
            builder
        };
        let started = "the gateway's threads do not start";
        let quick = of("soulbound-errand", THREADS).max_blocking_threads(64).build().context(started)?;
        let bulk = of("soulbound-bulk", BULK_THREADS)
            .max_blocking_threads(64)
            .on_thread_start(|| {
                soulbound_runtime::sandbox::lower_priority(BULK_NICE);
                soulbound_runtime::sandbox::leave_a_core();
            })
            .build()
            .context(started)?;
        let leaving = CancellationToken::new();
        let doors = (0..DOORS).map(|_| door(leaving.clone())).collect::<std::io::Result<Vec<_>>>();
        let (quick_handle, bulk_handle) = (quick.handle().clone(), bulk.handle().clone());
        let doors = doors.context(started)?.into_iter().map(Place::at).collect();
        let handles = DoorHandles { quick: quick_handle, bulk: bulk_handle, doors };
        Ok(Self { handles, quick, bulk, leaving })
    }

    /// Where to find them, while this lasts.
    pub(crate) fn handles(&self) -> DoorHandles {
        self.handles.clone()
    }

    /// Ends with whatever they do still held by a disk or a guest.
    pub(crate) fn leave(self) {
        self.leaving.cancel();
        self.quick.shutdown_background();
        self.bulk.shutdown_background();
    }
}

/// Computing of one agent's that takes milliseconds, below everybody else. Clones share the turns.
#[derive(Clone)]
pub(crate) struct Turns {
    bulk: Handle,
    turns: Arc<Semaphore>,
}

impl Turns {
    /// Computes when it is the agent's turn. Nothing, where it panicked or the process is leaving.
    pub(crate) async fn below<T: Send + 'static>(
        &self,
        computing: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // The turn lasts as long as the computing, also when nobody waits for it any more.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let turned = move || {
            let _turn = turn;
            computing()
        };
        self.bulk.spawn_blocking(turned).await.ok()
    }
}

/// A thread with connections of its own, until it is told to leave.
fn door(leaving: CancellationToken) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread()
        .thread_name("soulbound-errand")
        .max_blocking_threads(64)
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("soulbound-door".to_owned()).spawn(move || {
        runtime.block_on(leaving.cancelled());
        runtime.shutdown_background();
    })?;
    Ok(handle)
}

impl DoorHandles {
    /// One runtime for all, where there is nobody else to make room for.
    pub(crate) fn one(handle: Handle) -> Self {
        Self { bulk: handle.clone(), doors: Arc::new([Place::at(handle.clone())]), quick: handle }
    }

    /// A place for a new connection, where there are fewest.
    pub(crate) fn place(&self) -> Place {
        let fewest = self.doors.iter().min_by_key(|door| Arc::strong_count(&door.taken));
        fewest.cloned().unwrap_or_else(|| Place::at(self.quick.clone()))
    }

    /// An agent's turns below everybody else.
    pub(crate) fn turns(&self) -> Turns {
        Turns { bulk: self.bulk.clone(), turns: Arc::new(Semaphore::new(JUDGED_AT_ONCE)) }
    }

    /// Polls a future where its lane says, from one moment to the next. Dropping this drops it.
    ///
    /// # Errors
    ///
    /// It panicked below, or the process is leaving.
    pub(super) async fn wander<Output: Send + 'static>(
        &self,
        lane: Lane,
        future: impl Future<Output = Output> + Send + 'static,
    ) -> Result<Output> {
        let mut future: Pin<Box<dyn Future<Output = Output> + Send>> = Box::pin(future);
        loop {
            let below = lane.is_below();
            let leg = Leg { future: Some(future), lane: lane.clone(), below };
            let left = if below {
                let below = AbortOnDropHandle::new(self.bulk.spawn(leg)).await;
                below.context("what ran below did not come to its end")?
            } else {
                leg.await
            };
            match left {
                Leaves::Ended(output) => return Ok(output),
                Leaves::Turned(rest) => future = rest,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// Begins so many computations that last until the sender is dropped; each says that it has begun.
    fn begin(turns: &Turns, on: &Handle, count: usize, until: &Arc<Semaphore>) -> Receiver<()> {
        let (begun, begins) = channel();
        for _ in 0..count {
            let (turns, begun, until) = (turns.clone(), begun.clone(), Arc::clone(until));
            let waiting = on.clone();
            on.spawn(async move {
                let computing = move || {
                    begun.send(()).unwrap();
                    let _ = waiting.block_on(until.acquire());
                };
                turns.below(computing).await
            });
        }
        begins
    }

    #[test]
    fn one_agent_s_judgements_do_not_stand_in_line_before_another_s() {
        let doors = Doors::start().unwrap();
        let (handles, until) = (doors.handles(), Arc::new(Semaphore::new(0)));
        let busy = handles.turns();
        let begun = begin(&busy, &handles.quick, 200, &until);
        for _ in 0..JUDGED_AT_ONCE {
            begun.recv().unwrap();
        }
        let other = handles.turns();
        let served = async { tokio::time::timeout(Duration::from_secs(30), other.below(|| 7)).await };
        let served = handles.quick.block_on(served);
        let more = begun.try_recv();
        // What waits ends, whatever came of it.
        until.close();
        assert_eq!(served.ok().flatten(), Some(7), "it waits behind another's");
        assert!(more.is_err(), "no more of one agent than its turns");
        for _ in JUDGED_AT_ONCE..200 {
            begun.recv().unwrap();
        }
    }
}

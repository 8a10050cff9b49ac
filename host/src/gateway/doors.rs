//! The threads on which requests are served, apart from the guests' own.
//!
//! A large answer is judged, hashed, and written as a message: milliseconds of computing for each, where a small request
//! takes a tenth of one. On the same two threads, one agent's large answers would be every other agent's wait (19 times the
//! quiet p99). The rule: an agent whose answers were large lately is served by threads of a lower priority
//! (`gateway/lane.rs`), and what is large is judged there whoever it is of, so that the system itself lets everybody else's
//! requests through at once.

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::task::AbortOnDropHandle;

use super::lane::{Lane, Leaves, Leg};

/// Threads for requests and answers.
const THREADS: usize = 2;
/// As many for large ones.
const BULK_THREADS: usize = 2;
/// How much lower those are (the `nice` value): as the guests' heavy threads.
const BULK_NICE: i32 = 5;
/// An answer of about so many bytes is large.
pub(super) const LARGE: usize = 64 << 10;
/// For how long after one the agent's connections are served below the others'.
pub(super) const LATELY: Duration = Duration::from_secs(10);

/// Both kinds.
pub(crate) struct Doors {
    quick: Runtime,
    bulk: Runtime,
}

/// Where to find them.
#[derive(Clone)]
pub(crate) struct DoorHandles {
    /// Requests, and everything else that is no command of the operator's.
    pub(crate) quick: Handle,
    bulk: Handle,
}

impl Doors {
    /// Starts the threads.
    pub(crate) fn start() -> Result<Self> {
        let of = |name, threads| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads).thread_name(name).enable_all();
            builder
        };
        let quick = of("soulbound-door", THREADS).max_blocking_threads(64).build();
        let bulk = of("soulbound-bulk", BULK_THREADS)
            .max_blocking_threads(8)
            .on_thread_start(|| {
                soulbound_runtime::sandbox::lower_priority(BULK_NICE);
                soulbound_runtime::sandbox::leave_a_core();
            })
            .build();
        let started = "the gateway's threads do not start";
        Ok(Self { quick: quick.context(started)?, bulk: bulk.context(started)? })
    }

    /// Where to find them, while this lasts.
    pub(crate) fn handles(&self) -> DoorHandles {
        DoorHandles { quick: self.quick.handle().clone(), bulk: self.bulk.handle().clone() }
    }

    /// Ends with whatever they do still held by a disk or a guest.
    pub(crate) fn leave(self) {
        self.quick.shutdown_background();
        self.bulk.shutdown_background();
    }
}

impl DoorHandles {
    /// One runtime for both, where there is nobody else to make room for.
    pub(crate) fn one(handle: Handle) -> Self {
        Self { bulk: handle.clone(), quick: handle }
    }

    /// Computes below everybody else: what takes milliseconds, whoever asked for it. Nothing, where it panicked or the
    /// process is leaving.
    pub(crate) async fn below<T: Send + 'static>(
        &self,
        computing: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        self.bulk.spawn_blocking(computing).await.ok()
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

//! Idle connections of one skill, each for one origin at one judged address.
//!
//! A connection is given back only when a response was read to its end, and taken out only for the same
//! scheme, host, port and address: nothing is coalesced, whatever a certificate covers. Every skill has a
//! pool of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use super::connection::Connection;
use crate::grant::host::Target;

/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);
/// How many are kept.
const MOST_IDLE: usize = 8;
/// How long a connection that was just given back may take to say that it is ready.
const SETTLING: Duration = Duration::from_millis(20);

/// The idle connections.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    origin: Origin,
    connection: Connection,
    since: Instant,
    _expiry: AbortOnDropJoinHandle<()>,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) target: Target,
    pub(super) address: SocketAddr,
}

/// A connection in use, which knows where it belongs.
pub(super) struct Lease {
    pub(super) connection: Connection,
    pub(super) origin: Origin,
    pub(super) pool: Arc<Pool>,
}

impl Lease {
    /// Puts the connection back. Only for one whose response was read to its end.
    pub(super) fn give_back(self) {
        let Self { connection, origin, pool } = self;
        if connection.is_closed() {
            return;
        }
        let weak = Arc::downgrade(&pool);
        let expiry = spawn(async move {
            sleep(IDLE).await;
            if let Some(pool) = weak.upgrade() {
                pool.drop_expired();
            }
        });
        let mut idle = pool.lock();
        if idle.len() >= MOST_IDLE {
            idle.remove(0);
        }
        idle.push(Idle { origin, connection, since: Instant::now(), _expiry: expiry });
    }
}

impl Pool {
    /// Takes a connection to the target at one of the addresses that this request's own lookup was judged to
    /// lead to.
    pub(super) async fn take(self: &Arc<Self>, target: &Target, addresses: &[SocketAddr]) -> Option<Lease> {
        while let Some(Idle { origin, mut connection, .. }) = self.pop(target, addresses) {
            if matches!(timeout(SETTLING, connection.is_usable()).await, Ok(true)) {
                return Some(Lease { connection, origin, pool: Arc::clone(self) });
            }
        }
        None
    }

    fn pop(&self, target: &Target, addresses: &[SocketAddr]) -> Option<Idle> {
        let mut idle = self.lock();
        idle.retain(Idle::is_fresh);
        let at = idle
            .iter()
            .rposition(|idle| idle.origin.target == *target && addresses.contains(&idle.origin.address))?;
        Some(idle.remove(at))
    }

    fn drop_expired(&self) {
        self.lock().retain(Idle::is_fresh);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < IDLE && !self.connection.is_closed()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("idle", &self.lock().len()).finish()
    }
}

//! Who may stay connected to the HTTP door.
//!
//! Each connection costs a descriptor, so there are so many and no more; whoever holds them all shuts the door for everybody
//! else. So a connection is nobody's until it shows a token, and when there is no place for a new one, the oldest of nobody's
//! ends. What has shown one stays. The rule for those: an agent may take another place while it has fewer than are left for
//! agents (the first one takes at most half, the next one a quarter), and some are never theirs: there whoever comes next,
//! the operator with a stop too, shows its token.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::gateway::http::told;
use crate::gateway::lane::Lane;
use crate::gateway::token::TokenOf;

/// Connections at once. Each costs a descriptor, of which calls and the trails need theirs.
const CONNECTIONS: usize = 512;
/// So many of them may have shown an agent's token.
const OF_AGENTS: usize = 448;
/// A new connection has this long to show a token before a newer one can end it. With all places nobody's that makes 5,120 new
/// ones a second, with the fewest 640.
const PATIENCE: Duration = Duration::from_millis(100);

/// One that was ended is gone at once; when it is not gone by then, another ends.
const LEAVES_WITHIN: Duration = Duration::from_secs(1);

/// All connections of the door.
pub(crate) struct Room {
    places: Arc<Semaphore>,
    of_agents: usize,
    patience: Duration,
    /// How many there were so far: no number is used twice.
    came: AtomicU64,
    /// By their numbers, so in the order in which they came.
    open: Mutex<BTreeMap<u64, Open>>,
}

struct Open {
    since: Instant,
    whose: Whose,
    /// Ends it.
    out: CancellationToken,
}

#[derive(Debug, PartialEq, Eq)]
enum Whose {
    /// It has shown no token that is right.
    Nobodys,
    Operators,
    Agents(String),
}

/// A connection's place, until this is dropped.
pub(crate) struct Stay {
    room: Arc<Room>,
    number: u64,
    /// Cancelled when another connection needs the place, and when the door closes.
    pub(crate) out: CancellationToken,
    _place: OwnedSemaphorePermit,
}

/// A connection, as the requests that come by it know it.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// Where it is served.
    pub(crate) lane: Lane,
    room: Arc<Room>,
    number: u64,
}

/// Why a connection cannot stay, its token notwithstanding.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Its agent has so many already.
    Agent(usize),
    /// It was ended for a newer one before it showed its token.
    Ended,
}

impl Room {
    /// The room of the HTTP door.
    pub(crate) fn new() -> Arc<Self> {
        Self::with(CONNECTIONS, OF_AGENTS, PATIENCE)
    }

    fn with(places: usize, of_agents: usize, patience: Duration) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places));
        Arc::new(Self { places, of_agents, patience, came: AtomicU64::new(0), open: Mutex::default() })
    }

    /// A place for a new connection, as soon as there is one. Cancelling `end` ends it too.
    pub(crate) async fn enter(self: &Arc<Self>, end: &CancellationToken) -> Stay {
        loop {
            let patience = if self.places.available_permits() > 0 { self.patience } else { self.make_room() };
            let place = tokio::time::timeout(patience, Arc::clone(&self.places).acquire_owned()).await;
            // The semaphore is never closed.
            if let Ok(Ok(place)) = place {
                return self.stay(place, end.child_token());
            }
        }
    }

    fn stay(self: &Arc<Self>, place: OwnedSemaphorePermit, out: CancellationToken) -> Stay {
        let number = self.came.fetch_add(1, Ordering::Relaxed);
        let open = Open { since: Instant::now(), whose: Whose::Nobodys, out: out.clone() };
        self.open().insert(number, open);
        Stay { room: Arc::clone(self), number, out, _place: place }
    }

    /// Ends the oldest connection of nobody's, if it had its time. How long until the next look.
    fn make_room(&self) -> Duration {
        let mut open = self.open();
        let oldest = open.values_mut().find(|it| it.whose == Whose::Nobodys && !it.out.is_cancelled());
        let Some(oldest) = oldest else { return self.patience };
        match self.patience.checked_sub(oldest.since.elapsed()) {
            Some(left) if !left.is_zero() => left,
            _ => {
                oldest.out.cancel();
                LEAVES_WITHIN
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stay {
    /// What its requests know of it.
    pub(crate) fn visitor(&self, lane: Lane) -> Visitor {
        Visitor { lane, room: Arc::clone(&self.room), number: self.number }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.room.open().remove(&self.number);
    }
}

impl Visitor {
    /// A request of it has shown a right token: from now on it is its owner's.
    ///
    /// # Errors
    ///
    /// It cannot stay; nothing of the request may be done.
    pub(crate) fn shows(&self, of: TokenOf<'_>) -> Result<(), NoRoom> {
        let mut open = self.room.open();
        let own = open.get(&self.number).ok_or(NoRoom::Ended)?;
        let whose = match (&own.whose, of) {
            (Whose::Agents(known), TokenOf::Agent(id)) if known == id => return Ok(()),
            (Whose::Operators, TokenOf::Operator) => return Ok(()),
            (Whose::Nobodys, _) if own.out.is_cancelled() => return Err(NoRoom::Ended),
            (_, TokenOf::Operator) => Whose::Operators,
            (_, TokenOf::Agent(id)) => {
                let (mut taken, mut has) = (0, 0);
                for (number, other) in &*open {
                    if let Whose::Agents(other) = &other.whose
                        && *number != self.number
                    {
                        taken += 1;
                        has += usize::from(other == id);
                    }
                }
                if has >= self.room.of_agents.saturating_sub(taken) {
                    return Err(NoRoom::Agent(has));
                }
                Whose::Agents(id.to_owned())
            }
        };
        if let Some(own) = open.get_mut(&self.number) {
            own.whose = whose;
        }
        Ok(())
    }
}

impl IntoResponse for NoRoom {
    fn into_response(self) -> Response {
        let mut answer = match self {
            Self::Agent(has) => told::refusal(
                StatusCode::TOO_MANY_REQUESTS,
                &format!("this agent has {has} connections, as many as others leave it"),
                "close those that are not used; one connection serves a client for all of its calls",
            ),
            Self::Ended => told::refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "the connection is over: it showed no token for long, and others needed its place",
                "connect again, and send the token at once",
            ),
        };
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

#[cfg(test)]
mod tests;

//! The requests that are under way, each on the connection that it went out on. Whoever takes an id out answers it, so that
//! each is answered once, whichever thread comes first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What is under way.
#[derive(Default)]
pub(super) struct Pending(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// Ids as JSON text, with the number of their connection.
    requests: HashMap<String, u64>,
    /// Connections up to this one are over.
    over: u64,
}

impl Pending {
    fn with<Answer>(&self, act: impl FnOnce(&mut Inner) -> Answer) -> Answer {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a request. False when its connection is over by now: nobody else would answer it.
    pub(super) fn begin(&self, id: &str, connection: u64) -> bool {
        self.with(|inner| {
            let alive = connection > inner.over;
            if alive {
                inner.requests.insert(id.to_owned(), connection);
            }
            alive
        })
    }

    /// Takes a request out. False when it was not there.
    pub(super) fn answered(&self, id: &str) -> bool {
        self.with(|inner| inner.requests.remove(id).is_some())
    }

    /// Ends a connection and takes out what was under way on it.
    pub(super) fn end(&self, connection: u64) -> Vec<String> {
        self.with(|inner| {
            inner.over = inner.over.max(connection);
            let over = inner.over;
            inner.requests.extract_if(|_, on| *on <= over).map(|(id, _)| id).collect()
        })
    }

    /// Whether the connection is over.
    pub(super) fn is_over(&self, connection: u64) -> bool {
        self.with(|inner| connection <= inner.over)
    }
}

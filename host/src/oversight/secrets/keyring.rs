//! The system's keyring, as far as it is needed here: one item that holds the key that seals secrets.
//!
//! Values do not go there. A keyring answers slowly, may ask a person in the middle, and has no act that changes several
//! items at once; the sealed files do, and whoever has them without the keyring has nothing. The rule: an answer takes
//! seconds at most, and "there is none" and "it refuses" are two things: only the first may lead to a file.

mod service;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use service::Service;

/// The longest answer. One that runs gives it within milliseconds; one that the bus has to start takes a second or two.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whether a question is out.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Why a keyring did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// There is none for this user, here and now.
    Absent(String),
    /// There is one, and it does not: locked, silent, failing.
    Refused(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Absent(why) | Self::Refused(why)) = self;
        formatter.write_str(why)
    }
}

/// The content of an item.
pub(crate) type Content = Zeroizing<Vec<u8>>;

/// A keyring.
pub(crate) trait Keyring: Send + Sync {
    /// The content of an item; `None` where the keyring answers and has none of this name.
    fn read(&self, item: &str) -> Result<Option<Content>, Trouble>;
    /// Makes an item.
    fn store(&self, item: &str, content: &Content) -> Result<(), Trouble>;
    /// Takes an item away; one that is not there is gone already.
    fn remove(&self, item: &str) -> Result<(), Trouble>;
}

/// The Secret Service of the session that this process belongs to.
pub(crate) fn system() -> Arc<dyn Keyring> {
    Arc::new(System)
}

struct System;

impl Keyring for System {
    fn read(&self, item: &str) -> Result<Option<Content>, Trouble> {
        let item = item.to_owned();
        within(PATIENCE, &ASKING, move || Service::open(PATIENCE)?.read(&item))
    }

    fn store(&self, item: &str, content: &Content) -> Result<(), Trouble> {
        let (item, content) = (item.to_owned(), content.clone());
        within(PATIENCE, &ASKING, move || Service::open(PATIENCE)?.store(&item, &content))
    }

    fn remove(&self, item: &str) -> Result<(), Trouble> {
        let item = item.to_owned();
        within(PATIENCE, &ASKING, move || Service::open(PATIENCE)?.remove(&item))
    }
}

/// Asks on a thread of its own: a socket that accepts and says nothing holds up that thread and not who asks. There is one
/// such thread at most.
fn within<T: Send + 'static>(
    patience: Duration,
    asking: &'static AtomicBool,
    ask: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    if asking.swap(true, Ordering::AcqRel) {
        return Err(Trouble::Refused("it still has not answered what it was asked before".to_owned()));
    }
    let held = Asking(asking);
    let (answer, answered) = mpsc::channel();
    let asked = thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        let said = ask();
        drop(held);
        // Nobody may wait for it any more.
        drop(answer.send(said));
    });
    asked.map_err(|error| Trouble::Refused(format!("no thread can ask it: {error}")))?;
    // A little more than the thread has: its own words are the better ones.
    answered.recv_timeout(patience + Duration::from_millis(500)).unwrap_or_else(|error| {
        Err(Trouble::Refused(match error {
            RecvTimeoutError::Timeout => "the session's message bus does not answer".to_owned(),
            RecvTimeoutError::Disconnected => "asking it failed".to_owned(),
        }))
    })
}

/// That a question is out, until it is answered or its thread has died.
struct Asking(&'static AtomicBool);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_is_not_held_up_by_one_that_hangs_and_no_second_thread_joins_it() {
        static ASKED: AtomicBool = AtomicBool::new(false);
        let patience = Duration::from_millis(10);
        let (hold, held) = mpsc::channel::<()>();
        let answer = within(patience, &ASKED, move || {
            // Until the test lets go of the other end.
            while held.recv().is_ok() {}
            Ok(())
        });
        assert!(matches!(answer, Err(Trouble::Refused(why)) if why.contains("does not answer")));
        let second = within(patience, &ASKED, || Ok(()));
        assert!(matches!(second, Err(Trouble::Refused(why)) if why.contains("asked before")));
        drop(hold);
    }
}

//! A run that is interrupted: the scratch copies are taken away first, then the program ends.
//!
//! The rule: from the first run on, SIGINT and SIGTERM end the program from here, also while nothing runs; a signal is never
//! swallowed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Where scratch copies are, or were.
static PLACES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
/// One thread listens, however many runs there are.
static LISTENS: Once = Once::new();

/// Attacks still write while their folder is taken away: so often it is tried again.
const ATTEMPTS: u32 = 20;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes a folder that is removed also when a signal ends the program.
pub(super) fn cleared(make: impl FnOnce() -> io::Result<TempDir>) -> io::Result<TempDir> {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let place = make()?;
    places.push(place.path().to_owned());
    Ok(place)
}

/// Listens from now on.
pub(super) fn listen() -> Result<()> {
    let mut started = Ok(());
    LISTENS.call_once(|| started = start());
    started
}

/// Returns at once, or never: where the copies are being taken away, the program ends there, and what a run made of copies that
/// vanished under it is nobody's to read.
pub(super) fn give_way() {
    drop(PLACES.lock().unwrap_or_else(PoisonError::into_inner));
}

fn start() -> Result<()> {
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let threads = threads.context("no thread for signals")?;
    let inside = threads.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be listened to")?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be listened to")?;
    drop(inside);
    let waits = move || {
        let name = threads.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            }
        });
        // Held to the end: none is made meanwhile.
        let places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
        places.iter().for_each(|place| clear(place));
        crate::cli::note(&format!("ended by {name}"));
        std::process::exit(2);
    };
    let thread = std::thread::Builder::new().name("soulbound-signals".to_owned());
    thread.spawn(waits).context("no thread for signals")?;
    Ok(())
}

/// Removes one, if it is still there.
fn clear(place: &Path) {
    for _ in 0..ATTEMPTS {
        match fs::remove_dir_all(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(PAUSE),
            _ => return,
        }
    }
}

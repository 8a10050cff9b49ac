//! The epoch: one thread that counts a tick every millisecond while any guest runs, and sleeps while none has for a while.
//!
//! Compiled code checks the epoch at loops and calls, and yields when it has moved. That is what makes a spinning
//! guest end, and share.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::Engine;

/// Time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a guest before the thread sleeps: waking it for each of many short calls costs a context switch each.
const LINGER: u32 = 50;

/// Ticks while a [`Running`] lives.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    closed: AtomicBool,
    asleep: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

/// One running guest.
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system refuses a thread.
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (engine, of_thread) = (engine.weak(), Arc::clone(&shared));
        thread::Builder::new().name("soulbound-epoch".into()).spawn(move || {
            let mut idle = 0;
            while !of_thread.closed.load(Ordering::Acquire) {
                idle = if of_thread.running.load(Ordering::Acquire) > 0 { 0 } else { idle + 1 };
                if idle > LINGER {
                    of_thread.sleep_while_idle();
                    idle = 0;
                }
                thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(Self { shared })
    }

    /// Keeps the epoch moving until the guard is dropped.
    pub(crate) fn running(&self) -> Running {
        if self.shared.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.shared.wake_up();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Shared {
    fn sleep_while_idle(&self) {
        let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Said before it is looked whether a guest runs, and a guest counts itself before it looks whether this was
        // said: one of the two sees the other.
        self.asleep.store(true, Ordering::SeqCst);
        while self.running.load(Ordering::SeqCst) == 0 && !self.closed.load(Ordering::Acquire) {
            held = self.wake.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }

    fn wake_up(&self) {
        if self.asleep.load(Ordering::SeqCst) {
            let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.wake.notify_one();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.wake_up();
    }
}

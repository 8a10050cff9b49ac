//! One running worker, as the process that started it speaks to it.
//!
//! The rule: the worker may be anybody's by now. What it sends is bounded, what it does not read costs a call and not a
//! thread, and at the first word that makes no sense it is killed.

use std::collections::{HashMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;

use crate::sandbox::worker::broker::Process;
use crate::sandbox::worker::frame;
use crate::sandbox::worker::message::{ToWorker, Told, What};

/// Words of one call that wait to be heard.
const HEARD: usize = 16;
/// What the head of anything that a worker says may have, in bytes: the header fields of a request, or what a call printed,
/// each byte of them four or six times as long in JSON.
const HEAD_BYTES: u64 = 2 << 20;
/// What any body may have, in bytes, beside what a call's limits let it return or write at once.
const BODY_BYTES: u64 = 1 << 20;

/// What a call hears of its worker.
pub(super) type Words = mpsc::Receiver<(What, Vec<u8>)>;

/// How long a worker is borne with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Without a call for so long it is ended; the next call starts another.
    pub(super) idle: Duration,
    /// How long it may take to read what it is told, and a call that was cancelled to end while others run beside it. A guest
    /// that computes yields each millisecond; a file operation may hang.
    pub(super) ending: Duration,
}

impl Patience {
    /// With every worker.
    pub(super) const USUAL: Self = Self { idle: Duration::from_secs(60), ending: Duration::from_secs(5) };
}

/// The socket to a worker, and its calls.
pub(super) struct Connection {
    writing: tokio::sync::Mutex<OwnedWriteHalf>,
    process: Process,
    calls: Mutex<Calls>,
    next: AtomicU64,
    /// The largest body that is due.
    largest: AtomicU64,
    patience: Patience,
    io: tokio::runtime::Handle,
}

struct Calls {
    /// No other call begins.
    over: bool,
    running: HashMap<u64, mpsc::Sender<(What, Vec<u8>)>>,
    /// Cancelled, and not known to have ended.
    leaving: HashSet<u64>,
    idle_since: Instant,
}

impl Connection {
    /// Begins to listen to a worker that is ready.
    pub(super) fn open(
        process: Process,
        reading: BufReader<OwnedReadHalf>,
        writing: OwnedWriteHalf,
        io: &tokio::runtime::Handle,
        patience: Patience,
    ) -> Arc<Self> {
        let calls = Calls {
            over: false,
            running: HashMap::new(),
            leaving: HashSet::new(),
            idle_since: Instant::now(),
        };
        let connection = Arc::new(Self {
            writing: tokio::sync::Mutex::new(writing),
            process,
            calls: Mutex::new(calls),
            next: AtomicU64::new(0),
            largest: AtomicU64::new(BODY_BYTES),
            patience,
            io: io.clone(),
        });
        io.spawn(Arc::clone(&connection).listen(reading));
        connection
    }

    /// A place for another call, of whose bodies none is larger; `None` when the worker is at its end.
    pub(super) fn register(&self, largest: u64) -> Option<(u64, Words)> {
        self.largest.fetch_max(largest.saturating_add(BODY_BYTES), Ordering::Relaxed);
        let mut calls = self.calls();
        if calls.over {
            return None;
        }
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, words) = mpsc::channel(HEARD);
        calls.running.insert(call, sender);
        Some((call, words))
    }

    /// Tells the worker something. Dropped halfway through, nobody could read on: then it is ended.
    pub(super) async fn send(&self, message: &impl Serialize, body: &[u8]) {
        let Ok(frame) = frame::frame(message, body) else { return self.end() };
        let mut writing = self.writing.lock().await;
        let torn = Torn(Some(self));
        // One that does not read what it is told would hold up whoever speaks to it.
        if matches!(tokio::time::timeout(self.patience.ending, writing.write_all(&frame)).await, Ok(Ok(()))) {
            torn.whole();
        }
    }

    /// A call ended by itself.
    pub(super) fn finished(&self, call: u64) {
        let mut calls = self.calls();
        calls.running.remove(&call);
        calls.idle_since = Instant::now();
        let is_last = calls.over && calls.running.is_empty();
        drop(calls);
        if is_last {
            self.end();
        }
    }

    /// Nobody waits for a call any more. The worker ends at once if it was the only one; else the call is given a moment.
    pub(super) fn leave(self: &Arc<Self>, call: u64) {
        let mut calls = self.calls();
        if calls.running.remove(&call).is_none() {
            return;
        }
        if calls.running.is_empty() {
            drop(calls);
            return self.end();
        }
        calls.leaving.insert(call);
        drop(calls);
        let connection = Arc::clone(self);
        self.io.spawn(async move {
            // Its time runs while others wait to be told something, too.
            let (ended, cancel) = (tokio::time::sleep(connection.patience.ending), ToWorker::Cancel { call });
            tokio::pin!(ended);
            tokio::select! {
                () = &mut ended => {}
                () = connection.send(&cancel, &[]) => ended.await,
            }
            if connection.calls().leaving.contains(&call) {
                connection.end();
            }
        });
    }

    /// Nothing more begins in it: it ends now, or with the last of its calls.
    pub(super) fn retire(&self) {
        let mut calls = self.calls();
        calls.over = true;
        let is_empty = calls.running.is_empty();
        drop(calls);
        if is_empty {
            self.end();
        }
    }

    /// Ends the worker, whatever it does, and all calls in it.
    pub(super) fn end(&self) {
        self.process.kill();
        let mut calls = self.calls();
        calls.over = true;
        let running = std::mem::take(&mut calls.running);
        drop(calls);
        drop(running);
    }

    /// How a worker that is gone ended, in words.
    pub(super) async fn epitaph(&self) -> String {
        self.process.ended().await.map_or_else(|| "nobody knows how".to_owned(), epitaph)
    }

    async fn listen(self: Arc<Self>, mut reading: BufReader<OwnedReadHalf>) {
        let mut look = tokio::time::interval(self.patience.idle / 4);
        loop {
            // Asked for when a head is there: a call may have begun while this waited.
            let largest = || self.largest.load(Ordering::Relaxed);
            let told = frame::read_bounded::<Told>(&mut reading, HEAD_BYTES, largest);
            tokio::pin!(told);
            // However much it says meanwhile: a worker that talks of past calls is idle all the same.
            let told = loop {
                tokio::select! {
                    biased;
                    _ = look.tick() => if self.is_idle() {
                        return self.end();
                    },
                    told = &mut told => break told,
                }
            };
            let Ok((Told { call, what }, body)) = told else { return self.end() };
            if !self.heard(call, what, body).await {
                return self.end();
            }
        }
    }

    /// Passes a word on to its call. Of one that nobody waits for only the end matters.
    async fn heard(&self, call: u64, what: What, body: Vec<u8>) -> bool {
        let sender = {
            let mut calls = self.calls();
            if matches!(what, What::Ended { .. }) {
                calls.leaving.remove(&call);
            }
            calls.running.get(&call).cloned()
        };
        match sender {
            Some(sender) => {
                let _ = sender.send((what, body)).await;
                true
            }
            // Of no call that there ever was.
            None => call < self.next.load(Ordering::Relaxed),
        }
    }

    /// Whether nothing was asked for a while; then nothing more will be.
    fn is_idle(&self) -> bool {
        let mut calls = self.calls();
        let idle = calls.running.is_empty()
            && calls.leaving.is_empty()
            && calls.idle_since.elapsed() >= self.patience.idle;
        calls.over |= idle;
        idle
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A frame on its way.
struct Torn<'a>(Option<&'a Connection>);

impl Torn<'_> {
    fn whole(mut self) {
        self.0 = None;
    }
}

impl Drop for Torn<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.end();
        }
    }
}

/// What ended a worker, told from how it ended.
fn epitaph(status: ExitStatus) -> String {
    /// The kernel's signals for an abort, an ending from outside, a wrong access, a forbidden system call.
    const SIGABRT: i32 = 6;
    const SIGKILL: i32 = 9;
    const SIGSEGV: i32 = 11;
    const SIGSYS: i32 = 31;
    match status.signal() {
        Some(SIGSYS) => "it asked the kernel for what no guest needs, and was ended (SIGSYS)".to_owned(),
        Some(SIGABRT) => "it aborted, for lack of memory perhaps (SIGABRT)".to_owned(),
        Some(SIGKILL) => "it was killed, by this program or for lack of memory (SIGKILL)".to_owned(),
        Some(SIGSEGV) => "it crashed (SIGSEGV)".to_owned(),
        _ => status.to_string(),
    }
}

#[cfg(test)]
pub(super) mod tests;

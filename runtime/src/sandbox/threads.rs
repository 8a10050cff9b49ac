//! Threads of their own for guests, apart from the caller's, shared fairly between agents.
//!
//! A guest that spins would take a shared tokio runtime from everyone else on it: eight of them raise a neighbour's
//! call from 0.04 ms to 2.1 ms. So guests run here. A call starts on the *quick* threads; one that has computed for a
//! few ticks moves to the *heavy* threads, which run at a lower priority, so that the system itself lets a short
//! call through at once. Within each kind, agents take turns, however many calls each of them has.
//!
//! Waking a thread costs as much as a short call itself. So a quick thread that has just run something looks for the
//! next task for some microseconds before it sleeps: one thread at a time, once a task, so that idle means asleep.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_task::{Runnable, Task};

/// How much lower the heavy threads' priority is (the `nice` value).
const HEAVY_NICE: i32 = 10;
/// How long a quick thread looks for more before it sleeps. Long enough for a caller to be woken with one result and to
/// come back with the next call; and all that a last call costs beyond itself.
const SEARCH: Duration = Duration::from_micros(20);

/// What the threads know of a task: whose it is, and whether it has become heavy.
#[derive(Debug, Clone)]
pub(crate) struct TaskInfo {
    /// Whose turn it takes.
    pub(crate) agent: Arc<str>,
    /// Set once the task has computed for longer than a quick call does.
    pub(crate) heavy: Arc<AtomicBool>,
}

/// The guests' threads.
pub(crate) struct GuestThreads {
    quick: Arc<Line>,
    heavy: Arc<Line>,
}

/// Runnable tasks of one kind, waiting for a thread.
#[derive(Default)]
struct Line {
    turns: Mutex<Turns>,
    ready: Condvar,
    /// Tasks put in so far, for a searching thread to look at without the lock. Only a hint: what counts is `turns`.
    pushed: AtomicUsize,
}

/// Who is next: agents in turn, each with its own tasks in order.
#[derive(Default)]
struct Turns {
    agents: VecDeque<Arc<str>>,
    tasks: HashMap<Arc<str>, VecDeque<Runnable<TaskInfo>>>,
    closed: bool,
    /// A thread is about to look here by itself. Whoever puts a task in takes this back instead of waking another:
    /// one search stands for one task.
    searching: bool,
}

impl GuestThreads {
    /// Starts the threads. On each of them `io` is entered, so that timers and sockets of the guests' futures work.
    ///
    /// # Errors
    ///
    /// The system refuses a thread.
    pub(crate) fn start(io: &tokio::runtime::Handle) -> std::io::Result<Self> {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let threads = Self { quick: Arc::default(), heavy: Arc::default() };
        // With one core, whoever searches keeps the caller from coming back.
        let search = if cores > 1 { SEARCH } else { Duration::ZERO };
        // Quick threads may block for a moment in a file operation: twice the cores keeps the others going.
        for (line, count, nice, search, name) in [
            (&threads.quick, (cores * 2).max(4), 0, search, "soulbound-quick"),
            (&threads.heavy, cores, HEAVY_NICE, Duration::ZERO, "soulbound-heavy"),
        ] {
            for _ in 0..count {
                let (line, io) = (Arc::clone(line), io.clone());
                thread::Builder::new().name(name.into()).spawn(move || {
                    let _entered = io.enter();
                    lower_priority(nice);
                    line.serve(search);
                })?;
            }
        }
        Ok(threads)
    }

    /// Runs a future on the guests' threads. Dropping the task cancels it, at the next epoch at the latest.
    pub(crate) fn spawn<F>(&self, info: TaskInfo, future: F) -> Task<F::Output, TaskInfo>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (quick, heavy) = (Arc::clone(&self.quick), Arc::clone(&self.heavy));
        let schedule = move |runnable: Runnable<TaskInfo>| {
            let line = if runnable.metadata().heavy.load(Ordering::Relaxed) { &heavy } else { &quick };
            line.push(runnable);
        };
        let (runnable, task) = async_task::Builder::new().metadata(info).spawn(|_| future, schedule);
        runnable.schedule();
        task
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        for line in [&self.quick, &self.heavy] {
            let tasks = {
                let mut turns = line.lock();
                turns.closed = true;
                turns.agents.clear();
                std::mem::take(&mut turns.tasks)
            };
            line.ready.notify_all();
            // Outside the lock: dropping a task may schedule another.
            drop(tasks);
        }
    }
}

impl Line {
    fn push(&self, runnable: Runnable<TaskInfo>) {
        let mut turns = self.lock();
        if turns.closed {
            drop(turns);
            drop(runnable);
            return;
        }
        let agent = Arc::clone(&runnable.metadata().agent);
        let tasks = turns.tasks.entry(Arc::clone(&agent)).or_default();
        let waiting = !tasks.is_empty();
        tasks.push_back(runnable);
        if !waiting {
            turns.agents.push_back(agent);
        }
        self.pushed.fetch_add(1, Ordering::Relaxed);
        let searched_for = std::mem::take(&mut turns.searching);
        drop(turns);
        if !searched_for {
            self.ready.notify_one();
        }
    }

    /// One thread's life: take the next agent's next task, run it until it yields, search for `search` long, sleep.
    fn serve(&self, search: Duration) {
        let mut search_next = false;
        loop {
            let mut turns = self.lock();
            let runnable = loop {
                if let Some(runnable) = turns.next() {
                    break runnable;
                }
                if turns.closed {
                    return;
                }
                if std::mem::take(&mut search_next) && !turns.searching {
                    turns = self.search(turns, search);
                    continue;
                }
                turns = self.ready.wait(turns).unwrap_or_else(PoisonError::into_inner);
            };
            drop(turns);
            search_next = !search.is_zero();
            // A panic of a task was caught by the future itself; this is for what escapes it (a panicking drop).
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runnable.run()));
        }
    }

    /// Waits for a task without sleeping, for a while. Whatever came of it: the lock is held again when this returns,
    /// and the line is to be looked at once more before any sleep.
    fn search<'a>(&'a self, mut turns: MutexGuard<'a, Turns>, search: Duration) -> MutexGuard<'a, Turns> {
        turns.searching = true;
        let seen = self.pushed.load(Ordering::Relaxed);
        drop(turns);
        let started = Instant::now();
        while self.pushed.load(Ordering::Relaxed) == seen && started.elapsed() < search {
            std::hint::spin_loop();
        }
        let mut turns = self.lock();
        // No search of another thread's is taken back here but at the price of one needless wake-up.
        turns.searching = false;
        turns
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    fn next(&mut self) -> Option<Runnable<TaskInfo>> {
        let agent = self.agents.pop_front()?;
        let tasks = self.tasks.get_mut(&agent)?;
        let runnable = tasks.pop_front();
        if tasks.is_empty() {
            self.tasks.remove(&agent);
        } else {
            self.agents.push_back(agent);
        }
        runnable
    }
}

/// Lowers this thread's own priority. Refusals are ignored: fairness suffers, containment does not.
fn lower_priority(nice: i32) {
    if nice > 0 {
        // On Linux a thread id stands for the thread alone here.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), nice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(agent: &str) -> TaskInfo {
        TaskInfo { agent: agent.into(), heavy: Arc::default() }
    }

    /// Yields to the threads' queue `n` times, noting each turn.
    async fn turns(agent: &'static str, n: usize, order: Arc<Mutex<Vec<&'static str>>>) {
        for _ in 0..n {
            order.lock().unwrap().push(agent);
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn agents_take_turns_however_many_tasks_each_has() {
        let mut line = Turns::default();
        let (sender, _keep) = std::sync::mpsc::channel::<()>();
        let mut spawned = Vec::new();
        let held = Arc::new(Mutex::new(Vec::new()));
        for agent in ["a", "a", "a", "b"] {
            let held = Arc::clone(&held);
            let sender = sender.clone();
            let (runnable, task) = async_task::Builder::new().metadata(info(agent)).spawn(
                |_| async move { drop(sender) },
                move |runnable: Runnable<TaskInfo>| held.lock().unwrap().push(runnable),
            );
            spawned.push(task);
            let name = Arc::clone(&runnable.metadata().agent);
            let tasks = line.tasks.entry(Arc::clone(&name)).or_default();
            if tasks.is_empty() {
                line.agents.push_back(name);
            }
            tasks.push_back(runnable);
        }
        let order: Vec<String> =
            std::iter::from_fn(|| line.next()).map(|r| r.metadata().agent.to_string()).collect();
        assert_eq!(order, ["a", "b", "a", "a"]);
    }

    /// A lost wake-up shows as a task that nobody runs: pauses around the search's length meet its end.
    #[test]
    fn every_task_is_run_however_it_meets_the_search() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let threads = Arc::new(GuestThreads::start(io.handle()).unwrap());
        let (done, ran) = std::sync::mpsc::channel();
        for agent in ["a", "b", "c"] {
            let (threads, done, io) = (Arc::clone(&threads), done.clone(), io.handle().clone());
            thread::spawn(move || {
                for round in 0..2_000 {
                    let pair = [threads.spawn(info(agent), async {}), threads.spawn(info(agent), async {})];
                    for task in pair {
                        io.block_on(task);
                    }
                    let started = Instant::now();
                    while started.elapsed() < Duration::from_micros(round % 40) {
                        std::hint::spin_loop();
                    }
                }
                done.send(agent).unwrap();
            });
        }
        for _ in 0..3 {
            assert!(ran.recv_timeout(Duration::from_secs(60)).is_ok(), "a task waits for ever");
        }
    }

    /// A search that stands for two tasks would leave the second waiting while the first computes.
    #[test]
    fn a_search_stands_for_one_task() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let threads = GuestThreads::start(io.handle()).unwrap();
        for _ in 0..200 {
            // Leaves a thread searching.
            io.block_on(threads.spawn(info("a"), async {}));
            let (free, held) = std::sync::mpsc::channel::<()>();
            let long =
                threads.spawn(info("a"), async move { held.recv_timeout(Duration::from_secs(20)).is_ok() });
            let short = threads.spawn(info("b"), async move { free.send(()).is_ok() });
            assert!(io.block_on(short));
            assert!(io.block_on(long), "the second task had to wait for the first");
        }
    }

    #[test]
    fn a_dropped_task_stops() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let threads = GuestThreads::start(io.handle()).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let (dropped, gone) = std::sync::mpsc::channel::<()>();
        let task = threads.spawn(info("a"), {
            let order = Arc::clone(&order);
            async move {
                let _until_drop = dropped;
                turns("a", usize::MAX, order).await;
            }
        });
        drop(task);
        assert!(gone.recv().is_err(), "the sender lives on in a cancelled task");
    }
}

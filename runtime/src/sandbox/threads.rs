//! Threads of their own for guests, apart from the caller's, shared fairly between agents.
//!
//! A guest that spins would take a shared tokio runtime from everyone else on it: eight of them raise a neighbour's
//! call from 0.04 ms to 2.1 ms. So guests run here. A call starts on the *quick* threads; one that has computed for a
//! few ticks moves to the *heavy* threads, which run at a lower priority, so that the system itself lets a short
//! call through at once. Within each kind, agents take turns, however many calls each of them has. Short calls without end
//! are heavy too: what an agent uses of the quick threads is counted, and while others are there, one that uses more than
//! its share goes on below.
//!
//! A turn ends at the next epoch if the guest computes, but a file operation ends when the kernel lets go: never, on a
//! network file system whose server is gone. Turns alone would let one agent's hanging calls be all the threads there are.
//! The rule: an agent takes a thread only while it holds fewer than are free. Of eight, the first has at most four, a
//! second two, a third one, and the last waits for whoever comes next.

mod below;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use async_task::{Runnable, Task};

use below::Cores;
pub use below::{leave_a_core, lower_priority};

/// How much lower the heavy threads' priority is (the `nice` value): enough for a short call to run at once, not so much
/// that a heavy thread which holds the process's memory lock is kept from giving it back.
const HEAVY_NICE: i32 = 5;

/// What an agent may use of the quick threads at once, before it goes on on the heavy ones.
const QUICK_AT_ONCE: Duration = Duration::from_millis(50);
/// In the long run, so much of one thread's time: a twentieth.
const QUICK_SHARE: u32 = 20;

/// So much of each slice is not counted: whoever wakes up beside slices this short does not wait long for any of them, and an
/// agent that calls as often as it is answered is not to be below one that computes.
const QUICK_SLICE: Duration = Duration::from_micros(100);

/// Another agent whose call ended so recently is there.
const RECENT: Duration = Duration::from_secs(1);

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
}

/// Who is next: agents in turn, each with its own tasks in order.
#[derive(Default)]
struct Turns {
    agents: VecDeque<Arc<str>>,
    tasks: HashMap<Arc<str>, VecDeque<Runnable<TaskInfo>>>,
    /// Threads that run a task of this agent.
    held: HashMap<Arc<str>, usize>,
    /// Threads that run none.
    free: usize,
    /// What agents used lately, where that is counted.
    used: Option<HashMap<Arc<str>, Used>>,
    /// The agent whose task ended last, and the last other one, with when that was.
    last: [Option<(Arc<str>, Instant)>; 2],
    closed: bool,
}

/// The time that an agent's tasks held threads beyond [`QUICK_SLICE`] each, less what its share has given back since.
#[derive(Debug, Clone, Copy)]
struct Used {
    time: Duration,
    when: Instant,
}

impl Used {
    /// What is left of it now.
    fn left(self, now: Instant) -> Duration {
        self.time.saturating_sub(now.saturating_duration_since(self.when) / QUICK_SHARE)
    }
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
        threads.quick.lock().used = Some(HashMap::new());
        // One agent alone gets half of them. Quick threads may block for a moment in a file operation: twice the cores
        // keeps the others going.
        for (line, count, nice, name) in [
            (&threads.quick, 2 * (cores * 2).max(4), 0, "soulbound-quick"),
            (&threads.heavy, 2 * cores.max(2), HEAVY_NICE, "soulbound-heavy"),
        ] {
            line.lock().free = count;
            for _ in 0..count {
                let (line, io, quick) = (Arc::clone(line), io.clone(), Arc::clone(&threads.quick));
                thread::Builder::new().name(name.into()).spawn(move || {
                    let _entered = io.enter();
                    lower_priority(nice);
                    // Quick threads make room for nobody.
                    line.serve((nice > 0).then_some(&*quick));
                })?;
            }
        }
        Ok(threads)
    }

    /// Runs a future on the guests' threads; with `here`, its first slice on this one. Dropping the task cancels it, at the
    /// next epoch at the latest.
    ///
    /// A slice ends at the next epoch, or after the one step that the guest is in ([`crate::sandbox::manners`] says who may).
    pub(crate) fn spawn<F>(&self, info: TaskInfo, here: bool, future: F) -> Task<F::Output, TaskInfo>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (quick, heavy) = (Arc::clone(&self.quick), Arc::clone(&self.heavy));
        let schedule = move |runnable: Runnable<TaskInfo>| {
            let refused = if runnable.metadata().heavy.load(Ordering::Relaxed) {
                Some(runnable)
            } else {
                quick.push(runnable)
            };
            if let Some(runnable) = refused {
                heavy.push(runnable);
            }
        };
        let (runnable, task) = async_task::Builder::new().metadata(info).spawn(|_| future, schedule);
        if here {
            let agent = Arc::clone(&runnable.metadata().agent);
            let started = Instant::now();
            runnable.run();
            self.quick.lock().spent(&agent, started);
        } else {
            runnable.schedule();
        }
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
    /// Puts a task in line; gives it back if its agent has used up its share here.
    fn push(&self, runnable: Runnable<TaskInfo>) -> Option<Runnable<TaskInfo>> {
        let mut turns = self.lock();
        if turns.closed {
            drop(turns);
            drop(runnable);
            return None;
        }
        let agent = Arc::clone(&runnable.metadata().agent);
        if turns.is_used_up(&agent) {
            return Some(runnable);
        }
        let may_run = turns.may_run(&agent);
        let tasks = turns.tasks.entry(Arc::clone(&agent)).or_default();
        let waiting = !tasks.is_empty();
        tasks.push_back(runnable);
        if !waiting {
            turns.agents.push_back(agent);
        }
        drop(turns);
        // Otherwise a thread that comes back from a task looks for it.
        if may_run {
            self.ready.notify_one();
        }
        None
    }

    /// One thread's life: take the next agent's next task, run it until it yields. Tasks that are below others make room for
    /// the agents that are `above`.
    fn serve(&self, above: Option<&Line>) {
        let mut cores = Cores::of_this_thread();
        loop {
            let mut turns = self.lock();
            let runnable = loop {
                if let Some(runnable) = turns.next() {
                    break runnable;
                }
                if turns.closed {
                    return;
                }
                turns = self.ready.wait(turns).unwrap_or_else(PoisonError::into_inner);
            };
            // A slice that ended may have let in more than this one.
            let more = turns.agents.iter().any(|agent| turns.may_run(agent));
            drop(turns);
            if more {
                self.ready.notify_one();
            }
            let agent = Arc::clone(&runnable.metadata().agent);
            let started = Instant::now();
            if let Some(above) = above {
                cores.leave_one(!above.lock().is_alone(&agent, started));
            }
            // A panic of a task was caught by the future itself; this is for what escapes it (a panicking drop).
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runnable.run()));
            self.lock().done(&agent, started);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// The next task of the first agent in line that may have another thread; the thread is that agent's from then on.
    fn next(&mut self) -> Option<Runnable<TaskInfo>> {
        let first = self.agents.iter().position(|agent| self.may_run(agent))?;
        let agent = self.agents.remove(first)?;
        let tasks = self.tasks.get_mut(&agent)?;
        let runnable = tasks.pop_front()?;
        *self.held.entry(Arc::clone(&agent)).or_default() += 1;
        self.free = self.free.saturating_sub(1);
        if tasks.is_empty() {
            self.tasks.remove(&agent);
        } else {
            self.agents.push_back(agent);
        }
        Some(runnable)
    }

    fn may_run(&self, agent: &Arc<str>) -> bool {
        self.held.get(agent).copied().unwrap_or(0) < self.free
    }

    /// Whether an agent has used more than its share, where that is counted.
    fn is_used_up(&mut self, agent: &Arc<str>) -> bool {
        let now = Instant::now();
        if self.is_alone(agent, now) {
            return false;
        }
        let Some(used) = &mut self.used else { return false };
        let left = used.get(agent).map(|used| used.left(now));
        if left == Some(Duration::ZERO) {
            used.remove(agent);
        }
        left.is_some_and(|left| left > QUICK_AT_ONCE)
    }

    /// Whether no other agent was there lately.
    fn is_alone(&self, agent: &Arc<str>, now: Instant) -> bool {
        let is_here = |when: Instant| now.saturating_duration_since(when) < RECENT;
        !self.last.iter().flatten().any(|(other, when)| other != agent && is_here(*when))
    }

    /// A task of this agent was run since then, here or where it was asked for.
    fn spent(&mut self, agent: &Arc<str>, began: Instant) {
        let Some(used) = &mut self.used else { return };
        let now = Instant::now();
        let used = used.entry(Arc::clone(agent)).or_insert(Used { time: Duration::ZERO, when: now });
        let slice = now.saturating_duration_since(began).saturating_sub(QUICK_SLICE);
        *used = Used { time: used.left(now) + slice, when: now };
        let [last, other] = &mut self.last;
        if last.as_ref().is_some_and(|(last, _)| last != agent) {
            *other = last.take();
        }
        *last = Some((Arc::clone(agent), now));
    }

    /// A thread came back from a task of this agent, that it began then.
    fn done(&mut self, agent: &Arc<str>, began: Instant) {
        self.spent(agent, began);
        self.free += 1;
        if let Some(held) = self.held.get_mut(agent) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.held.remove(agent);
            }
        }
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
        let mut line = Turns { free: 64, ..Turns::default() };
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

    /// Blocks its thread until it is told: a file operation on a disk that does not answer.
    fn hang(until: &(Mutex<bool>, Condvar)) {
        let (over, changed) = until;
        drop(changed.wait_while(over.lock().unwrap(), |over| !*over).unwrap());
    }

    #[test]
    fn calls_that_hang_in_the_kernel_leave_a_thread_to_other_agents() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let threads = GuestThreads::start(io.handle()).unwrap();
        let until = Arc::<(Mutex<bool>, Condvar)>::default();
        let longest = Duration::from_secs(30);
        for (heavy, hanging) in [(false, &["a", "b", "c"][..]), (true, &["a", "b"])] {
            let info =
                |agent: &str| TaskInfo { agent: agent.into(), heavy: Arc::new(AtomicBool::new(heavy)) };
            for agent in hanging {
                for _ in 0..32 {
                    let until = Arc::clone(&until);
                    threads.spawn(info(agent), false, async move { hang(&until) }).detach();
                }
            }
            for _ in 0..100 {
                let (answer, answered) = std::sync::mpsc::channel();
                threads.spawn(info("d"), false, async move { answer.send(()).unwrap() }).detach();
                assert!(answered.recv_timeout(longest).is_ok(), "no thread was left, heavy: {heavy}");
            }
        }
        *until.0.lock().unwrap() = true;
        until.1.notify_all();
        // Whoever waited behind its own agent's share comes to its turn.
        let (answer, answered) = std::sync::mpsc::channel();
        for _ in 0..64 {
            let answer = answer.clone();
            threads.spawn(info("a"), false, async move { answer.send(()).unwrap() }).detach();
        }
        assert!((0..64).all(|_| answered.recv_timeout(longest).is_ok()));
    }

    #[test]
    fn short_calls_without_end_go_on_below_while_others_are_there() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let threads = GuestThreads::start(io.handle()).unwrap();
        let (answer, answered) = std::sync::mpsc::channel();
        let kind = |agent: &str, time: Duration| {
            let answer = answer.clone();
            let call = async move {
                let started = Instant::now();
                while started.elapsed() < time {}
                answer.send(thread::current().name().map(str::to_owned)).unwrap();
            };
            threads.spawn(info(agent), false, call).detach();
            answered.recv().unwrap().unwrap()
        };
        // Four times what may be used at once, so that the share that comes back meanwhile is not enough; and each time another
        // agent was there just before.
        let kinds: Vec<String> = (0..20)
            .map(|_| {
                kind("b", Duration::ZERO);
                kind("a", QUICK_AT_ONCE / 5)
            })
            .collect();
        assert_eq!(kinds.first().unwrap(), "soulbound-quick", "{kinds:?}");
        assert_eq!(kinds.last().unwrap(), "soulbound-heavy", "{kinds:?}");
        // Who comes new is not below, and alone it uses what there is.
        assert_eq!(kind("c", 2 * RECENT), "soulbound-quick");
        assert_eq!(kind("c", Duration::ZERO), "soulbound-quick");
    }

    #[test]
    fn whoever_calls_as_often_as_it_is_answered_is_not_below() {
        let mut line = Turns { used: Some(HashMap::new()), ..Turns::default() };
        let (often, long) = (Arc::<str>::from("often"), Arc::<str>::from("long"));
        // As much time in all, once in short slices and once in long ones.
        let (slice, slices) = (QUICK_SLICE / 2, 2_000);
        for _ in 0..slices {
            line.spent(&often, Instant::now().checked_sub(slice).unwrap());
        }
        line.spent(&long, Instant::now().checked_sub(slice * slices).unwrap());
        assert!(line.is_used_up(&long));
        line.spent(&long, Instant::now());
        assert!(!line.is_used_up(&often), "{:?}", line.used);
    }

    #[test]
    fn long_calls_leave_a_core_to_another_agent_while_it_is_there() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cores = || rustix::thread::sched_getaffinity(None).unwrap().count();
        let all = cores();
        let left = if all > 1 { all - 1 } else { 1 };
        for here in [false, true] {
            let threads = GuestThreads::start(io.handle()).unwrap();
            let cores_of_a = || {
                let long = TaskInfo { agent: "a".into(), heavy: Arc::new(AtomicBool::new(true)) };
                io.block_on(threads.spawn(long, false, async move { cores() }))
            };
            assert_eq!(cores_of_a(), all);
            // However slow the machine is, once in so many times the other was there just before.
            assert!((0..100).any(|_| {
                io.block_on(threads.spawn(info("b"), here, async {}));
                cores_of_a() == left
            }));
        }
    }

    #[test]
    fn a_share_comes_back_with_time() {
        let when = Instant::now();
        let used = Used { time: Duration::from_secs(1), when };
        assert_eq!(used.left(when), Duration::from_secs(1));
        assert_eq!(used.left(when + Duration::from_secs(10)), Duration::from_millis(500));
        assert_eq!(used.left(when + Duration::from_secs(21)), Duration::ZERO);
    }

    #[test]
    fn a_dropped_task_stops() {
        let io = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let threads = GuestThreads::start(io.handle()).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let (dropped, gone) = std::sync::mpsc::channel::<()>();
        let task = threads.spawn(info("a"), false, {
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

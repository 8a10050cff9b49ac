//! What may be done a little later: signing tips, rendering HEARTBEAT.md. One thread for all agents, asleep between.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Instant;

/// Something to be done later. Whoever schedules it keeps track of whether it already is.
pub(super) trait Errand: Send + Sync {
    /// Does it, on the background thread.
    fn run(&self);
}

/// The thread's handle. The thread ends with the last of them.
#[derive(Clone)]
pub(crate) struct Background {
    handle: Arc<Handle>,
}

struct Handle {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    due: Mutex<Due>,
    changed: Condvar,
}

#[derive(Default)]
struct Due {
    /// When, and which errand: earliest first.
    times: BinaryHeap<Reverse<(Instant, u64)>>,
    errands: std::collections::HashMap<u64, Weak<dyn Errand>>,
    next: u64,
    ended: bool,
}

impl Background {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let of_thread = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || of_thread.serve())?;
        Ok(Self { handle: Arc::new(Handle { queue, thread: Some(thread) }) })
    }

    /// Has an errand run at that time, or never if it is gone by then.
    pub(super) fn at(&self, when: Instant, errand: Weak<dyn Errand>) {
        let mut due = self.handle.queue.lock();
        let number = due.next;
        due.next += 1;
        due.errands.insert(number, errand);
        due.times.push(Reverse((when, number)));
        let first = due.times.peek().is_some_and(|Reverse((_, first))| *first == number);
        drop(due);
        if first {
            self.handle.queue.changed.notify_one();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.lock().ended = true;
        self.queue.changed.notify_one();
        // An errand can hold the last handle: a thread cannot wait for itself.
        if let Some(thread) =
            self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id())
        {
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        let mut due = self.lock();
        while !due.ended {
            let now = Instant::now();
            match due.times.peek().map(|Reverse((when, _))| *when) {
                None => due = self.changed.wait(due).unwrap_or_else(PoisonError::into_inner),
                Some(when) if when > now => {
                    let waited = self.changed.wait_timeout(due, when - now);
                    due = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => {
                    let number = due.times.pop().map(|Reverse((_, number))| number);
                    let errand = number.and_then(|number| due.errands.remove(&number));
                    drop(due);
                    if let Some(errand) = errand.and_then(|errand| errand.upgrade()) {
                        errand.run();
                    }
                    due = self.lock();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    struct Says(mpsc::Sender<u8>, u8);

    impl Errand for Says {
        fn run(&self) {
            self.0.send(self.1).unwrap();
        }
    }

    #[test]
    fn errands_run_in_the_order_of_their_times_and_not_when_their_owner_is_gone() {
        let background = Background::start().unwrap();
        let (sender, said) = mpsc::channel();
        let errands: Vec<Arc<dyn Errand>> =
            (0..3).map(|number| Arc::new(Says(sender.clone(), number)) as Arc<dyn Errand>).collect();
        let gone: Arc<dyn Errand> = Arc::new(Says(sender, 9));
        let now = Instant::now();
        background.at(now + Duration::from_millis(40), Arc::downgrade(&errands[2]));
        background.at(now, Arc::downgrade(&gone));
        drop(gone);
        background.at(now + Duration::from_millis(20), Arc::downgrade(&errands[1]));
        background.at(now, Arc::downgrade(&errands[0]));
        let order: Vec<u8> = said.iter().take(3).collect();
        assert_eq!(order, [0, 1, 2]);
    }
}

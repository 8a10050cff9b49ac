//! One target's task: takes what waits, sends it, tries again a bounded number of times, and writes down what came of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::pending::{Next, Pending};
use super::{Alert, Desk, Message, Target, Way};
use crate::audit::Event;
use crate::oversight::delivery::Delivery;

/// Attempts for one message.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// After this a message is given up, however few attempts it had: others wait behind it.
const ENOUGH: Duration = Duration::from_secs(60);

/// How long the next message waits for the record of this one.
const RECORDED_WITHIN: Duration = Duration::from_secs(2);

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// In one line, without any credential.
    pub(crate) why: String,
    /// Whether the same may succeed in a while.
    may_pass: bool,
}

/// A target with its queue.
pub(super) struct Sender {
    target: Target,
    desk: Arc<dyn Desk>,
    state: Mutex<State>,
    /// Something came, or it is to end.
    wake: Notify,
    /// It has ended.
    ended: Notify,
    /// One outcome is written down at a time: a disk that hangs holds up records, not alerts.
    recording: Arc<Semaphore>,
}

#[derive(Default)]
struct State {
    pending: Pending,
    sending: bool,
    closed: bool,
    ended: bool,
}

impl Sender {
    /// Starts the task.
    pub(super) fn start(target: Target, delivery: Arc<Delivery>, desk: Arc<dyn Desk>) -> Arc<Self> {
        let sender = Arc::new(Self {
            target,
            desk,
            state: Mutex::default(),
            wake: Notify::new(),
            ended: Notify::new(),
            recording: Arc::new(Semaphore::new(1)),
        });
        let (task, handle) = (Arc::clone(&sender), delivery.handle().clone());
        handle.spawn(async move { task.run(&delivery).await });
        sender
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Takes an alert in.
    pub(super) fn push(&self, alert: &Alert) {
        self.lock().pending.push(alert, self.target.cooldown, Instant::now());
        self.wake.notify_one();
    }

    /// Takes nothing more: the task ends when everything is sent.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits for the task's end, until a moment.
    pub(super) async fn finished(&self, until: Instant) {
        let ended = async {
            loop {
                let told = self.ended.notified();
                tokio::pin!(told);
                // Listening before looking: an end between the two would be missed.
                told.as_mut().enable();
                if self.lock().ended {
                    return;
                }
                told.await;
            }
        };
        let _ = timeout_at(until, ended).await;
    }

    /// Writes down what is not going to be sent any more.
    pub(super) fn record_what_is_left(&self) {
        let left = {
            let state = self.lock();
            state.pending.len() + u64::from(state.sending)
        };
        if left > 0 {
            let mut note = self.note();
            note.insert("undelivered".to_owned(), json!(left));
            note.insert("why".to_owned(), json!("the gateway left"));
            self.desk.record(Event::AlertFailed, note.into());
        }
    }

    async fn run(&self, delivery: &Delivery) {
        loop {
            let next = {
                let mut state = self.lock();
                let closed = state.closed;
                let next = state.pending.next(self.target.cooldown, Instant::now(), closed);
                state.sending = matches!(next, Next::Send(_));
                if closed && !state.sending {
                    state.ended = true;
                    drop(state);
                    self.ended.notify_waiters();
                    return;
                }
                next
            };
            match next {
                Next::Send(message) => self.deliver(delivery, &message).await,
                Next::At(moment) => drop(timeout_at(moment, self.wake.notified()).await),
                Next::Idle => self.wake.notified().await,
            }
        }
    }

    async fn deliver(&self, delivery: &Delivery, message: &Message) {
        let started = Instant::now();
        let mut attempts = 0;
        let mut pause = FIRST_PAUSE;
        let outcome = loop {
            attempts += 1;
            match send(delivery, &self.target.way, message).await {
                Ok(()) => break Ok(()),
                Err(failed) => {
                    let last = attempts == ATTEMPTS || started.elapsed() + pause > ENOUGH;
                    if last || !failed.may_pass {
                        break Err(failed);
                    }
                }
            }
            sleep(pause).await;
            pause *= 2;
        };
        let mut note = self.note();
        let alert = &message.alert;
        note.insert("about".to_owned(), json!(alert.about.name()));
        note.insert("attempts".to_owned(), json!(attempts));
        for (name, value) in [("agent", &alert.agent), ("record", &alert.record)] {
            if let Some(value) = value {
                note.insert(name.to_owned(), json!(value));
            }
        }
        for (name, count) in [("held", message.held.count), ("dropped", message.dropped)] {
            if count > 0 {
                note.insert(name.to_owned(), json!(count));
            }
        }
        let event = match outcome {
            Ok(()) => Event::AlertSent,
            Err(failed) => {
                tracing::warn!(
                    alert = self.target.name,
                    attempts,
                    why = failed.why,
                    "an alert did not arrive"
                );
                note.insert("why".to_owned(), json!(failed.why));
                Event::AlertFailed
            }
        };
        self.record(delivery, event, note.into()).await;
    }

    async fn record(&self, delivery: &Delivery, event: Event, note: Value) {
        let Ok(turn) = Arc::clone(&self.recording).try_acquire_owned() else {
            tracing::error!(
                alert = self.target.name,
                "what became of an alert could not be recorded: the disk hangs"
            );
            return;
        };
        let desk = Arc::clone(&self.desk);
        let recording = delivery.handle().spawn_blocking(move || {
            desk.record(event, note);
            drop(turn);
        });
        let _ = timeout(RECORDED_WITHIN, recording).await;
    }

    fn note(&self) -> Map<String, Value> {
        let way = &self.target.way;
        [("alert", self.target.name.clone()), ("way", way.kind().to_owned()), ("to", way.place())]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One attempt.
///
/// # Errors
///
/// Why it did not arrive.
pub(crate) async fn send(delivery: &Delivery, way: &Way, message: &Message) -> Result<(), Failed> {
    match way {
        Way::Post(place) => {
            let posted = delivery.post_to(place, place.of_alert(message)).await;
            posted.map(drop).map_err(|error| Failed { why: error.to_string(), may_pass: error.may_pass() })
        }
        Way::Run(command) => {
            let (command, document) = (command.clone(), message.document().to_string());
            let running = delivery.handle().spawn_blocking(move || command.run(document.as_bytes()));
            let ran = running.await.unwrap_or_else(|_| Err("it was not run".to_owned()));
            ran.map_err(|why| Failed { why, may_pass: true })
        }
    }
}

//! One call in a worker: what the guest there asks for is judged, recorded and done here, as for a guest that runs here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::sandbox::channels::{CallChannels, LONGEST_MESSAGE, Unsent};
use crate::sandbox::clock::CallClock;
use crate::sandbox::ending;
use crate::sandbox::guest::{Outside, Reports};
use crate::sandbox::interfaces::Progress;
use crate::sandbox::log::source;
use crate::sandbox::network::CallNetwork;
use crate::sandbox::outcome::Ending;
use crate::sandbox::overseer::{AccessKind, Carrier, Content, Effect, Outflow, Permit};
use crate::sandbox::witness::{LONGEST_PATH, Witness};
use crate::sandbox::worker::connection::Connection;
use crate::sandbox::worker::message::{Answer, Refused, ToWorker, What};
use crate::sandbox::worker::requests::Requests;
use crate::sandbox::worker::{SkillProcess, WorkerError};

/// Questions of one call that may be open at once: more than a guest can have, whose objects are bounded.
pub(super) const OPEN_QUESTIONS: usize = 512;
/// The longest text that is sent on, in bytes: somewhat more than may be sent, so that it is refused by its length.
pub(super) const LONGEST_SENT: usize = LONGEST_MESSAGE + 8;
/// The longest name of a channel that is looked for, in bytes.
pub(super) const LONGEST_CHANNEL: usize = 1_024;
/// A guest's words about its progress are cut here already, in characters.
pub(super) const PROGRESS_CHARACTERS: usize = 1_024;

/// Ends a call in a worker when it is dropped, wherever the call is by then.
#[derive(Default)]
pub(crate) struct Leash(Line);

/// The other end of a [`Leash`].
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    over: bool,
    on: Option<(Arc<Connection>, u64)>,
}

impl Leash {
    pub(crate) fn line(&self) -> Line {
        self.0.clone()
    }
}

impl Line {
    /// Puts a call on the leash; `false` when it was let go already.
    fn hold(&self, connection: &Arc<Connection>, call: u64) -> bool {
        let mut held = self.lock();
        if !held.over {
            held.on = Some((Arc::clone(connection), call));
        }
        !held.over
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        let mut held = self.0.lock();
        held.over = true;
        let on = held.on.take();
        drop(held);
        if let Some((connection, call)) = on {
            connection.leave(call);
        }
    }
}

/// Leaves a call that did not end, also where only its own task is dropped.
struct Ongoing {
    connection: Arc<Connection>,
    call: u64,
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        // Of one that ended nothing is known any more.
        self.connection.leave(self.call);
    }
}

/// What answers one call's guest.
struct Answering {
    ongoing: Ongoing,
    reports: Reports,
    clock: Arc<CallClock>,
    channels: Arc<tokio::sync::Mutex<CallChannels>>,
    /// The most content of a file that the overseer has to see.
    inspects: Option<u64>,
    /// Whether any of the skill's directories is granted for more than reading.
    may_change: bool,
    requests: Requests,
    asked: JoinSet<()>,
}

/// Runs a tool in the skill's worker.
pub(crate) async fn call(
    process: &SkillProcess,
    line: Line,
    tool: &str,
    arguments: Map<String, Value>,
    outside: Outside<CallNetwork>,
    clock: Arc<CallClock>,
    reports: &Reports,
) -> Ending {
    let skill = Arc::clone(&reports.witness.skill);
    let inspects = reports.witness.inspects(Carrier::File);
    // Starting one is not on the call's clock, as waiting for a slot is not: it has a bound of its own.
    let starting = clock.pause();
    let entered = process.enter(inspects.unwrap_or(0)).await;
    drop(starting);
    let (connection, call, mut words) = match entered {
        Ok(entered) => entered,
        Err(error) => return ending::process(&skill, &error),
    };
    let ongoing = Ongoing { connection: Arc::clone(&connection), call };
    if !line.hold(&connection, call) {
        return ending::process(&skill, &WorkerError::Start("nobody waits for it".to_owned()));
    }
    let begin = ToWorker::Call { call, tool: tool.to_owned(), inspects };
    connection.send(&begin, Value::Object(arguments).to_string().as_bytes()).await;
    let mut answering = Answering {
        ongoing,
        reports: reports.clone(),
        clock,
        channels: Arc::new(tokio::sync::Mutex::new(outside.channels)),
        inspects,
        may_change: process.may_change(),
        requests: Requests::new(outside.network),
        asked: JoinSet::new(),
    };
    loop {
        tokio::select! {
            biased;
            word = words.recv() => match word {
                None => {
                    let why = connection.epitaph().await;
                    return ending::process(&skill, &WorkerError::Ended(why));
                }
                Some((what, body)) => match answering.hear(what, body) {
                    Heard::More => {}
                    Heard::End(ending) => {
                        connection.finished(call);
                        return *ending;
                    }
                    Heard::Nonsense => {
                        connection.end();
                        let why = "what it said made no sense".to_owned();
                        return ending::process(&skill, &WorkerError::Ended(why));
                    }
                },
            },
            Some(answered) = answering.asked.join_next() => {
                // Cancelled are those that the guest gave up.
                if answered.is_err_and(|error| error.is_panic()) {
                    return ending::panicked(&skill);
                }
            }
        }
    }
}

/// What a word comes to.
enum Heard {
    More,
    End(Box<Ending>),
    Nonsense,
}

impl Answering {
    fn hear(&mut self, what: What, body: Vec<u8>) -> Heard {
        let Reports { witness, log, gauge } = &self.reports;
        match what {
            What::Change { ask, change, path, to, content } => {
                let long = |path: &String| path.len() > LONGEST_PATH;
                if !self.may_change || long(&path) || to.as_ref().is_some_and(long) {
                    return Heard::Nonsense;
                }
                if content && self.inspects.is_none_or(|most| body.len() as u64 > most) {
                    return Heard::Nonsense;
                }
                let content = content.then(|| Content(Bytes::from(body)));
                return self
                    .answer(ask, may(Arc::clone(witness), Effect::Change { change, path, to, content }));
            }
            What::Send { ask, channel } => {
                if body.len() > LONGEST_SENT || channel.len() > LONGEST_CHANNEL {
                    return Heard::Nonsense;
                }
                let Ok(text) = String::from_utf8(body) else { return Heard::Nonsense };
                let sent = send(Arc::clone(&self.channels), Arc::clone(witness), channel, text);
                return self.answer(ask, sent);
            }
            What::Request { ask, head } => {
                let (tasks, connection) = (&mut self.asked, &self.ongoing.connection);
                if tasks.len() >= OPEN_QUESTIONS
                    || !self.requests.begin(tasks, connection, witness, ask, head)
                {
                    return Heard::Nonsense;
                }
            }
            What::Next { ask } => {
                if !self.requests.next(ask) {
                    return Heard::Nonsense;
                }
            }
            What::Piece { ask, piece } => {
                if !self.requests.piece(ask, piece, body) {
                    return Heard::Nonsense;
                }
            }
            What::GiveUp { ask } => self.requests.give_up(ask),
            What::File { target, access, denial: None, failed: None } => {
                witness.allowed(AccessKind::File, &target, &access);
            }
            What::File { target, access, denial: None, failed: Some(how) } => {
                witness.failed(AccessKind::File, &target, &access, &how);
            }
            What::File { target, access, denial: Some(denial), .. } => {
                let Some(denial) = denial.into_denial() else { return Heard::Nonsense };
                witness.denied(AccessKind::File, &target, &access, denial);
            }
            What::Written { bytes } => witness.moved(Outflow::Written, bytes),
            What::Progress { done, total, message } => {
                let message = message.map(|message| message.chars().take(PROGRESS_CHARACTERS).collect());
                witness.progress(&Progress { done, total, message });
            }
            What::Computed { milliseconds } => self.clock.computed(Duration::from_millis(milliseconds)),
            What::Ended { ending, lines, dropped, peak } => {
                for (of, text) in lines {
                    let Some(of) = source(&of) else { return Heard::Nonsense };
                    log.line(of, &text);
                }
                log.lost(dropped);
                gauge.tell(peak);
                return ending
                    .into_ending(&body)
                    .map_or(Heard::Nonsense, |ending| Heard::End(Box::new(ending)));
            }
        }
        Heard::More
    }

    /// Answers when it is known, and hears on meanwhile.
    fn answer(&mut self, ask: u64, answer: impl Future<Output = (Answer, Bytes)> + Send + 'static) -> Heard {
        if self.asked.len() >= OPEN_QUESTIONS {
            return Heard::Nonsense;
        }
        let connection = Arc::clone(&self.ongoing.connection);
        self.asked.spawn(async move {
            let (answer, body) = answer.await;
            connection.send(&ToWorker::Answer { ask, answer }, &body).await;
        });
        Heard::More
    }
}

async fn may(witness: Arc<Witness>, effect: Effect) -> (Answer, Bytes) {
    match witness.before_effect(&effect).await {
        Ok(Permit::Unchanged) => (Answer::Unchanged, Bytes::new()),
        Ok(Permit::Masked(content)) => (Answer::Masked, content.0),
        Err(denial) => (Answer::Denied(Refused::of(&denial)), Bytes::new()),
    }
}

async fn send(
    channels: Arc<tokio::sync::Mutex<CallChannels>>,
    witness: Arc<Witness>,
    channel: String,
    text: String,
) -> (Answer, Bytes) {
    let answer = match channels.lock().await.send(&witness, channel, text).await {
        Ok(told) => Answer::Sent(told),
        Err(Unsent { kind, message, denial }) => {
            Answer::Unsent { kind, message, denial: denial.as_ref().map(Refused::of) }
        }
    };
    (answer, Bytes::new())
}

#[cfg(test)]
mod tests;

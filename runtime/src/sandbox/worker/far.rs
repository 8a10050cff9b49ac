//! The worker's side of what leads out of a call: everything is asked of, or told to, the process that started it.
//!
//! The rule: nothing is decided here that the other side could decide.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::denial::{Denial, DenialId};
use crate::sandbox::channels::{SendFault, Sender, Unsent};
use crate::sandbox::interfaces::Progress;
use crate::sandbox::overseer::{
    Access, AccessKind, BoxFuture, Carrier, Content, Effect, Outflow, Overseer, Permit,
};
use crate::sandbox::witness::{Witness, cut};
use crate::sandbox::worker::call::{LONGEST_CHANNEL, LONGEST_SENT, PROGRESS_CHARACTERS};
use crate::sandbox::worker::frame;
use crate::sandbox::worker::http::Piece;
use crate::sandbox::worker::message::{Answer, Refused, Told, What};

/// The other process, as everything in this one speaks to it.
pub(super) struct Outward {
    socket: Mutex<File>,
    asks: Mutex<HashMap<u64, oneshot::Sender<(Answer, Bytes)>>>,
    bodies: Mutex<HashMap<u64, Carried>>,
    next: AtomicU64,
}

/// Of a request: who is told that a piece of its body is wanted, and where pieces of its answer's body go.
type Carried = (mpsc::Sender<()>, mpsc::Sender<(Piece, Bytes)>);

/// The same, of one call.
#[derive(Clone)]
pub(super) struct Far {
    pub(super) outward: Arc<Outward>,
    pub(super) call: u64,
    /// How much of files' content is held back to be judged.
    pub(super) inspects: Option<u64>,
}

impl Outward {
    pub(super) fn new(socket: File) -> Arc<Self> {
        Arc::new(Self {
            socket: Mutex::new(socket),
            asks: Mutex::default(),
            bodies: Mutex::default(),
            next: AtomicU64::new(0),
        })
    }

    /// Tells something of a call. Without anybody to tell it to there is nothing left to do.
    pub(super) fn tell(&self, call: u64, what: What, body: &[u8]) {
        let told = frame::frame(&Told { call, what }, body)
            .and_then(|frame| self.socket.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame));
        if told.is_err() {
            std::process::exit(1);
        }
    }

    /// An answer came.
    pub(super) fn answered(&self, ask: u64, answer: Answer, body: Vec<u8>) {
        if let Some(asker) = self.asks().remove(&ask) {
            let _ = asker.send((answer, Bytes::from(body)));
        }
    }

    /// A piece of a request's body is wanted.
    pub(super) fn wanted(&self, ask: u64) {
        if let Some((next, _)) = self.bodies().get(&ask) {
            let _ = next.try_send(());
        }
    }

    /// A piece of an answer's body came.
    pub(super) fn piece(&self, ask: u64, piece: Piece, data: Vec<u8>) {
        if let Some((_, pieces)) = self.bodies().get(&ask) {
            let _ = pieces.try_send((piece, Bytes::from(data)));
        }
    }

    /// A request is over.
    pub(super) fn forget(&self, ask: u64) {
        self.bodies().remove(&ask);
    }

    /// A number for a question.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn bodies(&self) -> MutexGuard<'_, HashMap<u64, Carried>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asks(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<(Answer, Bytes)>>> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question that is out; dropped, nobody waits for the answer any more.
struct Asked<'a> {
    outward: &'a Outward,
    ask: u64,
    answer: oneshot::Receiver<(Answer, Bytes)>,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.outward.asks().remove(&self.ask);
    }
}

impl Far {
    pub(super) fn tell(&self, what: What, body: &[u8]) {
        self.outward.tell(self.call, what, body);
    }

    async fn ask(&self, what: impl FnOnce(u64) -> What, body: &[u8]) -> Option<(Answer, Bytes)> {
        let ask = self.outward.number();
        self.ask_as(ask, what(ask), body).await
    }

    /// The same with a number that was taken before.
    pub(super) async fn ask_as(&self, ask: u64, what: What, body: &[u8]) -> Option<(Answer, Bytes)> {
        let (sender, answer) = oneshot::channel();
        self.outward.asks().insert(ask, sender);
        let mut asked = Asked { outward: &self.outward, ask, answer };
        self.tell(what, body);
        (&mut asked.answer).await.ok()
    }
}

fn unanswered() -> Denial {
    Denial::new(DenialId::EffectFailed, "the question whether this may be done was not answered")
}

impl Overseer for Far {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        Box::pin(async move {
            let Effect::Change { change, path, to, content } = effect else { return Err(unanswered()) };
            let body = content.as_ref().map(|content| content.0.clone());
            let what = |ask| What::Change {
                ask,
                change: *change,
                path: path.clone(),
                to: to.clone(),
                content: body.is_some(),
            };
            match self.ask(what, body.as_deref().unwrap_or_default()).await {
                Some((Answer::Unchanged, _)) => Ok(Permit::Unchanged),
                Some((Answer::Masked, mask)) => Ok(Permit::Masked(Content(mask))),
                Some((Answer::Denied(refused), _)) => Err(refused.into_denial().unwrap_or_else(unanswered)),
                _ => Err(unanswered()),
            }
        })
    }

    /// The other side knows what waits for a person.
    fn approves(&self) -> bool {
        true
    }

    fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        match carrier {
            Carrier::File => self.inspects,
            Carrier::Request { .. } => None,
        }
    }

    fn record(&self, access: &Access) {
        if access.kind == AccessKind::File {
            let denial = access.denial.as_ref().map(Refused::of);
            let failed = access.failed.clone();
            let (target, access) = (access.target.clone(), access.access.clone());
            self.tell(What::File { target, access, denial, failed }, &[]);
        }
    }

    fn moved(&self, out: Outflow, bytes: u64) {
        if out == Outflow::Written {
            self.tell(What::Written { bytes }, &[]);
        }
    }

    fn progress(&self, progress: &Progress) {
        let Progress { done, total, message } = progress;
        let (done, total) = (*done, *total);
        let message = message.as_ref().map(|message| message.chars().take(PROGRESS_CHARACTERS).collect());
        self.tell(What::Progress { done, total, message }, &[]);
    }
}

/// What a text that was cut is longer by, in bytes.
const MARK: usize = '…'.len_utf8();

/// A call's channels, which are the other side's.
pub(super) struct FarChannels {
    pub(super) far: Far,
    pub(super) witness: Arc<Witness>,
}

impl Sender for FarChannels {
    fn send(&self, channel: String, text: String) -> BoxFuture<'_, Result<String, Unsent>> {
        Box::pin(async move {
            let refused = |denial: Denial| Unsent {
                kind: SendFault::Refused,
                message: denial.first_line(),
                denial: Some(denial),
            };
            // After a change that was refused behind the guest's back nothing more goes out.
            self.witness.may_go_on().map_err(refused)?;
            // No more than the other side takes: enough for it to be refused as what it is.
            let (channel, text) = (cut(&channel, LONGEST_CHANNEL - MARK), cut(&text, LONGEST_SENT - MARK));
            match self.far.ask(|ask| What::Send { ask, channel }, text.as_bytes()).await {
                Some((Answer::Sent(told), _)) => Ok(told),
                Some((Answer::Unsent { kind, message, denial }, _)) => {
                    let denial = denial.and_then(Refused::into_denial);
                    if let Some(denial) = &denial {
                        // Recorded there; here it says why the guest failed, if it does.
                        self.witness.limit(denial.clone());
                    }
                    Err(Unsent { kind, message, denial })
                }
                _ => Err(refused(unanswered())),
            }
        })
    }
}

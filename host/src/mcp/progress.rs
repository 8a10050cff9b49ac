//! How far a guest says it has come, on its way to the client that asked to hear it.
//!
//! A guest can report faster than anyone reads, and anything at all. So only the newest report waits, reports go out at
//! most [`PER_SECOND`] times a second, each further than the one before (as the protocol wants), and the words in it are
//! escaped: a client may print them on a terminal.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RoleServer};
use soulbound_runtime::visible;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::gateway::request::ProgressSink;

/// Reports that a client is sent at most.
const PER_SECOND: u32 = 50;
/// How long a client may take to read the last report before it gets the answer without.
const LAST_REPORT: Duration = Duration::from_millis(200);
/// The words of one report, in characters.
const MESSAGE: usize = 200;

/// What a guest says: done, of how many, and a few words.
type Report = (f64, Option<f64>, Option<String>);

/// The newest report that is not sent yet.
#[derive(Default)]
struct Newest {
    report: Mutex<Option<Report>>,
    arrived: Notify,
}

impl Newest {
    fn put(&self, report: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        self.arrived.notify_one();
    }

    fn take(&self) -> Option<Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs `call` with a sink for its progress, and sends what arrives there under the client's token. All of it is sent
/// before the result of the call is returned.
pub(crate) async fn reporting<Outcome, Call: Future<Output = Outcome>>(
    peer: &Peer<RoleServer>,
    token: ProgressToken,
    call: impl FnOnce(ProgressSink) -> Call,
) -> Outcome {
    let newest = Arc::<Newest>::default();
    let sink: ProgressSink = {
        let newest = Arc::clone(&newest);
        Arc::new(move |done, total, message| newest.put((done, total, message)))
    };
    let mut sent = Sent { peer, token, furthest: None };
    let mut call = std::pin::pin!(call(sink));
    let mut next = Instant::now();
    let outcome = loop {
        tokio::select! {
            biased;
            outcome = &mut call => break outcome,
            () = newest.arrived.notified() => {}
        }
        tokio::select! {
            biased;
            outcome = &mut call => break outcome,
            () = sleep_until(next) => {}
        }
        next = Instant::now() + Duration::from_secs(1) / PER_SECOND;
        if let Some(report) = newest.take() {
            // A client that does not read must not keep the call from being ended.
            tokio::select! {
                biased;
                outcome = &mut call => break outcome,
                () = sent.send(report) => {}
            }
        }
    };
    if let Some(report) = newest.take() {
        let _ = tokio::time::timeout(LAST_REPORT, sent.send(report)).await;
    }
    outcome
}

/// What was sent so far.
struct Sent<'a> {
    peer: &'a Peer<RoleServer>,
    token: ProgressToken,
    furthest: Option<f64>,
}

impl Sent<'_> {
    async fn send(&mut self, (done, total, message): Report) {
        if !done.is_finite() || self.furthest.is_some_and(|furthest| done <= furthest) {
            return;
        }
        self.furthest = Some(done);
        let mut params = ProgressNotificationParam::new(self.token.clone(), done);
        params.total = total.filter(|total| total.is_finite());
        params.message =
            message.map(|message| visible::line(&message.chars().take(MESSAGE).collect::<String>()));
        // A client that went away needs no progress; the call's own end is another's matter.
        let _ = self.peer.notify_progress(params).await;
    }
}

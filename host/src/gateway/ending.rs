//! How a gateway ends: by a stop, which nothing starts again but the operator, or in an orderly way.
//!
//! The rule: first what takes effect, then what is written. A full disk or a disk that hangs keeps no guest alive, and the
//! end is recorded once, whoever asks for it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio_util::task::TaskTracker;

use super::Gateway;
use crate::audit::{AuditError, Event};
use crate::operator::Who;
use crate::oversight::alerts::About;

/// How long a stop waits for calls to end and be recorded. Guests end at the next millisecond; a trail on a disk that
/// hangs must not keep the gateway from leaving.
const SETTLE: Duration = Duration::from_secs(2);

impl Gateway {
    /// Ends every call, lets none begin, records it. How many were in flight.
    pub(crate) async fn kill(&self, who: &Who) -> u64 {
        // First what takes effect, then what is written: a full disk must not keep a guest alive.
        self.halt();
        if let Err(error) = self.state.stop() {
            tracing::error!(error = format!("{error:#}"), "the file `stopped` could not be made");
        }
        self.settled(Event::GatewayStopped, who).await
    }

    /// Leaves in an orderly way: as a stop does, and nothing keeps it from starting again.
    pub(crate) async fn quit(&self, who: &Who) -> u64 {
        self.halt();
        self.settled(Event::GatewayEnded, who).await
    }

    /// Ends every call at once. Recording that is [`Gateway::kill`]'s.
    pub(crate) fn halt(&self) {
        self.in_flight.fetch_max(self.metrics.live_now(), Ordering::Relaxed);
        self.killed.cancel();
    }

    /// The end is recorded once, by whoever comes first; everybody hears how many calls it ended.
    async fn settled(&self, event: Event, who: &Who) -> u64 {
        let ended = self.ended.get_or_init(|| async {
            let in_flight = self.in_flight.load(Ordering::Relaxed);
            // Told while the calls' ends are written down; nobody waits for it here.
            self.alert(About::Stop, event.sentence(), &format!("by {who}"));
            self.settle(event, who, in_flight).await;
            in_flight
        });
        *ended.await
    }

    async fn settle(&self, event: Event, who: &Who, in_flight: u64) {
        self.calls.close();
        if tokio::time::timeout(SETTLE, self.calls.wait()).await.is_err() {
            tracing::error!("calls did not end in time; the process ends them");
        }
        let by = who.to_string();
        for agent in self.loaded() {
            if let Err(error) = agent.book().note(event, &by, &json!({})) {
                tracing::error!(agent = agent.id(), %error, "the stop could not be recorded");
            }
        }
        let note = json!({"calls_ended": in_flight, "state": self.state.path().display().to_string(), "pid": who.pid});
        if let Err(error) = self.tips().and_then(|()| self.trail.note(event, &by, &note)) {
            tracing::error!(%error, "the stop could not be recorded");
        }
        for agent in self.loaded() {
            agent.keep_budgets();
            agent.oversight().breakers().keep(true);
            agent.book().finish();
        }
        self.keep_meter();
        self.trail.finish();
    }

    /// Writes down in the gateway's own trail how far the agents' are, where that changed: an agent's trail that is put back
    /// to an earlier state, its own tip with it, is found by this.
    pub(crate) fn tips(&self) -> Result<(), AuditError> {
        let mut noted = self.noted_tips.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for agent in self.loaded() {
            let tip = agent.book().tip();
            if noted.insert(agent.id().to_owned(), tip.seq) != Some(tip.seq) {
                changed.push((agent.id().to_owned(), tip));
            }
        }
        self.trail.tips(&changed)
    }

    /// Lets the listeners close and the process leave.
    pub(crate) fn leave(&self) {
        self.leaving.cancel();
    }

    /// Waits until the last answers have left.
    pub(crate) async fn answered(&self) {
        self.answers.close();
        let _ = tokio::time::timeout(SETTLE, self.answers.wait()).await;
    }

    /// Answers that leave although the gateway does too.
    pub(crate) fn answers(&self) -> &TaskTracker {
        &self.answers
    }

    /// Whether this process was told to end everything, whatever the disk says.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.is_cancelled()
    }
}

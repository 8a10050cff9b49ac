//! Telling people: an alert goes to every target that wants its kind, by a thread of its own.
//!
//! The rule: raising one costs a lock and a push. It never waits for a network, never fails a call, and never loses the
//! record that it is about; what becomes of it stands in the gateway's own trail. What an alert *does* (`action`) is
//! done when it is raised, whether or not it can be told.

pub(crate) mod about;
mod command;
mod message;
mod pending;
mod sending;
mod target;

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;
use tokio::time::Instant;

pub(crate) use about::About;
pub(crate) use command::Command;
pub(crate) use message::Message;
pub(crate) use sending::send;
pub(crate) use target::{Target, Way};

use crate::audit::Event;
use crate::oversight::delivery::Delivery;
use crate::oversight::place::Place;
use sending::Sender;

/// Something that people should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// What kind of thing.
    pub(crate) about: About,
    /// The agent; none for what concerns the gateway.
    pub(crate) agent: Option<String>,
    /// The skill, as anybody named it.
    pub(crate) skill: Option<String>,
    /// What happened, in a line.
    pub(crate) title: String,
    /// More of it. May hold anybody's words: it is escaped and cut when it is written.
    pub(crate) detail: String,
    /// The record that it is about: `echo#37`.
    pub(crate) record: Option<String>,
}

/// What alerts need of the gateway.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Writes what became of an alert into the gateway's own trail.
    fn record(&self, event: Event, note: Value);

    /// Stops an agent, on behalf of the alert of this name, and records that. Does not wait.
    fn disable(&self, agent: &str, alert: &str);
}

/// All targets, and their queues.
pub(crate) struct Alerts {
    senders: RwLock<Vec<Arc<Sender>>>,
    delivery: Arc<Delivery>,
    desk: Arc<dyn Desk>,
}

impl Alerts {
    /// Starts a task for each target.
    pub(crate) fn start(targets: &[Target], delivery: Arc<Delivery>, desk: Arc<dyn Desk>) -> Arc<Self> {
        let alerts = Arc::new(Self { senders: RwLock::default(), delivery, desk });
        alerts.reconfigure(targets);
        alerts
    }

    /// Other targets. One that stays keeps its queue and its cool-downs; one that is gone sends what it has.
    pub(crate) fn reconfigure(&self, targets: &[Target]) {
        let mut senders = self.senders.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *senders);
        for target in targets {
            let kept = before.iter().position(|sender| sender.target() == target);
            senders.push(match kept {
                Some(index) => before.swap_remove(index),
                None => Sender::start(target.clone(), Arc::clone(&self.delivery), Arc::clone(&self.desk)),
            });
        }
        before.iter().for_each(|gone| gone.close());
    }

    /// Tells everybody who wants to hear it. Cheap, and never waits.
    pub(crate) fn raise(&self, alert: &Alert) {
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        for sender in senders.iter().filter(|sender| sender.target().wants(alert)) {
            // Before it is queued: a queue that is full and a cool-down hold messages back, not what they are about.
            if let (true, Some(agent)) = (sender.target().disables_for(alert), &alert.agent) {
                self.desk.disable(agent, &sender.target().name);
            }
            sender.push(alert);
        }
    }

    /// Whether somebody wants to hear of this kind.
    pub(crate) fn any_wants(&self, about: About) -> bool {
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner);
        senders.iter().any(|sender| sender.target().on.contains(&about))
    }

    /// Sends what is there until a moment: the process is about to leave. What was held back is sent as its count.
    pub(crate) async fn finish(&self, until: Instant) {
        let senders = self.senders.read().unwrap_or_else(PoisonError::into_inner).clone();
        senders.iter().for_each(|sender| sender.close());
        for sender in &senders {
            sender.finished(until).await;
        }
        senders.iter().for_each(|sender| sender.record_what_is_left());
    }
}

impl Place {
    /// The same alert for this place.
    pub(crate) fn of_alert(&self, message: &Message) -> crate::oversight::place::Post {
        self.alert(&message.head(), &message.lines(), &message.document())
    }
}

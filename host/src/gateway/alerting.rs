//! What the gateway tells people of, and what an alert may do to an agent.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use soulbound_runtime::sandbox::{Ending, Outcome};
use tokio::time::Instant;

use crate::audit::{Decision, Event, Opening};
use crate::gateway::Gateway;
use crate::gateway::agent::Agent;
use crate::operator::Who;
use crate::oversight::alerts::{About, Alert, Desk};
use crate::oversight::breakers::notice::{self, Notice};
use crate::trust::Condition;
use crate::trust::act::Act;
use crate::trust::registry::Marker;

/// How long the process stays for its last alerts, from the moment of its end. Calls ended before; the command that
/// stops the gateway kills it after 2.5 s.
const LAST_WORD: Duration = Duration::from_secs(1);

/// How long an agent's calls go on while its marker is written.
const MARKED_WITHIN: Duration = Duration::from_millis(500);

impl Gateway {
    /// Something that concerns all agents.
    pub(crate) fn alert(&self, about: About, title: &str, detail: &str) {
        let (title, detail) = (title.to_owned(), detail.to_owned());
        self.alerts().raise(&Alert { about, agent: None, skill: None, title, detail, record: None });
    }

    /// What was found when a trail was opened, where it was not this program's doing.
    pub(crate) fn alert_of_opening(&self, owner: &str, opening: &Opening) {
        if opening.discontinuity.is_some() {
            let said = opening.warnings(owner).join("; ");
            self.alert(About::Anomaly, Event::Discontinuity.sentence(), &said);
        }
    }

    /// Lets alerts hear of anomalies and of breakers that open.
    pub(super) fn tell_of_anomalies(&self) {
        let alerts = Arc::clone(self.alerts());
        self.notices().attach(Arc::new(move |notice: Notice| {
            let (about, title) = match notice.about {
                notice::About::Anomaly(kind) => (About::Anomaly, kind.sentence().to_owned()),
                notice::About::Breaker(kind) => {
                    (About::Breaker, format!("breaker opened: {}", kind.sentence()))
                }
            };
            let detail = match notice.held_back {
                0 => notice.observed,
                more => format!("{} (and {more} more of the kind since the last one)", notice.observed),
            };
            alerts.raise(&Alert {
                about,
                agent: Some(notice.agent),
                skill: notice.skill,
                title,
                detail,
                record: None,
            });
        }));
    }

    /// Something that an operator did to an agent.
    pub(super) fn alert_of_act(&self, agent: &str, event: Event, who: &Who) {
        let about = About::Stop;
        let (title, detail) = (event.sentence().to_owned(), format!("by {who}"));
        let agent = Some(agent.to_owned());
        self.alerts().raise(&Alert { about, agent, skill: None, title, detail, record: None });
    }

    /// Sends what is left, for a short time: nothing runs any more.
    pub(super) async fn last_word(&self, ended: Instant) {
        self.alerts().finish(ended + LAST_WORD).await;
        self.trail().finish();
    }
}

impl Agent {
    /// Something out of pattern that stands in its trail.
    pub(super) fn alert_of_event(&self, event: Event, note: &Value) {
        let Some(gateway) = self.gateway() else { return };
        let detail = match note.get("change") {
            Some(change) => change.to_string(),
            None => note.to_string(),
        };
        gateway.alerts().raise(&Alert {
            about: About::Anomaly,
            agent: Some(self.id().to_owned()),
            skill: None,
            title: event.sentence().to_owned(),
            detail,
            record: None,
        });
    }

    /// A call that was refused, or failed, or had something refused in it.
    pub(super) fn alert_of_outcome(
        &self,
        skill: &str,
        decision: Decision,
        outcome: &Outcome,
        record: Option<&str>,
    ) {
        let denial = outcome.denial().or(outcome.denials.first());
        let about = match (decision, denial) {
            (Decision::Denied | Decision::Allowed | Decision::Error, Some(_)) => About::Denial,
            (Decision::Error, None) => About::Error,
            _ => return,
        };
        let Some(gateway) = self.gateway().filter(|gateway| gateway.alerts().any_wants(about)) else {
            return;
        };
        let (title, detail) = match (denial, &outcome.ending) {
            (Some(denial), _) => (format!("refused: {}", denial.id), denial.first_line()),
            (None, Ending::Failed { error: Some(error), .. }) => {
                ("a call failed".to_owned(), error.message.clone())
            }
            (None, _) => ("a call failed".to_owned(), String::new()),
        };
        gateway.alerts().raise(&Alert {
            about,
            agent: Some(self.id().to_owned()),
            skill: Some(skill.to_owned()),
            title,
            detail,
            record: record.map(str::to_owned),
        });
    }
}

/// The gateway as alerts know it. They do not keep it alive.
pub(super) struct GatewayDesk {
    gateway: Weak<Gateway>,
    /// Agents that are being disabled: a flood of alerts is one act.
    disabling: Arc<Mutex<HashSet<String>>>,
}

impl GatewayDesk {
    /// Of this gateway, which is being made.
    pub(super) fn of(gateway: &Weak<Gateway>) -> Self {
        Self { gateway: Weak::clone(gateway), disabling: Arc::default() }
    }
}

impl Desk for GatewayDesk {
    fn record(&self, event: Event, note: Value) {
        let Some(gateway) = self.gateway.upgrade() else { return };
        if let Err(error) = gateway.trail().note(event, "gateway", &note) {
            tracing::error!(%error, "what became of an alert could not be recorded");
        }
    }

    fn disable(&self, agent: &str, alert: &str) {
        let Some(gateway) = self.gateway.upgrade() else { return };
        if gateway.registry().condition(agent) != Condition::Enabled {
            return;
        }
        let disabling = Arc::clone(&self.disabling);
        if !disabling.lock().unwrap_or_else(PoisonError::into_inner).insert(agent.to_owned()) {
            return;
        }
        let (id, who) = (agent.to_owned(), Who::alert(alert));
        let threads = gateway.threads().clone();
        threads.spawn(async move {
            // The marker first, as the command line does it: what ends then ends as an agent that was stopped. A disk that
            // hangs or is full keeps no call alive.
            let (marking, marked_id, by) = (Arc::clone(&gateway), id.clone(), who.clone());
            let marked = tokio::task::spawn_blocking(move || {
                marking.registry().mark(&marked_id, Marker::Disabled, &by)
            });
            let _ = tokio::time::timeout(MARKED_WITHIN, marked).await;
            if let Some(loaded) = gateway.loaded_agent(&id) {
                loaded.halt();
            }
            if let Err(error) = Arc::clone(&gateway).act(Act::Disable { id: id.clone() }, who).await {
                tracing::error!(
                    agent = id,
                    error = format!("{error:#}"),
                    "an alert could not disable the agent"
                );
            }
            disabling.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        });
    }
}

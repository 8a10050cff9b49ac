//! What comes of an anomaly: a breaker opens, the trail has it, whoever watches is told.
//!
//! The rule is the order of a trip: refused in memory, written down, calls in flight ended, recorded, told. What is told has
//! happened, and what is recorded is in force.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::Breakers;
use super::kind::Kind;
use super::knobs::Trip;
use super::notice::{About, Notice};
use super::open::Opened;
use super::watch::Anomaly;
use crate::audit::Event;
use crate::gateway::policy::Policy;
use crate::operator::Who;
use crate::trust::registry::Marker;

impl Breakers {
    /// Does what the settings say about each: trips, records, tells.
    pub(super) fn carry_out(&self, found: Vec<Anomaly>, policy: &Policy) {
        self.carry_out_as(found, policy, true);
    }

    /// [`Self::carry_out`], of what happens now or of a count of what has been.
    pub(super) fn carry_out_as(&self, found: Vec<Anomaly>, policy: &Policy, now: bool) {
        for anomaly in found {
            let trip = match now {
                true => policy.settings.anomalies.trip_of(anomaly.kind, anomaly.skill.is_some()),
                false => Trip::Nothing,
            };
            let of = match trip {
                Trip::Nothing => None,
                Trip::Skill => Some(anomaly.skill.clone()),
                Trip::Agent | Trip::Disable => Some(None),
            };
            let tripped = of.as_ref().filter(|of| self.trip(of.as_deref(), &anomaly));
            self.record(&anomaly, trip);
            self.tell(About::Anomaly(anomaly.kind), &anomaly);
            if let Some(of) = tripped {
                self.record_trip(of.as_deref(), &anomaly);
                self.tell(About::Breaker(anomaly.kind), &anomaly);
                if trip == Trip::Disable {
                    self.disable();
                }
            }
        }
    }

    /// Opens a breaker: in memory, on disk, and for the calls in flight. Whether it was closed.
    fn trip(&self, of: Option<&str>, anomaly: &Anomaly) -> bool {
        let opened = Opened {
            kind: Some(anomaly.kind),
            when: crate::clock::Moment::now().to_string(),
            observed: anomaly.observed.clone(),
            by: anomaly.skill.clone(),
        };
        {
            let mut open = self.lock_open();
            if !open.trip(of, opened) {
                return false;
            }
            self.is_open.store(true, Ordering::Release);
            // Not waiting for the disk: this may be a guest's thread. A killed process loses nothing of it.
            self.keep_open(&open, false);
            self.book.breakers(open.lines());
        }
        if let Some(gateway) = self.gateway.upgrade() {
            if let Some(agent) = gateway.loaded_agent(&self.agent) {
                agent.cut(of);
                // And once more for a power failure, on a thread that may wait.
                gateway.threads().spawn_blocking(move || agent.oversight().breakers().settle());
            }
            gateway.metrics().tripped();
        }
        true
    }

    /// Writes what is open so that a power failure does not lose it.
    pub(super) fn settle(&self) {
        let open = self.lock_open();
        self.keep_open(&open, true);
    }

    fn record(&self, anomaly: &Anomaly, trip: Trip) {
        if let Some(gateway) = self.gateway.upgrade() {
            gateway.metrics().anomaly(&self.agent, anomaly.kind.name());
        }
        // The change itself is on record, with what it amounts to.
        if matches!(anomaly.kind, Kind::SoulChanged | Kind::SkillChanged) {
            return;
        }
        let mut note = json!({
            "kind": anomaly.kind, "skill": anomaly.skill, "observed": anomaly.observed,
            "expected": anomaly.expected, "window": anomaly.window, "trips": trip.name(),
        });
        if let Some(members) = note.as_object_mut().filter(|_| anomaly.held_back > 0) {
            members.insert("held_back".to_owned(), json!(anomaly.held_back));
        }
        self.write_down(Event::AnomalyNoted, &note);
    }

    fn record_trip(&self, of: Option<&str>, anomaly: &Anomaly) {
        let note =
            json!({"skill": of, "kind": anomaly.kind, "observed": anomaly.observed, "by": anomaly.skill});
        self.write_down(Event::BreakerOpened, &note);
        self.write_down_in_the_gateways(Event::BreakerOpened, note);
    }

    /// Disables the agent, for `trip = "disable"`. Its breaker is open already, so nothing hurries.
    fn disable(&self) {
        let Some(gateway) = self.gateway.upgrade() else { return };
        let (threads, agent, book) = (gateway.threads().clone(), self.agent.clone(), Arc::clone(&self.book));
        threads.spawn_blocking(move || {
            let marked = gateway.registry().mark(&agent, Marker::Disabled, &Who::this_process());
            if let Err(error) = marked {
                tracing::error!(agent, error = format!("{error:#}"), "the agent could not be disabled");
                return;
            }
            if let Some(loaded) = gateway.loaded_agent(&agent) {
                loaded.halt();
            }
            let note = json!({"agent": agent, "by": "its breaker"});
            let recorded = book
                .note(Event::AgentDisabled, "gateway", &json!({"by": "its breaker"}))
                .and_then(|_| gateway.trail().note(Event::AgentDisabled, "gateway", &note));
            if let Err(error) = recorded {
                tracing::error!(agent, %error, "that the agent was disabled could not be recorded");
            }
        });
    }

    fn tell(&self, about: About, anomaly: &Anomaly) {
        let Some(gateway) = self.gateway.upgrade() else { return };
        gateway.notices().send(Notice {
            agent: self.agent.clone(),
            skill: anomaly.skill.clone(),
            about,
            observed: anomaly.observed.clone(),
            held_back: anomaly.held_back,
        });
    }

    fn write_down(&self, event: Event, note: &Value) {
        if let Err(error) = self.book.note(event, "gateway", note) {
            tracing::error!(agent = self.agent, %error, "an anomaly could not be recorded");
        }
    }

    fn write_down_in_the_gateways(&self, event: Event, mut note: Value) {
        let Some(gateway) = self.gateway.upgrade() else { return };
        if let Some(members) = note.as_object_mut() {
            members.insert("agent".to_owned(), json!(self.agent));
        }
        if let Err(error) = gateway.trail().note(event, "gateway", &note) {
            tracing::error!(agent = self.agent, %error, "a trip could not be recorded");
        }
    }
}

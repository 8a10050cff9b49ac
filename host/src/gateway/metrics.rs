//! What is counted, for Prometheus: calls, denials by id, latencies, live instances, the queue.
//!
//! No label holds text of a model's: agents and skills are counted under names that the operator trusted, everything
//! else under `unlisted`.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use soulbound_runtime::sandbox::{Load, Outcome};

/// Upper bounds of the latency buckets, in seconds: a tiny call takes 50 µs, the default limit is 30 s.
const BUCKETS: [f64; 12] = [0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    agent: String,
    skill: String,
    decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DenialLabels {
    id: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnomalyLabels {
    agent: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApprovalLabels {
    state: &'static str,
}

/// All metrics of one gateway.
pub(crate) struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    denials: Family<DenialLabels, Counter>,
    seconds: Histogram,
    refused_tokens: Counter,
    anomalies: Family<AnomalyLabels, Counter>,
    trips: Counter,
    breakers: Gauge,
    running: Gauge,
    waiting: Gauge,
    agents: Gauge,
    approvals: Family<ApprovalLabels, Gauge>,
    live: Arc<AtomicI64>,
    live_gauge: Gauge,
}

/// Counts a call as live until it is dropped.
#[derive(Debug)]
pub(crate) struct Live(Arc<AtomicI64>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("soulbound");
        let metrics = Self {
            calls: Family::default(),
            denials: Family::default(),
            seconds: Histogram::new(BUCKETS),
            refused_tokens: Counter::default(),
            anomalies: Family::default(),
            trips: Counter::default(),
            breakers: Gauge::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            agents: Gauge::default(),
            approvals: Family::default(),
            live: Arc::default(),
            live_gauge: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("calls", "Calls by what came of them", metrics.calls.clone());
        registry.register("denials", "Refused accesses and calls by denial id", metrics.denials.clone());
        registry.register("call_seconds", "How long calls took", metrics.seconds.clone());
        registry.register(
            "refused_tokens",
            "Requests with a wrong or missing token",
            metrics.refused_tokens.clone(),
        );
        registry.register("anomalies", "Anomalies that were noted, by kind", metrics.anomalies.clone());
        registry.register("breaker_trips", "Breakers that opened", metrics.trips.clone());
        registry.register("breakers_open", "Breakers that are open now", metrics.breakers.clone());
        registry.register("slots_taken", "Calls that hold a slot of the sandbox", metrics.running.clone());
        registry.register("calls_waiting", "Calls that wait for a slot", metrics.waiting.clone());
        registry.register("agents_loaded", "Agents held in memory", metrics.agents.clone());
        registry.register(
            "approvals",
            "Actions that wait for a person now, and how those before ended",
            metrics.approvals.clone(),
        );
        registry.register(
            "calls_live",
            "Calls between their intent and their outcome",
            metrics.live_gauge.clone(),
        );
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// A call begins; it is live until the value is dropped.
    pub(crate) fn live(&self) -> Live {
        self.live.fetch_add(1, Ordering::Relaxed);
        Live(Arc::clone(&self.live))
    }

    /// Calls that are live now.
    pub(crate) fn live_now(&self) -> u64 {
        u64::try_from(self.live.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// A call ended.
    pub(crate) fn ended(&self, agent: &str, skill: Option<&str>, decision: &'static str, outcome: &Outcome) {
        let skill = skill.unwrap_or("unlisted").to_owned();
        self.calls.get_or_create(&CallLabels { agent: agent.to_owned(), skill, decision }).inc();
        for denial in &outcome.denials {
            self.denials.get_or_create(&DenialLabels { id: denial.id.as_str() }).inc();
        }
        self.seconds.observe(outcome.duration.as_secs_f64());
    }

    /// An anomaly was noted.
    pub(crate) fn anomaly(&self, agent: &str, kind: &'static str) {
        self.anomalies.get_or_create(&AnomalyLabels { agent: agent.to_owned(), kind }).inc();
    }

    /// A breaker opened.
    pub(crate) fn tripped(&self) {
        self.trips.inc();
    }

    /// A wrong token came.
    pub(crate) fn refused_token(&self) {
        self.refused_tokens.inc();
    }

    /// The page that Prometheus reads.
    pub(crate) fn page(
        &self,
        load: Load,
        agents: usize,
        breakers: usize,
        approvals: &[(&'static str, u64)],
    ) -> String {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.running.set(count(load.running));
        self.waiting.set(count(load.waiting));
        self.agents.set(count(agents));
        self.breakers.set(count(breakers));
        for (state, number) in approvals {
            let number = i64::try_from(*number).unwrap_or(i64::MAX);
            self.approvals.get_or_create(&ApprovalLabels { state }).set(number);
        }
        self.live_gauge.set(self.live.load(Ordering::Relaxed));
        let mut page = String::new();
        if prometheus_client::encoding::text::encode(&mut page, &self.registry).is_err() {
            let _ = writeln!(page, "# the metrics could not be written");
        }
        page
    }
}

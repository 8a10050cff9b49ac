//! The gateway: the agents that run, and the path of a call from whoever asks to the sandbox and back.
//!
//! Every action stands in a trail before it happens, and one word stops everything: each call, stream and session hangs
//! on one cancellation token.

pub(crate) mod agent;
pub(crate) mod alerting;
mod approvals;
pub(crate) mod attempts;
pub(crate) mod budgets;
pub(crate) mod call;
pub(crate) mod daemon;
pub(crate) mod doors;
mod ending;
pub(crate) mod http;
mod lane;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod news;
pub(crate) mod offer;
pub(crate) mod overseer;
pub(crate) mod policy;
pub(crate) mod port;
pub(crate) mod rate;
pub(crate) mod request;
pub(crate) mod requests;
pub(crate) mod socket;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod token;
pub(crate) mod watch;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use soulbound_runtime::{Denial, DenialId, visible};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::{Audit, Event, GatewayTrail};
use crate::clock::Moment;
use crate::gateway::agent::Agent;
use crate::gateway::attempts::Attempts;
use crate::gateway::doors::DoorHandles;
use crate::gateway::http::guard::OwnNames;
use crate::gateway::metrics::Metrics;
use crate::gateway::policy::Policies;
use crate::gateway::token::{TokenHash, TokenOf};
use crate::gateway::watch::Folders;
use crate::oversight::alerts::{About, Alerts};
use crate::oversight::approvals::Approvals;
use crate::oversight::breakers::notice::Notices;
use crate::oversight::breakers::rates::Meter;
use crate::oversight::channels::Channels;
use crate::oversight::delivery::Delivery;
use crate::state::StateFolder;
use crate::trust::{Condition, Registry};

/// Wrong tokens that are answered and recorded one by one; then one every [`WRONG_TOKEN_EVERY`].
const WRONG_TOKENS: u32 = 10;
/// How long until one more is.
const WRONG_TOKEN_EVERY: Duration = Duration::from_secs(6);
/// Agents held in memory before idle ones are let go: each has open files and room kept on the disk.
const LOADED: usize = 128;

/// A running gateway.
pub(crate) struct Gateway {
    state: StateFolder,
    listen: SocketAddr,
    started: Moment,
    policies: Policies,
    registry: Registry,
    audit: Audit,
    trail: GatewayTrail,
    /// Where its errands run, beside the connections.
    doors: DoorHandles,
    agents: Mutex<HashMap<String, Arc<Agent>>>,
    /// One at a time: a trail has one writer.
    loading: tokio::sync::Mutex<()>,
    /// Calls that have not ended yet.
    calls: TaskTracker,
    /// How far the agents' trails were when that was last written down.
    noted_tips: Mutex<HashMap<String, u64>>,
    /// Cancelled: every call, stream and session ends, none begins.
    killed: CancellationToken,
    /// Cancelled: the listeners close and the process leaves.
    leaving: CancellationToken,
    /// Calls that the end found in flight.
    in_flight: AtomicU64,
    /// Set when the end is recorded.
    ended: OnceCell<u64>,
    /// Answers that are still to leave when the process does.
    answers: TaskTracker,
    tokens: Mutex<HashMap<String, TokenHash>>,
    attempts: Attempts,
    metrics: Metrics,
    folders: Arc<Folders>,
    /// How often all agents together may call.
    meter: Meter,
    /// Where alerts hear of anomalies.
    notices: Notices,
    delivery: Arc<Delivery>,
    alerts: Arc<Alerts>,
    channels: Arc<Channels>,
    approvals: Approvals,
}

impl Gateway {
    /// A gateway over what was opened and bound for it.
    pub(crate) fn new(
        state: StateFolder,
        listen: SocketAddr,
        policies: Policies,
        audit: Audit,
        trail: GatewayTrail,
        doors: DoorHandles,
        delivery: Arc<Delivery>,
    ) -> Arc<Self> {
        let settings = &policies.current().settings;
        Arc::new_cyclic(|gateway| Self {
            alerts: Alerts::start(
                &settings.alerts,
                Arc::clone(&delivery),
                Arc::new(alerting::GatewayDesk::of(gateway)),
            ),
            channels: Channels::new(&settings.channels, Arc::clone(&delivery)),
            delivery,
            registry: Registry::open(&state),
            approvals: Approvals::of(&state),
            started: Moment::now(),
            folders: Arc::new(Folders::new()),
            agents: Mutex::default(),
            loading: tokio::sync::Mutex::default(),
            calls: TaskTracker::new(),
            noted_tips: Mutex::default(),
            killed: CancellationToken::new(),
            leaving: CancellationToken::new(),
            in_flight: AtomicU64::new(0),
            ended: OnceCell::new(),
            answers: TaskTracker::new(),
            tokens: Mutex::default(),
            attempts: Attempts::new(WRONG_TOKENS, WRONG_TOKEN_EVERY),
            metrics: Metrics::default(),
            meter: Meter::resumed(rate::kept(&state)),
            notices: Notices::default(),
            state,
            listen,
            policies,
            audit,
            trail,
            doors,
        })
    }

    /// The agent with this id, loaded when it is first asked for.
    pub(crate) async fn agent(self: &Arc<Self>, id: &str) -> Result<Arc<Agent>, Denial> {
        if let Some(agent) = self.loaded_agent(id) {
            // Whether it may run is asked before anything of it does.
            return Ok(agent);
        }
        self.may_run()?;
        self.load(id).await
    }

    /// The agent with this id, if it may run now.
    pub(crate) async fn running_agent(self: &Arc<Self>, id: &str) -> Result<Arc<Agent>, Denial> {
        let agent = self.agent(id).await?;
        agent.may_run()?;
        Ok(agent)
    }

    /// The agent with this id, stopped or not.
    pub(crate) async fn load(self: &Arc<Self>, id: &str) -> Result<Arc<Agent>, Denial> {
        if let Some(agent) = self.loaded_agent(id) {
            return Ok(agent);
        }
        let (gateway, wanted) = (Arc::clone(self), id.to_owned());
        let _one_at_a_time = self.loading.lock().await;
        if let Some(agent) = self.loaded_agent(id) {
            return Ok(agent);
        }
        let loaded = tokio::task::spawn_blocking(move || Agent::load(&gateway, &wanted)).await;
        let agent = match loaded {
            Ok(Ok(agent)) => agent,
            Ok(Err(denial)) => return Err(denial),
            Err(_) => return Err(self.stopped()),
        };
        self.lock().insert(id.to_owned(), Arc::clone(&agent));
        Ok(agent)
    }

    /// The agents that are loaded.
    pub(crate) fn loaded(&self) -> Vec<Arc<Agent>> {
        self.lock().values().cloned().collect()
    }

    /// Whether calls are taken.
    pub(crate) fn ready(&self) -> Result<(), &'static str> {
        self.may_run().map_err(|_| "stopped")
    }

    /// The kept hash of a token; none when there is no such token. Read once: whoever makes another asks this gateway.
    pub(crate) fn token(&self, of: TokenOf<'_>) -> Option<TokenHash> {
        let id = match of {
            TokenOf::Operator => "",
            TokenOf::Agent(id) => id,
        };
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = tokens.get(id) {
            return Some(kept.clone());
        }
        if matches!(of, TokenOf::Agent(_)) && !self.is_agent(id) {
            return None;
        }
        let kept = token::kept(&self.state, of).unwrap_or_else(|error| {
            tracing::error!(error = format!("{error:#}"), "a token's record cannot be read");
            None
        })?;
        tokens.insert(id.to_owned(), kept.clone());
        Some(kept)
    }

    /// A token was made, or its agent removed: what is known of it is not true any more.
    pub(crate) fn forget_token(&self, of: TokenOf<'_>) {
        let id = match of {
            TokenOf::Operator => "",
            TokenOf::Agent(id) => id,
        };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Writes down that a wrong token came, and how many before it were only counted.
    pub(crate) fn record_refused_token(&self, of: TokenOf<'_>, presented: bool, unrecorded: u64) {
        let door = match of {
            TokenOf::Operator => "operator".to_owned(),
            TokenOf::Agent(id) => visible::quoted_target(id),
        };
        let note = json!({"door": door, "presented": presented, "unrecorded_before": unrecorded});
        if let Err(error) = self.trail.note(Event::TokenRefused, "gateway", &note) {
            tracing::error!(%error, "a refused token could not be recorded");
        }
        // A request without any is a client that was never set up, or a scanner.
        if presented {
            self.alert(About::Anomaly, Event::TokenRefused.sentence(), &format!("at the door of {door}"));
        }
    }

    /// Whether everything may run, by the kill switch.
    ///
    /// # Errors
    ///
    /// `gateway.stopped`.
    pub(crate) fn may_run(&self) -> Result<(), Denial> {
        if self.killed.is_cancelled() || self.state.is_stopped() { Err(self.stopped()) } else { Ok(()) }
    }

    /// Whether there is an agent of this id that is not removed.
    pub(crate) fn is_agent(&self, id: &str) -> bool {
        crate::trust::id(id).is_ok_and(|canonical| canonical == id)
            && matches!(self.registry.condition(id), Condition::Enabled | Condition::Disabled)
    }

    /// The denial that everything gets once all is stopped, or while the gateway leaves.
    pub(crate) fn stopped(&self) -> Denial {
        if self.state.is_stopped() {
            return crate::operator::stopped(&self.state);
        }
        Denial::new(
            DenialId::GatewayStopped,
            "the gateway is leaving; an operator restarts it or the machine does",
        )
        .hint("try again when it is back")
    }

    /// The page for Prometheus.
    pub(crate) fn metrics_page(&self) -> String {
        let loaded = self.lock().len();
        let breakers = self.open_breakers().iter().map(|(_, open)| open.0.len()).sum();
        let load = self.policies.current().runtime.load();
        self.metrics.page(load, loaded, breakers, &self.approvals.figures())
    }

    /// The names by which its listener may be addressed.
    pub(crate) fn own_names(&self) -> OwnNames {
        OwnNames::of(self.listen)
    }

    /// A loaded agent.
    pub(crate) fn loaded_agent(&self, id: &str) -> Option<Arc<Agent>> {
        self.lock().get(id).cloned()
    }

    /// What is done every few seconds: tips and budgets are written down, idle agents let go.
    pub(crate) fn tidy(&self) {
        if let Err(error) = self.tips() {
            tracing::error!(%error, "how far the trails are could not be recorded");
        }
        self.keep_meter();
        let agents = self.loaded();
        for agent in &agents {
            agent.keep_budgets();
            agent.oversight().breakers().keep(false);
        }
        if agents.len() > LOADED {
            let idle: Vec<String> =
                agents.iter().filter(|agent| agent.is_idle()).map(|agent| agent.id().to_owned()).collect();
            drop(agents);
            let mut gone = Vec::new();
            let mut loaded = self.lock();
            for id in idle {
                // Nobody else holds it: no call, no session, nobody who is just asking for it, since that takes the lock.
                // Two at most hold it: this map, and its own door.
                if loaded.get(&id).is_some_and(|agent| agent.is_unused()) {
                    gone.extend(loaded.remove(&id));
                }
            }
            drop(loaded);
            // Closing trails writes to the disk.
            gone.iter().for_each(|agent| agent.retire());
        }
    }

    /// Forgets an agent: it was removed.
    pub(crate) fn unload(&self, id: &str) {
        self.forget_token(TokenOf::Agent(id));
        self.approvals.forget(id);
        if let Some(agent) = self.loaded_agent(id) {
            agent.retire();
        }
        self.lock().remove(id);
    }

    /// Where its errands run, beside the connections.
    pub(crate) fn threads(&self) -> &Handle {
        &self.doors.quick
    }

    /// All threads for requests and answers.
    pub(crate) fn doors(&self) -> &DoorHandles {
        &self.doors
    }

    pub(crate) fn state(&self) -> &StateFolder {
        &self.state
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn trail(&self) -> &GatewayTrail {
        &self.trail
    }

    pub(crate) fn folders(&self) -> &Arc<Folders> {
        &self.folders
    }

    /// Whom to tell.
    pub(crate) fn alerts(&self) -> &Arc<Alerts> {
        &self.alerts
    }

    /// Where agents' messages go.
    pub(crate) fn channels(&self) -> &Arc<Channels> {
        &self.channels
    }

    /// The gateway's own way out.
    pub(crate) fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    /// What waits for a person.
    pub(crate) fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    pub(crate) fn calls(&self) -> &TaskTracker {
        &self.calls
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    pub(crate) fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    pub(crate) fn killed(&self) -> &CancellationToken {
        &self.killed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Agent>>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

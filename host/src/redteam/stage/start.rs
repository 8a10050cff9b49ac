//! Starting the stage's gateway: the first time with its agents added, as an operator adds them; again over what is there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::audit::Audit;
use crate::gateway::Gateway;
use crate::gateway::agent::Agent;
use crate::gateway::doors::DoorHandles;
use crate::gateway::http::{listener, routes};
use crate::gateway::policy::Policies;
use crate::operator::Who;
use crate::oversight::breakers::kind::Kind;
use crate::oversight::delivery::Delivery;
use crate::redteam::probe::TIME;
use crate::redteam::rules;
use crate::redteam::scratch::Scratch;
use crate::redteam::stub::Stub;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::act::{self, Act, Asks};
use crate::trust::{Candidate, Registry};

/// Questions of a skill in a minute, and at once: more than there are attacks.
const QUESTIONS: u32 = 10_000;

/// What a gateway is started over.
pub(super) struct Ground<'a> {
    pub(super) scratch: &'a Scratch,
    pub(super) state: &'a StateFolder,
    pub(super) stub: &'a Stub,
    /// The operator's state folder, whose settings count.
    pub(super) real: &'a StateFolder,
    /// How long what waits for a person waits.
    pub(super) patience: Duration,
}

/// A gateway that runs.
pub(super) struct Started {
    pub(super) gateway: Arc<Gateway>,
    pub(super) agent: Arc<Agent>,
    pub(super) address: SocketAddr,
    pub(super) hard_links: bool,
    pub(super) end: CancellationToken,
}

impl Ground<'_> {
    /// Starts it, adds the agents of these folders, and loads the one with this id.
    pub(super) async fn start(&self, id: &str, add: &[PathBuf]) -> Result<Started> {
        let listening = TcpListener::bind("127.0.0.1:0").await.context("no port for the gateway")?;
        let address = listening.local_addr()?;
        let audit = Audit::open(self.state.path(), self.settings(address)?.audit)?;
        let (trail, _) = audit.gateway()?;
        let hard_links = self.settings(address)?.files.allow_hard_links;
        let policies = Policies::start(self.state, self.settings(address)?, address)?;
        for folder in add {
            self.add(folder, &policies, address)?;
        }
        let gateway = Gateway::new(
            self.state.clone(),
            address,
            policies,
            audit,
            trail,
            DoorHandles::one(Handle::current()),
            Delivery::start(&self.settings(address)?.network)?,
        );
        let end = CancellationToken::new();
        let router = routes::router(Arc::clone(&gateway), address);
        tokio::spawn(listener::serve(
            listening,
            router,
            end.clone(),
            gateway.answers().clone(),
            gateway.doors().clone(),
        ));
        let agent = gateway.running_agent(id).await.map_err(|denial| anyhow::anyhow!("{denial}"))?;
        Ok(Started { gateway, agent, address, hard_links, end })
    }

    fn settings(&self, address: SocketAddr) -> Result<Settings> {
        let mut settings = Settings::read(self.real)?;
        settings.files = rules(&settings, self.scratch);
        settings.network = self.stub.under(settings.network, vec![address]);
        settings.limits.time = Some(settings.limits.time.map_or(TIME, |own| own.min(TIME)));
        // Nobody outside hears of attacks that were asked for, and no message leaves.
        settings.alerts.clear();
        settings.channels.clear();
        settings.approvals.webhook = None;
        settings.approvals.timeout = self.patience;
        // A refusal by one of these says nothing of the walls behind it.
        settings.approvals.per_minute = QUESTIONS;
        settings.approvals.deny_when_nobody = false;
        settings.require_redteam = false;
        // A breaker would hide the walls behind it.
        settings.anomalies.off = Kind::ALL.to_vec();
        Ok(settings)
    }

    fn add(&self, folder: &Path, policies: &Policies, address: SocketAddr) -> Result<()> {
        let runtime = policies.current().runtime.clone();
        let candidate = Candidate::read(folder, self.state, self.settings(address)?, |_| Ok(runtime))?;
        if candidate.manifest().is_none() {
            let errors = candidate.review.view.errors.iter();
            let errors: Vec<String> =
                errors.map(|error| format!("line {}: {}", error.line, error.message)).collect();
            bail!("the agent does not run: {}", errors.join("; "));
        }
        let manifest = candidate.store(Registry::open(self.state).store())?;
        // What is attacked here is not yet proven, whatever the operator asks for elsewhere.
        let asks = Asks { redteam: false };
        act::act(self.state, Act::Add { folder: candidate.folder, manifest }, Who::this_process(), asks)?;
        Ok(())
    }
}

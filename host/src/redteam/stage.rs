//! The stage: a gateway of its own in a temporary state folder, with the agent's own SOUL.md and own skills over a scratch
//! copy, a real trust, a real trail and the real path of a call. What a model or a stranger could send is sent to it.

mod changes;
mod door;
mod hostile;
mod names;
mod records;
mod replays;
mod start;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use soulbound_runtime::sandbox::{CallLimits, Outcome};
use soulbound_runtime::skill::sources::SourceError;
use soulbound_runtime::soul::SkillEntry;
use tokio_util::sync::CancellationToken;

use super::Order;
use super::attack::{Attack, Class, Contact, ProbeKind};
use super::canary::{Search, Seed};
use super::oracle::{self, Evidence, Standard, Verdict};
use super::plan::network::is_granted;
use super::probe::{Probes, TIME};
use super::report::Finding;
use super::scratch::{Scratch, Watch};
use super::script::{Expect, Script, Step, play};
use super::stub::{self, Stub};
use crate::agent::sources;
use crate::gateway::Gateway;
use crate::gateway::agent::Agent;
use crate::gateway::request::CallRequest;
use crate::operator::Who;
use crate::state::StateFolder;

/// The door that stands in the trail.
const DOOR: &str = "redteam";
/// How long what waits for a person waits here, where nobody is.
const UNANSWERED: Duration = Duration::from_millis(100);
/// A call that has not ended after this waits for somebody who is not there.
const WAITS: Duration = Duration::from_secs(5);
/// The most of a cache that is copied, in bytes.
const CACHE_BYTES: u64 = 128 << 20;
/// An agent beside the one under attack.
const NEIGHBOUR: &str = "redteam-neighbour";

/// Who is there to answer what waits for a person.
#[derive(Debug, Clone, Copy)]
enum Answers {
    /// Nobody, and that shows at once.
    Nobody,
    /// This side, within so long; and every call asks.
    Somebody(Duration),
}

/// The running gateway.
pub(crate) struct Stage {
    pub(super) scratch: Scratch,
    pub(super) state: StateFolder,
    pub(super) gateway: Arc<Gateway>,
    pub(super) agent: Arc<Agent>,
    pub(super) stub: Stub,
    pub(super) address: SocketAddr,
    hard_links: bool,
    entries: Vec<SkillEntry>,
    patience: Duration,
    end: CancellationToken,
}

/// Plays everything that needs a gateway.
///
/// # Errors
///
/// The agent could not be added to it, so it could not run anywhere.
pub(super) async fn attacks(
    order: &Order,
    state: &StateFolder,
    probes: &Probes,
    scripts: &[Script],
) -> Result<Vec<Finding>> {
    let stage = Stage::open(order, state, probes, Answers::Nobody).await?;
    let mut found = Vec::new();
    if order.wants(Class::Model) {
        found.extend(play::all(&stage, scripts).await);
        found.extend(hostile::arguments(&stage).await);
    }
    if order.wants(Class::Authority) {
        found.extend(names::attacks(&stage).await);
    }
    if order.wants(Class::Audit) {
        found.extend(records::words(&stage).await);
    }
    if order.wants(Class::Authority) {
        // Last: what it changes is put back, and revoked calls stay revoked.
        found.extend(changes::attacks(&stage, probes).await?);
        // One of these would stop the gateway.
        found.extend(door::attacks(&stage).await?);
    }
    if order.wants(Class::Audit) {
        found.extend(records::proof(&stage).await?);
    }
    stage.end.cancel();
    if order.wants(Class::Authority) {
        found.extend(replays::attacks(order, state, probes).await?);
    }
    found.retain(|finding| order.attack.as_ref().is_none_or(|id| *id == finding.id));
    Ok(found)
}

impl Stage {
    async fn open(order: &Order, real: &StateFolder, probes: &Probes, answers: Answers) -> Result<Self> {
        let scratch = Scratch::make(&order.soul, &order.text, &order.folder, Seed(order.seed))?;
        let patience = match answers {
            Answers::Nobody => UNANSWERED,
            Answers::Somebody(patience) => {
                let soul = scratch.agent().join("SOUL.md");
                fs::write(&soul, replays::asking(&fs::read_to_string(&soul)?, order.soul.skills()))?;
                patience
            }
        };
        let state = StateFolder::at(scratch.state());
        state.make()?;
        // The operator's settings to the byte, so that nothing is read anew.
        if real.settings_file().exists() {
            fs::copy(real.settings_file(), state.settings_file()).context("gateway.toml cannot be copied")?;
        }
        copy_cache(&real.path().join("cache"), &state.path().join("cache"))?;
        state.prepare_to_stop()?;
        put_skills(order, real, probes, &scratch.agent())?;
        let neighbour = scratch.root().join("neighbour");
        fs::create_dir_all(&neighbour)?;
        fs::write(neighbour.join("SOUL.md"), format!("# Neighbour\n## Identity\n- Name: {NEIGHBOUR}\n"))?;
        let stub = Stub::start().await?;
        let ground = start::Ground { scratch: &scratch, state: &state, stub: &stub, real, patience };
        let started = ground.start(order.soul.id(), &[scratch.agent(), neighbour]).await?;
        let start::Started { gateway, agent, address, hard_links, end } = started;
        let entries = order.soul.skills().to_vec();
        Ok(Self { scratch, state, gateway, agent, stub, address, hard_links, entries, patience, end })
    }

    /// Ends the gateway and starts another over the same state folder.
    async fn restart(&mut self, id: &str, real: &StateFolder) -> Result<()> {
        self.gateway.quit(&Who::this_process()).await;
        self.end.cancel();
        let ground = start::Ground {
            scratch: &self.scratch,
            state: &self.state,
            stub: &self.stub,
            real,
            patience: self.patience,
        };
        let started = ground.start(id, &[]).await?;
        (self.gateway, self.agent) = (started.gateway, started.agent);
        (self.address, self.end) = (started.address, started.end);
        Ok(())
    }

    /// The skills that the agent lists.
    pub(super) fn entries(&self) -> &[SkillEntry] {
        &self.entries
    }

    /// Calls as a model does. None: it waits for a person.
    pub(super) async fn call(
        &self,
        skill: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Option<Outcome> {
        let cancel = CancellationToken::new();
        let request = CallRequest {
            skill: skill.to_owned(),
            tool: tool.to_owned(),
            arguments,
            door: DOOR,
            progress: None,
            form: None,
            waits: None,
            cancel: cancel.clone(),
        };
        let answer = tokio::time::timeout(TIME + WAITS, self.agent.call(request)).await;
        cancel.cancel();
        let outcome = answer.ok()?.outcome;
        let waited = outcome.denial().is_some_and(|denial| denial.id.as_str().starts_with("approval."));
        (!waited).then_some(outcome)
    }

    /// Fills the budgets of calls over time: what is refused by one of them says nothing of the walls behind.
    pub(super) async fn refill(&self) {
        let Ok(live) = self.agent.live().await else { return };
        for entry in &self.entries {
            if let Ok(callable) = live.callable(&entry.name) {
                let bound = &callable.offered.bound;
                let mut states = bound.budget_states();
                // Taken up, a budget is never fuller than full.
                states.iter_mut().for_each(|state| state.left = f64::MAX);
                bound.resume_budgets(&states);
            }
        }
    }

    /// Makes a step and judges it.
    pub(super) async fn step(&self, attack: &Attack, step: &Step) -> Finding {
        self.refill().await;
        let entry = self.entries.iter().find(|entry| entry.name == step.skill);
        let given = entry.map(|entry| self.scratch.given(entry)).unwrap_or_default();
        let line = entry.map_or(0, |entry| entry.line);
        let skill = entry.map_or(NO_SKILL, |entry| entry.name.as_str());
        let mut watch = Watch::new(self.scratch.root(), given.clone(), self.hard_links);
        self.stub.set(&Contact::default());
        let outcome = self.call(&step.skill, &step.tool, step.arguments.clone()).await;
        let traffic = self.stub.take();
        let mut attack = attack.clone();
        // Whatever a skill reaches of what it was granted is its business: by a comparison of our own.
        let hosts = entry.map(|entry| entry.grant.hosts.as_slice()).unwrap_or_default();
        attack.contact.names = traffic.asked.iter().filter(|name| is_granted(hosts, name)).cloned().collect();
        let may = |address: &&SocketAddr| {
            attack.contact.names.iter().any(|name| stub::public(name) == address.ip())
        };
        attack.contact.addresses = traffic.dialled.iter().filter(may).copied().collect();
        let waited = outcome.is_none();
        let outcomes: Vec<Outcome> = outcome.into_iter().collect();
        let returned = outcomes.iter().any(Outcome::succeeded);
        let evidence =
            Evidence { outcomes, traffic, changes: watch.changes(), progress: String::new(), longest: 0 };
        let limits = entry_limits(self, step).await;
        let verdict = match Search::new(self.scratch.forbidden(&given)) {
            Ok(forbidden) => oracle::judge(
                &attack,
                &evidence,
                &Standard { forbidden: &forbidden, limits: limits.as_ref(), sight: None },
            ),
            Err(error) => Verdict::Blind(error.to_string()),
        };
        let verdict = match (entry, evidence.outcomes.first()) {
            // Told what is wrong with its arguments, it was found and reached.
            (None, Some(outcome)) if outcome.denial().is_none() => {
                Verdict::Escaped("a skill that is not listed was reached".to_owned())
            }
            _ => expected(step.expect, verdict, waited, returned),
        };
        Finding::new(&attack, skill, line, verdict)
    }
}

/// What stands where an attack is under no skill's grant.
pub(super) const NO_SKILL: &str = "(gateway)";

/// The verdict of effects, held against what the script expects.
fn expected(expect: Expect, verdict: Verdict, waited: bool, returned: bool) -> Verdict {
    match (expect, verdict) {
        (_, escaped @ Verdict::Escaped(_)) => escaped,
        (Expect::Denied | Expect::Waits | Expect::DeniedOrWaits, _) if returned => {
            Verdict::Escaped("it was to be refused, and it was done".to_owned())
        }
        (Expect::Denied, _) if waited => {
            Verdict::Escaped("it was to be refused, and it waits for a person".to_owned())
        }
        (Expect::Waits | Expect::DeniedOrWaits | Expect::Anything, _) if waited => {
            Verdict::Refused(vec!["(waits)"])
        }
        (Expect::Allowed, _) if returned => Verdict::Allowed,
        (Expect::Allowed, verdict) => Verdict::Blind(format!("it was to be done: {verdict:?}")),
        (_, verdict) => verdict,
    }
}

/// The limits of the skill that is called; none of one that there is not.
async fn entry_limits(stage: &Stage, step: &Step) -> Option<CallLimits> {
    let callable = stage.agent.live().await.ok()?.callable(&step.skill).ok()?;
    Some(callable.offered.bound.limits().clone())
}

/// What the operator's cache has compiled, so that it need not be compiled again. It is authenticated by the key beside it; the
/// stage writes to its own copy.
fn copy_cache(from: &Path, to: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    fs::DirBuilder::new().mode(0o700).create(to)?;
    let mut left = CACHE_BYTES;
    for entry in entries.flatten() {
        let length = entry.metadata().map_or(u64::MAX, |metadata| metadata.len());
        if length <= left && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            left -= length;
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The skills' own folders, as they are found for the real agent. For one that is not there a probe stands in, under the
/// skill's name: its grant is attacked all the same.
fn put_skills(order: &Order, real: &StateFolder, probes: &Probes, agent: &Path) -> Result<()> {
    let sources = sources(&order.folder, Some(real.path()));
    for entry in order.soul.skills() {
        let folder = agent.join("skills").join(&entry.name);
        let known = order.files.iter().find(|(name, _)| *name == entry.name).map(|(_, files)| files.clone());
        let found = match known.map_or_else(|| sources.find(&entry.name).map(|found| found.folder), Ok) {
            Ok(found) => found,
            Err(SourceError::Missing { .. }) => {
                fs::create_dir_all(&folder)?;
                let manifest = format!("---\nname: {}\ndescription: a probe stands in\n---\n", entry.name);
                fs::write(folder.join("SKILL.md"), manifest)?;
                fs::write(folder.join("probe.wasm"), &probes.folder(ProbeKind::Files).component)?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for (path, bytes) in found.files() {
            let at = folder.join(path);
            fs::create_dir_all(at.parent().unwrap_or(agent))?;
            fs::write(at, bytes)?;
        }
    }
    Ok(())
}

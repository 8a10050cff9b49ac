//! `soulbound redteam`: an agent's own grants, attacked under its own SOUL.md. Probes are bound under each skill's grant over
//! a scratch copy of its directories and a stub network, and try to get out; a scratch gateway plays what an injected model
//! would call.
//!
//! The words, in the order in which a run meets them: [`subject`] is what is attacked, [`scratch`] copies and puts canaries down, [`stub`] is the network,
//! [`probe`] binds, [`plan`] says what is tried, [`strike`] tries it, [`oracle`] judges by effects alone, [`report`] says what
//! came of it. The rule: nothing in the product knows of this room, and no wall is opened for it. What it finds is what any
//! skill could have done.

pub(crate) mod attack;
mod canary;
mod egress;
mod flows;
mod import;
mod interrupt;
pub(crate) mod live;
mod mounts;
mod oracle;
mod plan;
mod probe;
mod rates;
pub(crate) mod report;
mod scratch;
pub(crate) mod script;
mod secrets;
mod stage;
mod strike;
mod stub;
pub(crate) mod subject;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use soulbound_runtime::Soul;
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{AgentIdentity, Runtime, RuntimeConfig, SecretSource};
use soulbound_runtime::skill::{Digest, SkillFolder};
use soulbound_runtime::soul::SkillEntry;
use tokio::task::JoinSet;

use attack::{Attack, Class};
use canary::{Search, Seed};
use oracle::Verdict;
use plan::Ground;
use probe::{Probes, Target};
use report::{Finding, Report};
use scratch::{Given, Scratch, Watch};
use script::Script;
use stub::Stub;

use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::attacked::Ran;

/// Attacks that last, at once: they wait more than they compute.
const AT_ONCE: usize = 6;
/// Stands for no limit on calls over time, which is attacked by itself.
const OFTEN: u64 = 1_000_000_000;

/// What is attacked, and with what.
pub(crate) struct Order {
    /// As the operator named the agent.
    pub(crate) named: String,
    /// Its SOUL.md, as it may run.
    pub(crate) soul: Soul,
    /// Its folder.
    pub(crate) folder: PathBuf,
    /// Makes every canary.
    pub(crate) seed: u64,
    /// Only these classes; all when empty.
    pub(crate) classes: Vec<Class>,
    /// Only these skills; all when empty.
    pub(crate) skills: Vec<String>,
    /// Only this attack.
    pub(crate) attack: Option<String>,
    /// SOUL.md's bytes.
    pub(crate) text: Vec<u8>,
    /// The skills' files, where they were read or trusted; what is not among them is looked for in the folder.
    pub(crate) files: Vec<(String, SkillFolder)>,
    /// The trust manifest that this is all of; none where it is something else.
    pub(crate) manifest: Option<Digest>,
    /// Whether only mount points are attacked, in the mount namespace that this process is in.
    pub(crate) mounts: bool,
    /// Whether the real directories are attacked, by looking alone.
    pub(crate) live: bool,
    /// What a model is to call.
    pub(crate) scripts: Vec<Script>,
}

impl Order {
    /// What is attacked, whole, with everything.
    pub(crate) fn whole(subject: subject::Subject, seed: u64, scripts: Vec<Script>) -> Self {
        let subject::Subject { named, soul, folder, text, files, manifest } = subject;
        let (classes, skills, attack) = (Vec::new(), Vec::new(), None);
        let (mounts, live) = (false, false);
        Self {
            named,
            soul,
            folder,
            seed,
            classes,
            skills,
            attack,
            text,
            files,
            manifest,
            mounts,
            live,
            scripts,
        }
    }

    /// What there is to write down of a run, where it was one of a trust manifest.
    pub(crate) fn ran(&self, report: &Report) -> Option<Ran> {
        let total = report.total();
        let ran = Ran {
            manifest: self.manifest?,
            agent: self.soul.id().to_owned(),
            tried: total.tried,
            escaped: total.escaped,
            blind: total.blind,
            whole: self.is_whole(),
            seed: self.seed,
        };
        ran.says_something().then_some(ran)
    }

    /// Whether it is everything that there is. A live run leaves out whatever changes anything.
    fn is_whole(&self) -> bool {
        let narrowed = !self.classes.is_empty() || !self.skills.is_empty() || self.attack.is_some();
        !(narrowed || self.mounts || self.live)
    }

    /// The skills' entries that are attacked.
    fn entries(&self) -> impl Iterator<Item = &SkillEntry> {
        let wanted = |entry: &&SkillEntry| self.skills.is_empty() || self.skills.contains(&entry.name);
        self.soul.skills().iter().filter(wanted)
    }

    fn wants(&self, class: Class) -> bool {
        self.classes.is_empty() || self.classes.contains(&class)
    }

    fn takes(&self, attack: &Attack) -> bool {
        // Controls come with their class: without them nothing is known.
        self.wants(attack.class) && self.attack.as_ref().is_none_or(|id| *id == attack.id)
    }
}

/// Attacks an agent and says what came of it.
///
/// # Errors
///
/// It could not be attacked, which says nothing about its walls.
pub(crate) fn run(order: &Order, state: &StateFolder, settings: Settings) -> Result<Report> {
    interrupt::listen()?;
    if order.mounts {
        // Started by a run: what ends that one ends this one.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("soulbound-redteam")
        .enable_all()
        .build()
        .context("no threads for the stub network")?;
    let ran = threads.block_on(async {
        match order.live {
            true => live::attacks(order, state, &settings).await,
            false => attack_all(order, state, settings).await,
        }
    });
    threads.shutdown_background();
    interrupt::give_way();
    ran
}

async fn attack_all(order: &Order, state: &StateFolder, settings: Settings) -> Result<Report> {
    let started = Instant::now();
    let probes = Probes::find()?;
    let scratch = Scratch::make(&order.soul, &order.text, &order.folder, Seed(order.seed))?;
    // A port that is somebody's: whoever dials it is seen.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no port for the stub gateway")?;
    let own = listener.local_addr()?;
    let mut report = Report::new(&order.named, order.soul.id(), order.soul.file(), order.seed);
    report.notes.extend(scratch.left_out.clone());
    let runtime = runtime(state, &settings, Some(secrets::Vault::of(Seed(order.seed))?))?;
    let mut targets = Vec::new();
    for entry in order.entries() {
        let stub = Arc::new(Stub::start().await?);
        let mut limits = settings.limits.clone();
        limits.rate = vec![Rate { amount: OFTEN, per: std::time::Duration::from_secs(1) }];
        let network = stub.under(settings.network.clone(), vec![own]);
        let over = runtime.with_settings(limits, rules(&settings, &scratch), network, Vec::new())?;
        let given = scratch.given(entry);
        let forbidden = Search::new(scratch.forbidden(&given))?;
        let identity = scratch.identity(&order.soul);
        report.findings.extend(import::attacks(order, &probes, &over, &identity, &scratch.moved(entry)));
        match Target::bind(&probes, over, &identity, scratch.moved(entry), given, stub, forbidden) {
            Ok(target) => targets.push(target),
            Err(error) => report
                .notes
                .push(format!("skill `{}` cannot run, so nothing attacks from it: {error}", entry.name)),
        }
    }
    if order.mounts {
        report.findings.clear();
        report.findings.extend(mounted(order, &scratch, &targets, own, &settings).await?);
        report.seconds = started.elapsed().as_secs_f64();
        return Ok(report);
    }
    if order.wants(Class::Paths) && order.attack.as_deref().is_none_or(|id| id.starts_with("paths.mount")) {
        report.findings.extend(mounts::in_a_namespace(order, &scratch).await);
    }
    for target in &targets {
        let found = by_themselves(order, target, &probes, &scratch.identity(&order.soul)).await;
        report.findings.extend(found);
    }
    // From here on nothing more is bound: a directory with such a file is granted to nobody for writing.
    scratch.plant_steering()?;
    for target in &targets {
        let others = others(order, |entry| scratch.given(entry), &target.given);
        let ground = Ground { target, scratch: &scratch, others: &others, listener: own };
        let plan = plan::attacks(&ground);
        report.findings.extend(in_turn(order, &ground, plan, settings.files.allow_hard_links).await?);
    }
    if order.wants(Class::Exfiltration) {
        let carried = flows::attacks(&targets, &scratch).await;
        report
            .findings
            .extend(carried.into_iter().filter(|one| order.attack.as_ref().is_none_or(|id| *id == one.id)));
    }
    report.findings.extend(at_once(order, targets, &scratch, own).await);
    if [Class::Model, Class::Authority, Class::Audit].into_iter().any(|class| order.wants(class)) {
        match stage::attacks(order, state, &probes, &order.scripts).await {
            Ok(found) => report.findings.extend(found),
            // Nothing is known of these classes then, and that is no clean end.
            Err(error) => {
                let attack = Attack::new(
                    Class::Model,
                    "control-stage",
                    "a gateway with this agent",
                    "stage",
                    serde_json::Value::Null,
                );
                report.findings.push(Finding::new(
                    &attack,
                    stage::NO_SKILL,
                    0,
                    Verdict::Blind(format!("{error:#}")),
                ));
            }
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// What is lifted or left out elsewhere: each is bound anew, with a grant of its own.
async fn by_themselves(
    order: &Order,
    target: &Target,
    probes: &Probes,
    identity: &AgentIdentity,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if order.wants(Class::Exhaustion) {
        found.push(rates::attack(target, probes, identity).await);
        found.extend(egress::attacks(target, probes, identity).await);
    }
    if order.wants(Class::Exfiltration) {
        found.push(secrets::surroundings(target).await);
        found.extend(secrets::attacks(target, probes, identity, Seed(order.seed)).await);
    }
    found.retain(|finding| order.attack.as_ref().is_none_or(|id| *id == finding.id));
    found
}

/// What is mounted in the directories, and nothing else.
async fn mounted(
    order: &Order,
    scratch: &Scratch,
    targets: &[Target],
    listener: SocketAddr,
    settings: &Settings,
) -> Result<Vec<Finding>> {
    let _mounted = match mounts::Mounted::put(scratch) {
        Ok(mounted) => mounted,
        Err(error) => return Ok(vec![mounts::not_tried(&format!("{error:#}"))]),
    };
    let mut found = Vec::new();
    for target in targets {
        let ground = Ground { target, scratch, others: &[], listener };
        let plan = mounts::plan(&ground);
        found.extend(in_turn(order, &ground, plan, settings.files.allow_hard_links).await?);
    }
    Ok(found)
}

/// The quick ones, one after the other, so that what changed is the doing of one of them.
async fn in_turn(
    order: &Order,
    ground: &Ground<'_>,
    plan: Vec<Attack>,
    hard_links: bool,
) -> Result<Vec<Finding>> {
    let target = ground.target;
    let mut watch = Watch::new(ground.scratch.root(), target.given.clone(), hard_links);
    let mut found = Vec::new();
    for attack in plan.iter().filter(|attack| order.takes(attack)) {
        if Scratch::restore(&target.given)? {
            watch.changes();
        }
        let verdict = strike::strike(target, attack, Some(&mut watch)).await;
        found.push(Finding::of(target, attack, verdict));
    }
    Ok(found)
}

/// Those that last, beside each other.
async fn at_once(order: &Order, targets: Vec<Target>, scratch: &Scratch, own: SocketAddr) -> Vec<Finding> {
    let targets: Vec<Arc<Target>> = targets.into_iter().map(Arc::new).collect();
    let mut waiting = Vec::new();
    for target in &targets {
        let ground = Ground { target, scratch, others: &[], listener: own };
        let long = plan::long(&ground).into_iter().filter(|attack| order.takes(attack));
        waiting.extend(long.map(|attack| (Arc::clone(target), attack)));
    }
    let (mut running, mut found) = (JoinSet::new(), Vec::new());
    for (target, attack) in waiting {
        if running.len() >= AT_ONCE {
            found.extend(running.join_next().await.and_then(Result::ok));
        }
        running.spawn(async move {
            let verdict = strike::strike(&target, &attack, None).await;
            Finding::of(&target, &attack, verdict)
        });
    }
    found.extend(running.join_all().await);
    found.sort_by(|one: &Finding, other| (&one.skill, &one.id).cmp(&(&other.skill, &other.id)));
    found
}

/// Directories of other skills that this one was not given.
fn others(order: &Order, given: impl Fn(&SkillEntry) -> Vec<Given>, own: &[Given]) -> Vec<Given> {
    let all = order.soul.skills().iter().flat_map(given);
    let foreign =
        |other: &Given| !own.iter().any(|own| other.at.starts_with(&own.at) || own.at.starts_with(&other.at));
    let mut found: Vec<Given> = Vec::new();
    for other in all.filter(foreign) {
        if !found.iter().any(|one| one.at == other.at) {
            found.push(other);
        }
    }
    found
}

/// The operator's rules for directories, over the scratch folder: what is denied elsewhere does not lie here.
fn rules(settings: &Settings, scratch: &Scratch) -> soulbound_runtime::sandbox::files::OpenRules {
    let mut rules = settings.files.clone();
    let root = scratch.root();
    let touches = |path: &Path| root.starts_with(path) || path.starts_with(&root);
    rules.deny.retain(|path| !touches(path));
    rules.state_folder = Some(scratch.state());
    rules
}

/// The engine, with the operator's cache of compiled components: what it holds is authenticated.
fn runtime(
    state: &StateFolder,
    settings: &Settings,
    secrets: Option<Arc<secrets::Vault>>,
) -> Result<Runtime> {
    let mut compiler = Compiler::of_this_program();
    if let Ok(cache) = state.make().and_then(|()| Ok(Cache::open(state.path().join("cache"))?)) {
        compiler = compiler.with_cache(cache);
    }
    let mut config = RuntimeConfig::new(compiler);
    config.isolation = settings.isolation;
    config.limits = settings.limits.clone();
    config.secrets = secrets.map(|vault| vault as Arc<dyn SecretSource>);
    Ok(Runtime::new(config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_run_is_never_the_whole_run_and_what_got_out_in_it_is_written_down() {
        let text = b"# A\n## Identity\n- Name: Echo\n## Skills\n- reader: Reads\n  - read: ./in\n".to_vec();
        let subject = subject::Subject {
            named: "echo".to_owned(),
            soul: Soul::parse("SOUL.md", &text).unwrap(),
            folder: PathBuf::from("/srv/echo"),
            text,
            files: Vec::new(),
            manifest: Some(Digest([1; 32])),
        };
        let mut order = Order::whole(subject, 5, Vec::new());
        assert!(!order.live, "asked for in words alone");
        let mut report = Report::new("echo", "echo", "SOUL.md", 5);
        let attack = Attack::new(Class::Paths, "x", "x", "files", serde_json::Value::Null);
        report.findings.push(Finding::new(&attack, "reader", 5, Verdict::NoEffect));
        assert!(order.ran(&report).is_some_and(|ran| ran.is_clean()));
        order.live = true;
        assert_eq!(order.ran(&report), None);
        report.findings.push(Finding::new(&attack, "reader", 5, Verdict::Escaped("out".to_owned())));
        let ran = order.ran(&report).unwrap();
        assert!(ran.escaped == 1 && !ran.whole);
    }
}

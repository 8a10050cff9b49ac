//! A live run: the probes over the real granted directories and this machine's own addresses, because no copy tells of mounts,
//! of links that somebody made, or of what lies beside a directory.
//!
//! The rule, which holds also where a wall does not: nothing is changed. The plan has two acts, which look; the strike carries out
//! nothing else; what would change anything is held. Nothing is made, no file's content is read, and nothing leaves the machine.

mod around;
mod network;
mod plan;
pub(crate) mod sight;
mod walk;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use soulbound_runtime::grant::limit::Rate;
use soulbound_runtime::sandbox::{AgentIdentity, Runtime};
use soulbound_runtime::soul::SkillEntry;
use soulbound_runtime::visible;

use super::attack::{Attack, Class, ProbeKind};
use super::canary::Search;
use super::oracle::Verdict;
use super::probe::{Probes, Target};
use super::report::{Finding, Report};
use super::scratch::Given;
use super::stage::NO_SKILL;
use super::strike;
use super::stub::Stub;
use super::{OFTEN, Order};
use crate::settings::Settings;
use crate::state::StateFolder;
use around::Around;
use network::Machine;
use sight::Sight;
use walk::{Walked, walk};

/// What a live run leaves to the scratch run, and why.
const NOT_TRIED: [(Class, &str, &str, &str); 9] = [
    (
        Class::Paths,
        "live-changes",
        "writing, renaming, removing, linking, touching",
        "a live run changes nothing",
    ),
    (
        Class::Paths,
        "live-races",
        "names that change while they are used",
        "somebody would have to change names in the real directories",
    ),
    (
        Class::Network,
        "live-lookups",
        "where this machine's name server leads granted names",
        "a lookup tells it which hosts are granted",
    ),
    (
        Class::Network,
        "live-requests",
        "methods, headers, redirects and look-alikes of granted hosts",
        "a live run sends nothing to anybody; the stub network shows the same",
    ),
    (
        Class::Exhaustion,
        "live",
        "limits",
        "using them up fills real directories and slows the machine; a copy shows the same",
    ),
    (
        Class::Authority,
        "live",
        "other skills, components and tokens",
        "that takes a gateway of its own, with a state folder of its own",
    ),
    (Class::Exfiltration, "live", "data that leaves by an open way", "a live run sends nothing to anybody"),
    (Class::Audit, "live", "records and screens", "forged lines would stand in the operator's own trail"),
    (Class::Model, "live", "calls of an injected model", "the agent's own tools do more than look"),
];

/// What an operator is asked to agree to.
pub(crate) fn announcement(order: &Order) -> String {
    let mut text = format!("a live run of {} on this machine\n", visible::line(order.soul.id()));
    for entry in order.entries() {
        let _ = writeln!(text, "  {}", entry.name);
        for given in given(entry, &order.folder) {
            let at = visible::line(&given.at.to_string_lossy());
            let _ = writeln!(text, "    looks in {at}, and from there at what lies around it");
        }
        if entry.grant.directories.is_empty() {
            let _ = writeln!(text, "    looks for files, without a granted directory");
        }
        if !entry.grant.hosts.is_empty() {
            let _ = writeln!(
                text,
                "    tries this machine's own and other private addresses; no lookup and no request leaves"
            );
        }
    }
    text.push_str("it opens directories and files to see whether they open, reads no content, and changes and makes nothing");
    text
}

/// Attacks an agent where it really is.
pub(super) async fn attacks(order: &Order, state: &StateFolder, settings: &Settings) -> Result<Report> {
    let started = Instant::now();
    let probes = Probes::find()?;
    let mut report = Report::new(&order.named, order.soul.id(), order.soul.file(), order.seed);
    report.live = true;
    let runtime = super::runtime(state, settings, None)?;
    let machine = Machine::this(settings.listen).context("this machine does not tell its addresses")?;
    for entry in order.entries() {
        let stub = Arc::new(Stub::start().await?);
        let over = over(&runtime, settings, &stub)?;
        let identity = AgentIdentity {
            id: order.soul.id().to_owned(),
            named: order.named.clone(),
            folder: order.folder.clone(),
        };
        let given = given(entry, &order.folder);
        let nothing = Search::new(Vec::new())?;
        let bound = Target::bind(&probes, over, &identity, entry.clone(), given, stub, nothing);
        match bound {
            Ok(target) => one(order, target, state, settings, &machine, &mut report).await,
            Err(error) => {
                let attack = Attack::new(
                    Class::Paths,
                    "live-control-bind",
                    "the grant, as it is",
                    "bind",
                    Value::Null,
                );
                report.findings.push(Finding::new(
                    &attack,
                    &entry.name,
                    entry.line,
                    Verdict::Blind(error.to_string()),
                ));
            }
        }
    }
    for (class, id, what, why) in NOT_TRIED {
        let attack = Attack::new(class, id, what, "live", Value::Null);
        if order.takes(&attack) {
            report.findings.push(Finding::new(&attack, NO_SKILL, 0, Verdict::NotTried(why.to_owned())));
        }
    }
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The operator's own settings, but for budgets over time, which the attacks would use up, and for where connections end.
fn over(runtime: &Runtime, settings: &Settings, stub: &Stub) -> Result<Runtime> {
    let mut limits = settings.limits.clone();
    limits.rate = vec![Rate { amount: OFTEN, per: Duration::from_secs(1) }];
    let network = stub.under(settings.network.clone(), Vec::new());
    Ok(runtime.with_settings(limits, settings.files.clone(), network, Vec::new())?)
}

/// One skill's grant.
async fn one(
    order: &Order,
    mut target: Target,
    state: &StateFolder,
    settings: &Settings,
    machine: &Machine,
    report: &mut Report,
) {
    let hard_links = settings.files.allow_hard_links;
    let walked: Vec<Walked> = target.given.iter().map(|given| walk(given, hard_links)).collect();
    for walked in &walked {
        report.notes.extend(walked.left_out.iter().map(|note| format!("skill `{}`: {note}", target.name)));
    }
    target.sight = Some(Sight::new(walked.iter().flat_map(|walked| walked.prints.iter().cloned())));
    let others = super::others(order, |entry| given(entry, &order.folder), &target.given);
    let around = Around {
        folder: &order.folder,
        state: state.path(),
        home: settings.files.home.as_deref(),
        given: &target.given,
        others: &others,
    };
    let mut plan = paths(&target.given, &walked, &around.landmarks());
    if target.probe(ProbeKind::Http).is_some() {
        plan.extend(machine.attacks(&target.entry.grant.hosts, target.stub.server()));
    }
    for attack in plan.iter().filter(|attack| order.takes(attack)) {
        let verdict = strike::strike(&target, attack, None).await;
        report.findings.push(Finding::of(&target, attack, verdict));
    }
    let special: usize = walked.iter().map(|walked| walked.special).sum();
    let attack =
        Attack::new(Class::Paths, "live-special", "opening FIFOs, sockets and devices", "live", Value::Null);
    if special > 0 && order.takes(&attack) {
        let why = format!("{special} lie there, and what is opened may lose what was written to it");
        report.findings.push(Finding::of(&target, &attack, Verdict::NotTried(why)));
    }
}

fn paths(given: &[Given], walked: &[Walked], landmarks: &[std::path::PathBuf]) -> Vec<Attack> {
    let mut all = Vec::new();
    for (given, walked) in given.iter().zip(walked) {
        all.extend(plan::controls(given, walked));
        all.extend(plan::lying(given, walked));
        all.extend(plan::spelled(given, walked, landmarks));
    }
    all.extend(plan::of_the_root(given, landmarks));
    all
}

/// An entry's directories where they are. One that is not there keeps its path: to bind it says so.
fn given(entry: &SkillEntry, folder: &Path) -> Vec<Given> {
    let given = entry.grant.directories.iter().map(|grant| {
        let path = folder.join(&grant.path);
        let at = std::fs::canonicalize(&path).unwrap_or(path);
        Given { at, guest: grant.guest.clone(), mode: grant.mode, hidden: grant.hidden }
    });
    given.collect()
}

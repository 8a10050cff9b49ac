//! `soulbound redteam AGENT|SOUL.md`: attacks an agent's own grants, and says what got out.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::cli::question::{self, Heard};
use crate::exit::Exit;
use crate::operator;
use crate::redteam::attack::Class;
use crate::redteam::report::Report;
use crate::redteam::report::{json, junit, sarif, table};
use crate::redteam::subject::Subject;
use crate::redteam::{self, Order, live, script};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::Candidate;
use crate::trust::act::Act;

/// Attack an agent's own grants, on a scratch copy and a stub network, and say what got out
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound redteam examples/guardian/SOUL.md\n  soulbound redteam guardian --class paths --json\n  soulbound redteam guardian --live\n  soulbound redteam guardian --sarif redteam.sarif --junit redteam.xml\n\nExit 0: nothing got out; 1: something did; 2: it could not be told."
)]
pub(super) struct Redteam {
    /// An agent's id, for what may run of it now; or a SOUL.md (a path with `/` or `.md`)
    #[arg(value_name = "SOUL.md|AGENT")]
    agent: String,
    /// Only this class (again for more)
    #[arg(long, value_enum)]
    class: Vec<Class>,
    /// Only under this skill's grant (again for more)
    #[arg(long)]
    skill: Vec<String>,
    /// Only the attack of this id
    #[arg(long, value_name = "ID")]
    attack: Option<String>,
    /// More calls of a misbehaving model: a file of scripts, or a folder of them (docs/redteam.md)
    #[arg(long, value_name = "FILE|DIR")]
    script: Vec<PathBuf>,
    /// The number from which every canary is made; a run says its own
    #[arg(long)]
    seed: Option<u64>,
    /// What is or was trusted of the agent, by its digest or how that begins, whatever its folder holds now
    #[arg(long, value_name = "DIGEST")]
    manifest: Option<String>,
    /// Only mount points inside the scratch copies, in the mount namespace that this process is in: a run starts itself so, by
    /// `unshare --map-root-user --mount soulbound redteam …`
    #[arg(long, conflicts_with_all = ["class", "script", "manifest"])]
    mounts: bool,
    /// Attack the real granted directories and this machine's own addresses, by looking alone: nothing is written, made, read or
    /// sent, and no granted host is asked for anything
    #[arg(long, conflicts_with_all = ["mounts", "script"])]
    live: bool,
    /// Do not ask before a live run
    #[arg(long, requires = "live")]
    yes: bool,
    /// One JSON document with every attack
    #[arg(long)]
    json: bool,
    /// Also a SARIF 2.1.0 log, into this file
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Also JUnit XML, into this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Redteam {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let settings = Settings::read(&state)?;
        let subject = match &self.manifest {
            Some(begins) => Subject::of_history(&self.agent, begins, &state)?,
            None => Subject::of(&self.agent, &state, &settings)?,
        };
        if let Some(unknown) = self.skill.iter().find(|name| subject.soul.skill(name).is_none()) {
            bail!("{}", crate::agent::not_listed(&subject.soul, None, unknown));
        }
        let classes = match &self.attack {
            // Before anything runs, where the id alone tells; and no other class is worth its time.
            Some(attack) => vec![Class::of(attack).ok_or_else(|| no_attack(attack))?],
            None => self.class.clone(),
        };
        if let (Some(attack), [class], false) = (&self.attack, classes.as_slice(), self.class.is_empty())
            && !self.class.contains(class)
        {
            return Err(no_attack(attack));
        }
        let seed = self.seed.map_or_else(random, Ok)?;
        let order = Order {
            classes,
            skills: self.skill,
            attack: self.attack,
            mounts: self.mounts,
            live: self.live,
            ..Order::whole(subject, seed, script::read(&self.script)?)
        };
        if order.live && !agreed(&order, self.yes)? {
            return Ok(Exit::CouldNotRun);
        }
        let required = settings.require_redteam;
        let report = redteam::run(&order, &state, settings)?;
        let blind = report.total().blind > 0;
        if let Some(attack) = &order.attack
            && !(order.mounts || blind || report.findings.iter().any(|finding| finding.id == *attack))
        {
            return Err(no_attack(attack));
        }
        if let Some(file) = &self.sarif {
            write(file, &serde_json::to_string_pretty(&sarif::log(&report))?)?;
        }
        if let Some(file) = &self.junit {
            write(file, &junit::document(&report)?)?;
        }
        if self.json {
            super::print_json(&json::document(&report))?;
        } else {
            super::print(&table::text(&report, Style::stdout()));
        }
        written_down(&state, &order, &report, required)?;
        let total = report.total();
        Ok(match (total.escaped, total.blind, total.tried) {
            (1.., _, _) => Exit::Refused,
            (0, 0, 1..) => Exit::Done,
            // What did not see is no proof.
            _ => Exit::CouldNotRun,
        })
    }
}

/// Whether the operator wants a live run, once they read what it does.
fn agreed(order: &Order, yes: bool) -> Result<bool> {
    super::note(&live::announcement(order));
    if yes {
        return Ok(true);
    }
    Ok(match question::ask("Look around there?")? {
        Heard::Yes => true,
        Heard::No => {
            super::note("nothing was attacked");
            false
        }
        Heard::Nobody => {
            super::complain(
                "there is no terminal to ask at, so nothing was attacked\n  hint: `--yes` beside `--live`, or without `--live` on a scratch copy",
            );
            false
        }
    })
}

/// Attacks a folder that an operator is asked to trust, with everything, and says what came of it. Whether nothing got out.
pub(super) fn before_the_question(named: &str, candidate: &Candidate, state: &StateFolder) -> Result<bool> {
    let settings = Settings::read(state)?;
    let required = settings.require_redteam;
    let order = Order::whole(Subject::of_candidate(named, candidate)?, random()?, script::read(&[])?);
    let report = redteam::run(&order, state, settings)?;
    // On the other stream: the card is the document.
    super::note(&table::text(&report, Style::stderr()));
    written_down(state, &order, &report, required)?;
    Ok(order.ran(&report).is_some_and(|ran| ran.is_clean()))
}

/// Has what came of a run written down, where it says something of a trust manifest.
fn written_down(state: &StateFolder, order: &Order, report: &Report, required: bool) -> Result<()> {
    let Some(ran) = order.ran(report) else {
        if required {
            super::note(
                "this run is no proof that `[trust] require_redteam` asks for: that is one of everything, over a scratch copy, on an agent as it is trusted or could be, with nothing out",
            );
        }
        return Ok(());
    };
    match operator::perform(state, Act::Attacked { ran }) {
        Ok(_) => Ok(()),
        Err(error) if required => Err(error.context("the run cannot be written down")),
        // Nobody asked for it: what was found is said all the same.
        Err(error) => {
            super::complain(&format!("the run could not be written down: {error:#}"));
            Ok(())
        }
    }
}

/// Which attacks there are follows from the grants.
fn no_attack(id: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "no attack has the id {}\n  hint: `--json` without `--attack` lists every attack with its id, such as `paths.control-read@/docs`",
        soulbound_runtime::visible::quoted_target(id)
    )
}

fn random() -> Result<u64> {
    // Short enough to be typed again.
    Ok(u64::from(getrandom::u32().context("the system gives no random numbers")?))
}

fn write(file: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("`{}` cannot be written", file.display()))
}

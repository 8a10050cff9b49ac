//! `soulbound redteam AGENT|SOUL.md`: attacks an agent's own grants, and says what got out.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::agent::{SoulFile, Subject, is_path};
use crate::exit::Exit;
use crate::redteam::attack::Class;
use crate::redteam::report::{json, junit, sarif, table};
use crate::redteam::{self, Order, script};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::Registry;
use crate::trust::registry;

/// Attack an agent's own grants, on a scratch copy and a stub network, and say what got out
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound redteam examples/guardian/SOUL.md\n  soulbound redteam guardian --class paths --json\n  soulbound redteam guardian --sarif redteam.sarif --junit redteam.xml\n\nExit 0: nothing got out; 1: something did; 2: it could not be told."
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
        let subject = Subject::of(&self.agent, &state, &settings)?;
        if let Some(unknown) = self.skill.iter().find(|name| subject.soul.skill(name).is_none()) {
            bail!("{}", crate::agent::not_listed(&subject.soul, unknown));
        }
        let order = Order {
            named: subject.named.clone(),
            soul: subject.soul.clone(),
            folder: subject.folder.clone(),
            seed: self.seed.map_or_else(random, Ok)?,
            classes: self.class,
            skills: self.skill,
            attack: self.attack,
            text: text(&self.agent, &state)?,
            scripts: script::read(&self.script)?,
        };
        let report = redteam::run(&order, &state, settings)?;
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
        let total = report.total();
        Ok(match (total.escaped, total.blind, total.tried) {
            (1.., _, _) => Exit::Refused,
            (0, 0, 1..) => Exit::Done,
            // What did not see is no proof.
            _ => Exit::CouldNotRun,
        })
    }
}

/// SOUL.md's bytes: the file that is named, or what is trusted of the agent.
fn text(argument: &str, state: &StateFolder) -> Result<Vec<u8>> {
    if is_path(argument) {
        let file = SoulFile::from_argument(argument)?;
        return std::fs::read(&file.path)
            .with_context(|| format!("`{}` cannot be read", file.path.display()));
    }
    let registry = Registry::open(state);
    let trusted = registry.load(&registry::id(argument)?)?.trusted;
    Ok(registry.store().get(trusted.manifest.soul)?)
}

fn random() -> Result<u64> {
    // Short enough to be typed again.
    Ok(u64::from(getrandom::u32().context("the system gives no random numbers")?))
}

fn write(file: &PathBuf, text: &str) -> Result<()> {
    std::fs::write(file, text).with_context(|| format!("`{}` cannot be written", file.display()))
}

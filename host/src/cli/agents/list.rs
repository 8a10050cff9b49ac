//! `soulbound agents list`: every agent in a line. Ten thousand of them cost no SOUL.md and no component.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use soulbound_runtime::sandbox::files::OpenRules;
use soulbound_runtime::visible;

use crate::agent::sources;
use crate::cli::gateway::status::STOPPED;
use crate::exit::Exit;
use crate::operator::holding::Holding;
use crate::oversight::breakers::open::Open;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::manifest::Manifest;
use crate::trust::record::Record;
use crate::trust::registry::Condition;
use crate::trust::runs::{self, Told};
use crate::trust::standing::{Difference, trusted_paths};
use crate::trust::{self, Fingerprint, Registry, Runs, Trusted};

/// List the agents: state, when they were trusted, their skills, and what of them runs
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents list\n  soulbound agents --json")]
pub(super) struct List {
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// An agent's line.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Row {
    pub(in crate::cli) id: String,
    name: Option<String>,
    pub(in crate::cli) state: Condition,
    trusted: Option<String>,
    digest: Option<soulbound_runtime::skill::Digest>,
    skills: Vec<String>,
    standing: Standing,
    /// What runs; none of what cannot be read.
    #[serde(serialize_with = "told")]
    pub(in crate::cli) runs: Option<Runs>,
    /// What differs, where something does.
    changes: Vec<Difference>,
    /// Open breakers, in words.
    breakers: Vec<String>,
    problem: Option<String>,
}

/// How an agent's folder stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    AsTrusted,
    Changed,
    Unreadable,
}

fn told<S: serde::Serializer>(runs: &Option<Runs>, serializer: S) -> Result<S::Ok, S::Error> {
    let told: Option<Told> = runs.as_ref().map(Runs::told);
    told.serialize(serializer)
}

/// What the agents are held against: asked once for all of them, and the gateway only where something differs.
struct Against<'a> {
    registry: Registry,
    state: &'a StateFolder,
    rules: OpenRules,
    /// What is denied, by each of its names.
    denied: Vec<PathBuf>,
    require_redteam: bool,
    holding: OnceLock<Holding>,
}

impl<'a> Against<'a> {
    fn of(state: &'a StateFolder) -> Self {
        // A list is also had with settings that cannot be used: the gateway says that they cannot.
        let settings = Settings::read(state).ok();
        let require_redteam = settings.as_ref().is_some_and(|settings| settings.require_redteam);
        let rules = settings.map(|settings| settings.files).unwrap_or_default();
        let denied = rules.deny.iter().flat_map(|place| [Some(place.clone()), place.canonicalize().ok()]);
        Self {
            registry: Registry::open(state),
            state,
            denied: denied.flatten().collect(),
            rules,
            require_redteam,
            holding: OnceLock::new(),
        }
    }

    fn holding(&self) -> &Holding {
        self.holding.get_or_init(|| Holding::ask(self.state))
    }

    /// Whether a directory that was trusted may be one that is denied now.
    fn may_deny(&self, manifest: &Manifest) -> bool {
        let mut directories = manifest.skills.iter().flat_map(|skill| &skill.directories);
        directories.any(|directory| {
            let real = &directory.real;
            self.denied.iter().any(|denied| real.starts_with(denied) || denied.starts_with(real))
        })
    }
}

impl List {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let rows = rows(&state)?;
        if self.json {
            crate::cli::print_json(&json!({"agents": rows, "stopped": state.is_stopped()}))?;
        } else if rows.is_empty() {
            crate::cli::note(
                "no agents yet\n  hint: `soulbound agents add DIR` adds one, `soulbound agents new NAME` makes one",
            );
        } else {
            crate::cli::print(&table(&rows));
            // Below ten thousand lines it is still seen.
            if state.is_stopped() {
                crate::cli::print(&Style::stdout().red(STOPPED));
            }
        }
        Ok(Exit::Done)
    }
}

/// Every agent's line. All of it is waiting for the file system, so every core waits for a part.
pub(in crate::cli) fn rows(state: &StateFolder) -> Result<Vec<Row>> {
    let against = Against::of(state);
    let agents = against.registry.conditions()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = agents.len().div_ceil(cores).max(64);
    Ok(std::thread::scope(|scope| {
        let rows_of = |part: &[(String, Condition)]| -> Vec<Row> {
            part.iter().map(|(id, state)| row(&against, id.clone(), *state)).collect()
        };
        let parts: Vec<_> =
            agents.chunks(part).map(|part| (part, scope.spawn(move || rows_of(part)))).collect();
        // A part whose thread died is done here, and dies where it is seen.
        parts.into_iter().flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| rows_of(part))).collect()
    }))
}

fn row(against: &Against<'_>, id: String, state: Condition) -> Row {
    let registry = &against.registry;
    let breakers = Open::read(&registry.folder(&id)).lines();
    let read = Record::read(&registry.folder(&id)).and_then(|record| {
        let manifest = Manifest::load(registry.store(), record.trusted)?;
        let (changes, runs) = stands(against, &record, &manifest)?;
        Ok((record, manifest, changes, runs))
    });
    match read {
        Ok((record, manifest, changes, runs)) => Row {
            id,
            state,
            trusted: Some(record.since().to_owned()),
            name: Some(record.name),
            digest: Some(record.trusted),
            skills: manifest.skills.into_iter().map(|skill| skill.name).collect(),
            standing: if changes.is_empty() { Standing::AsTrusted } else { Standing::Changed },
            runs: Some(runs),
            changes,
            breakers,
            problem: None,
        },
        Err(error) => Row {
            id,
            name: None,
            state,
            trusted: None,
            digest: None,
            skills: Vec::new(),
            standing: Standing::Unreadable,
            runs: None,
            changes: Vec::new(),
            breakers,
            problem: Some(format!("{error:#}")),
        },
    }
}

/// By the files' stamps; only where those differ by what is in them.
fn stands(against: &Against<'_>, record: &Record, manifest: &Manifest) -> Result<(Vec<Difference>, Runs)> {
    let registry = &against.registry;
    let lacks = runs::lacks(registry, record.trusted, against.require_redteam);
    let state: &Path = registry.state();
    let sources = sources(&record.folder, Some(state));
    if record.fingerprint.is_some()
        && !against.may_deny(manifest)
        && Fingerprint::take(trusted_paths(&record.folder, manifest, &sources)).digest() == record.fingerprint
    {
        return Ok((Vec::new(), Runs::of_unchanged(lacks)));
    }
    let trusted = Trusted::load(registry.store(), &record.id, &record.folder, record.trusted)?;
    let standing = trust::Standing::of(&trusted, &sources, &against.rules);
    let is_held = !standing.is_as_trusted() && against.holding().holds(&record.id, &standing);
    Ok((standing.summary(), Runs::of(&standing, is_held, lacks)))
}

fn table(rows: &[Row]) -> String {
    let style = Style::stdout();
    let width = rows.iter().map(|row| row.id.len()).max().unwrap_or_default().max(2);
    let mut lines = vec![
        style.bold(&format!("{:width$}  {:8}  {:16}  {:12}  SKILLS", "ID", "STATE", "TRUSTED", "STANDING")),
    ];
    for row in rows {
        let word = format!("{:12}", row.runs.as_ref().map_or("unreadable", Runs::word));
        let standing = match &row.runs {
            Some(runs) if runs.is_as_trusted() => style.green(&word),
            Some(runs) if !runs.is_nothing() => style.yellow(&word),
            _ => style.red(&word),
        };
        // To the minute: `2026-11-21T05:49:55.123Z`.
        let when: String = row.trusted.as_deref().unwrap_or("-").chars().take(16).collect();
        let what = row.problem.as_deref().map_or_else(|| row.skills.join(", "), first_line);
        let mut what = visible::line(&what);
        if let Some(runs) = row.runs.as_ref().filter(|runs| !runs.is_as_trusted()) {
            let sentence = runs.sentence();
            let sentence = if runs.is_nothing() { style.red(&sentence) } else { style.yellow(&sentence) };
            what.push_str(&format!("\n{:width$}  {sentence}", ""));
        }
        for change in &row.changes {
            what.push_str(&format!("\n{:width$}  {}", "", style.yellow(&change.text)));
        }
        let what = match row.breakers.as_slice() {
            [] => what,
            open => format!(
                "{what}\n{:width$}  {}",
                "",
                style.red(&format!("breaker open: {}", visible::line(&open.join(", "))))
            ),
        };
        lines.push(format!(
            "{:width$}  {:8}  {:16}  {standing}  {}",
            row.id,
            row.state.word(),
            visible::line(&when),
            what
        ));
    }
    lines.join("\n")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

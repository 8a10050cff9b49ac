//! `soulbound agents list`: every agent in a line. Ten thousand of them cost no SOUL.md and no component.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use soulbound_runtime::visible;

use crate::agent::sources;
use crate::exit::Exit;
use crate::oversight::breakers::open::Open;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::manifest::Manifest;
use crate::trust::record::Record;
use crate::trust::registry::Condition;
use crate::trust::standing::{Difference, trusted_paths};
use crate::trust::{Fingerprint, Registry, Trusted, standing};

/// List the agents: state, when they were trusted, their skills, and whether their folders are as trusted
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents list\n  soulbound agents --json")]
pub(super) struct List {
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// An agent's line.
#[derive(Debug, Serialize)]
struct Row {
    id: String,
    name: Option<String>,
    state: Condition,
    trusted: Option<String>,
    digest: Option<soulbound_runtime::skill::Digest>,
    skills: Vec<String>,
    standing: Standing,
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

impl List {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let registry = Registry::open(&state);
        let rows = rows(&registry)?;
        if self.json {
            crate::cli::print_json(&json!({"agents": rows}))?;
        } else if rows.is_empty() {
            crate::cli::note(
                "no agents yet\n  hint: `soulbound agents add DIR` adds one, `soulbound agents new NAME` makes one",
            );
        } else {
            crate::cli::print(&table(&rows));
        }
        Ok(Exit::Done)
    }
}

/// Every agent's line. All of it is waiting for the file system, so every core waits for a part.
fn rows(registry: &Registry) -> Result<Vec<Row>> {
    let agents = registry.conditions()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let part = agents.len().div_ceil(cores).max(64);
    Ok(std::thread::scope(|scope| {
        let rows_of = |part: &[(String, Condition)]| -> Vec<Row> {
            part.iter().map(|(id, state)| row(registry, id.clone(), *state)).collect()
        };
        let parts: Vec<_> =
            agents.chunks(part).map(|part| (part, scope.spawn(move || rows_of(part)))).collect();
        // A part whose thread died is done here, and dies where it is seen.
        parts.into_iter().flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| rows_of(part))).collect()
    }))
}

fn row(registry: &Registry, id: String, state: Condition) -> Row {
    let breakers = Open::read(&registry.folder(&id)).lines();
    let read = Record::read(&registry.folder(&id)).and_then(|record| {
        let manifest = Manifest::load(registry.store(), record.trusted)?;
        let changes = changes_of(registry, &record, &manifest)?;
        Ok((record, manifest, changes))
    });
    match read {
        Ok((record, manifest, changes)) => Row {
            id,
            state,
            trusted: Some(record.since().to_owned()),
            name: Some(record.name),
            digest: Some(record.trusted),
            skills: manifest.skills.into_iter().map(|skill| skill.name).collect(),
            standing: if changes.is_none() { Standing::AsTrusted } else { Standing::Changed },
            changes: changes.unwrap_or_default(),
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
            changes: Vec::new(),
            breakers,
            problem: Some(format!("{error:#}")),
        },
    }
}

/// By the files' stamps; only where those differ by what is in them.
fn changes_of(registry: &Registry, record: &Record, manifest: &Manifest) -> Result<Option<Vec<Difference>>> {
    let state: &Path = registry.state();
    let sources = sources(&record.folder, Some(state));
    if record.fingerprint.is_some()
        && Fingerprint::take(trusted_paths(&record.folder, manifest, &sources)).digest() == record.fingerprint
    {
        return Ok(None);
    }
    let trusted = Trusted::load(registry.store(), &record.id, &record.folder, record.trusted)?;
    Ok(standing::differences(&trusted, &sources))
}

fn table(rows: &[Row]) -> String {
    let style = Style::stdout();
    let width = rows.iter().map(|row| row.id.len()).max().unwrap_or_default().max(2);
    let mut lines = vec![
        style.bold(&format!("{:width$}  {:8}  {:16}  {:10}  SKILLS", "ID", "STATE", "TRUSTED", "STANDING")),
    ];
    for row in rows {
        let standing = match row.standing {
            Standing::AsTrusted => style.green("as trusted"),
            Standing::Changed => style.yellow("changed   "),
            Standing::Unreadable => style.red("unreadable"),
        };
        // To the minute: `2026-11-21T05:49:55.123Z`.
        let when: String = row.trusted.as_deref().unwrap_or("-").chars().take(16).collect();
        let what = row.problem.as_deref().map_or_else(|| row.skills.join(", "), first_line);
        let mut what = visible::line(&what);
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

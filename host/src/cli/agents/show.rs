//! `soulbound agents show ID`: one agent, what may run of it now, and what differs.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use soulbound_runtime::visible;

use super::Looked;
use crate::cli::gateway::status::STOPPED;
use crate::exit::Exit;
use crate::oversight::breakers::open::Open;
use crate::review::{Form, Review, page};
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::card;

/// Show an agent: what is trusted of it, what may run now, what differs
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound agents show guardian\n  soulbound agents show guardian --baseline"
)]
pub(super) struct Show {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// What is usual for each of its skills, as learned so far
    #[arg(long)]
    baseline: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        if self.baseline {
            return super::baseline::show(&state, &self.agent, self.json);
        }
        let looked = super::look(&state, &self.agent)?;
        if self.json {
            crate::cli::print_json(&document(&looked, state.is_stopped())?)?;
        } else {
            report(&looked, state.is_stopped());
            report_secrets(&looked)?;
        }
        Ok(Exit::Done)
    }
}

fn document(looked: &Looked, is_stopped: bool) -> Result<Value> {
    let (record, trusted, standing) = (&looked.agent.record, &looked.agent.trusted, &looked.standing);
    let effective =
        standing.effective.clone().map(|soul| Review::of_file(Ok(soul)).document()).transpose()?;
    let refused: Vec<Value> =
        standing.refused.iter().map(|(skill, denial)| json!({"skill": skill, "denial": denial})).collect();
    let secrets = crate::cli::secrets::rows(&StateFolder::find()?, &record.id);
    let secrets = secrets.map_or_else(|error| json!({"error": format!("{error:#}")}), |rows| json!(rows));
    Ok(json!({
        "secrets": secrets,
        "id": record.id, "name": record.name, "folder": record.folder,
        "state": looked.registry.condition(&record.id), "stopped": is_stopped,
        "trusted": {"digest": trusted.digest, "since": record.since(), "manifest": trusted.manifest},
        "as_trusted": standing.is_as_trusted(), "runs": looked.runs.told(),
        "changes": standing.changes, "refused": refused, "effective": effective,
        "breakers": open(looked).document(),
    }))
}

/// What of its secrets is set, and what is missing.
fn report_secrets(looked: &Looked) -> Result<()> {
    let style = Style::stdout();
    let rows = match crate::cli::secrets::rows(&StateFolder::find()?, &looked.agent.record.id) {
        Ok(rows) if rows.is_empty() => return Ok(()),
        rows => rows,
    };
    crate::cli::print(&format!("\n{}", style.bold("secrets")));
    match rows {
        Err(error) => crate::cli::print(&style.red(&crate::cli::escaped(&format!("  {error:#}")))),
        Ok(rows) => {
            for row in rows {
                let (name, host) = (visible::line(&row.name), visible::line(&row.host));
                let set: String = row.set.iter().flat_map(|set| set.chars().take(16)).collect();
                match row.problem() {
                    Some((message, fix)) => {
                        crate::cli::print(&style.red(&format!("  {}", visible::line(&message))));
                        crate::cli::print(&format!("    hint: {}", visible::line(&fix)));
                    }
                    None => crate::cli::print(&format!("  {name} for {host}, set {}", visible::line(&set))),
                }
            }
        }
    }
    Ok(())
}

/// Which breakers of it are open.
fn open(looked: &Looked) -> Open {
    Open::read(&looked.registry.folder(&looked.agent.record.id))
}

fn report(looked: &Looked, is_stopped: bool) {
    let style = Style::stdout();
    let (record, standing) = (&looked.agent.record, &looked.standing);
    let state = looked.registry.condition(&record.id);
    match &standing.effective {
        Some(soul) => {
            let review = Review::of_file(Ok(soul.clone()));
            let digest = looked.agent.trusted.digest.to_string();
            let folder = record.folder.display().to_string();
            crate::cli::print(&page(&review, &folder, Form::Card { digest: Some(&digest) }, style));
        }
        None => crate::cli::print(&style.red(&format!(
            "{} ({}): nothing may run",
            visible::line(&record.name),
            record.id
        ))),
    }
    crate::cli::print(&format!("\n{}", style.bold("trust")));
    if is_stopped {
        crate::cli::print(&format!("  {}", style.red(STOPPED)));
    }
    for line in open(looked).lines() {
        crate::cli::print(&format!("  {}", style.red(&format!("breaker open: {}", visible::line(&line)))));
    }
    crate::cli::print(&format!("  {}, trusted since {}", state.word(), visible::line(record.since())));
    let sentence = visible::line(&looked.runs.sentence());
    let sentence = match &looked.runs {
        runs if runs.is_as_trusted() => style.green(&sentence),
        runs if runs.is_nothing() => style.red(&sentence),
        _ => style.yellow(&sentence),
    };
    crate::cli::print(&format!("  {sentence}"));
    if standing.is_as_trusted() {
        return;
    }
    crate::cli::print(&card::changes(&standing.changes, style));
    for (_, denial) in &standing.refused {
        crate::cli::print(&format!("  {}", visible::line(&denial.message)));
    }
}

//! `soulbound secrets list`: names, hosts, when, and how each stands to SOUL.md. Never a value.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use soulbound_runtime::visible;

use crate::exit::Exit;
use crate::oversight::secrets::place::Place;
use crate::oversight::secrets::survey::{Row, Standing};
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::{Registry, registry};

/// List secrets: name, host, when set and last used, and whether SOUL.md names it; never a value
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound secrets list\n  soulbound secrets list --agent guardian --json"
)]
pub(super) struct List {
    /// Of this agent only
    #[arg(long, value_name = "AGENT")]
    pub(super) agent: Option<String>,
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let registry = Registry::open(&state);
        let agents = match &self.agent {
            None => registry.ids()?,
            Some(agent) => {
                let id = registry::id(agent)?;
                registry.record(&id)?;
                vec![id]
            }
        };
        let mut rows = Vec::new();
        for agent in agents {
            rows.extend(super::rows(&state, &agent)?);
        }
        let place = super::store(&state)?.key_place()?;
        if self.json {
            let word = place.as_ref().map(Place::word);
            crate::cli::print_json(&json!({"secrets": rows, "key": word}))?;
        } else if rows.is_empty() {
            crate::cli::note(
                "no secrets yet\n  hint: soulbound secrets set NAME --agent AGENT --for https://host",
            );
        } else {
            crate::cli::print(&table(&rows, Style::stdout()));
            if let Some(place) = place {
                crate::cli::note(&place.to_string());
            }
        }
        Ok(Exit::Done)
    }
}

/// One row a secret.
pub(crate) fn table(rows: &[Row], style: Style) -> String {
    let widest = |of: fn(&Row) -> &str, least: usize| {
        rows.iter().map(|row| of(row).len()).max().unwrap_or_default().max(least)
    };
    let (agent, name, host) =
        (widest(|row| &row.agent, 5), widest(|row| &row.name, 4), widest(|row| &row.host, 4));
    let head = format!(
        "{:agent$}  {:name$}  {:host$}  {:16}  {:16}  SOUL.md",
        "AGENT", "NAME", "HOST", "SET", "USED"
    );
    let mut lines = vec![style.bold(&head)];
    for row in rows {
        let soul = match &row.soul {
            Standing::Named => style.green("named"),
            Standing::NotNamed => style.yellow("does not name it"),
            Standing::OtherHost(others) => style.red(&format!("names {}", others.join(", "))),
            Standing::NotSet => style.red("named, and not set"),
            Standing::Unknown => style.red("cannot be read"),
        };
        lines.push(format!(
            "{:agent$}  {:name$}  {:host$}  {:16}  {:16}  {soul}",
            row.agent,
            row.name,
            visible::line(&row.host),
            minute(row.set.as_deref()),
            minute(row.used.as_deref()),
        ));
    }
    lines.join("\n")
}

/// To the minute: `2026-11-21T05:49`.
fn minute(moment: Option<&str>) -> String {
    visible::line(&moment.unwrap_or("-").chars().take(16).collect::<String>())
}

//! `soulbound agents history ID`: what was trusted, when, by whom.

use anyhow::Result;
use clap::Args;
use serde_json::json;
use soulbound_runtime::visible;

use crate::exit::Exit;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::Registry;
use crate::trust::act::short;
use crate::trust::record::How;
use crate::trust::registry::id;

/// List what was trusted of an agent, when and by whom
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound agents history guardian")]
pub(super) struct History {
    /// The agent
    #[arg(value_name = "AGENT")]
    agent: String,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl History {
    pub(super) fn run(self) -> Result<Exit> {
        let record = Registry::open(&StateFolder::find()?).record(&id(&self.agent)?)?;
        if self.json {
            let document = json!({"id": record.id, "trusted": record.trusted, "history": record.history});
            crate::cli::print_json(&document)?;
            return Ok(Exit::Done);
        }
        let style = Style::stdout();
        // What was trusted twice stands there twice; in force is what the last act made so.
        for (index, act) in record.history.iter().rev().enumerate() {
            let how = match act.how {
                How::Added => "added",
                How::Trusted => "trusted",
                How::RolledBack => "rolled back",
            };
            let now = match (act.manifest == record.trusted, index) {
                (true, 0) => style.green(" (trusted now)"),
                (true, _) => style.dim(" (the same bytes)"),
                (false, _) => String::new(),
            };
            crate::cli::print(&format!(
                "{}  {how:11}  {}  by {}{now}",
                visible::line(&act.when),
                short(act.manifest),
                visible::line(&act.who.to_string())
            ));
        }
        crate::cli::note(&format!(
            "  hint: `soulbound agents rollback {} --to DIGEST` returns to one",
            record.id
        ));
        Ok(Exit::Done)
    }
}

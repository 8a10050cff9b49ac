//! `soulbound audit`: the trails, shown, proven and taken out. Reads files only; works with and without a gateway.

mod csv;
mod export;
mod replay;
mod row;
mod show;
mod verify;

pub(super) use verify::keys;

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use soulbound_runtime::visible;

use crate::audit::read::Filter;
use crate::audit::{Decision, Event, GATEWAY, agent_folder};
use crate::clock::Moment;
use crate::exit::Exit;
use crate::state::StateFolder;

/// The audit trails: what every agent did, was refused, and was stopped doing
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Example:\n  soulbound audit echo --decision denied\n  soulbound audit verify\n  soulbound audit export echo --format csv --since 2026-11-01"
)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    show: show::Show,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(show::Show),
    Verify(verify::Verify),
    Replay(replay::ReplayTrails),
    Export(export::Export),
    /// The JSON Schema of a record
    Schema,
}

impl Audit {
    pub(super) fn run(self) -> Result<Exit> {
        match self.verb {
            None => self.show.run(),
            Some(Verb::Show(show)) => show.run(),
            Some(Verb::Verify(verify)) => verify.run(),
            Some(Verb::Replay(replay)) => replay.run(),
            Some(Verb::Export(export)) => export.run(),
            Some(Verb::Schema) => {
                super::print(include_str!("../../../docs/audit.schema.json").trim_end());
                Ok(Exit::Done)
            }
        }
    }
}

/// Which records.
#[derive(Debug, Args)]
struct Which {
    /// The agent's id; without, the gateway's own trail
    agent: Option<String>,
    /// Of this skill
    #[arg(long)]
    skill: Option<String>,
    /// Decided so
    #[arg(long, value_parser = PossibleValuesParser::new(Decision::ALL.iter().map(|decision| decision.name())))]
    decision: Option<String>,
    /// About this
    #[arg(long, hide_possible_values = true, value_parser = PossibleValuesParser::new(Event::ALL.iter().map(|event| event.name())))]
    event: Option<String>,
    /// Written then or later: `2026-11-21` or `2026-11-21T05:49:00Z`
    #[arg(long, value_parser = moment)]
    since: Option<Moment>,
    /// Written before
    #[arg(long, value_parser = moment)]
    until: Option<Moment>,
}

impl Which {
    /// The trail's folder, whose it is, and the filter.
    fn find(self) -> Result<(PathBuf, String, Filter)> {
        let state = StateFolder::find()?;
        let (folder, owner) = trail_of(&state, self.agent.as_deref())?;
        let filter = Filter {
            skill: self.skill,
            decision: self.decision.as_deref().and_then(Decision::parse),
            event: self.event,
            since: self.since,
            until: self.until,
        };
        Ok((folder, owner, filter))
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text)
        .ok_or_else(|| "expected a date or an RFC 3339 time, such as `2026-11-21T05:49:00Z`".to_owned())
}

/// Where an agent's trail is, or the gateway's own.
pub(super) fn trail_of(state: &StateFolder, agent: Option<&str>) -> Result<(PathBuf, String)> {
    let Some(agent) = agent else {
        let folder = state.path().to_owned();
        if !folder.is_dir() {
            bail!("there is no trail yet: the state folder `{}` is not there", folder.display());
        }
        return Ok((folder, GATEWAY.to_owned()));
    };
    // An id is a slug: nothing in it leads out of the folder.
    let slug = !agent.is_empty() && agent.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-'));
    let folder = agent_folder(state.path(), agent);
    if !slug || !folder.is_dir() {
        bail!(
            "there is no agent `{}` in `{}`\n  hint: soulbound agents list",
            visible::line(agent),
            state.path().display()
        );
    }
    Ok((folder, agent.to_owned()))
}

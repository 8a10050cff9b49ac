//! `soulbound agents`: who they are, what is trusted of them, and every act on them. One file a verb.
//!
//! The rule: what is shown is read once, and an act names it by digest. Nothing here changes anything itself: every act goes
//! through [`crate::operator::perform()`].

mod accept;
mod acceptable;
mod add;
mod baseline;
mod diff;
mod history;
pub(super) mod list;
mod new;
mod rollback;
mod show;
mod switch;
mod token;
mod trust;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::agent::sources;
use crate::exit::Exit;
use crate::operator::{self, holding::Holding};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::act::Act;
use crate::trust::registry::{self, Agent};
use crate::trust::{Registry, Runs, Standing, runs};

/// List the agents, add one, see and accept what changed, stop one
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  soulbound agents add examples/guardian\n  soulbound agents diff guardian\n  soulbound agents disable guardian"
)]
pub(super) struct Agents {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    List(list::List),
    Add(add::Add),
    New(new::New),
    Show(show::Show),
    Diff(diff::Diff),
    Trust(trust::Trust),
    Rollback(rollback::Rollback),
    History(history::History),
    Token(token::Token),
    Enable(switch::Enable),
    Disable(switch::Disable),
    Reset(switch::Reset),
    #[command(aliases = ["delete", "rm"])]
    Remove(switch::Remove),
}

impl Agents {
    pub(super) fn run(self) -> Result<Exit> {
        match self.verb {
            None => list::List { json: self.json }.run(),
            Some(Verb::List(list)) => list.run(),
            Some(Verb::Add(add)) => add.run(),
            Some(Verb::New(new)) => new.run(),
            Some(Verb::Show(show)) => show.run(),
            Some(Verb::Diff(diff)) => diff.run(),
            Some(Verb::Trust(trust)) => trust.run(),
            Some(Verb::Rollback(rollback)) => rollback.run(),
            Some(Verb::History(history)) => history.run(),
            Some(Verb::Token(token)) => token.run(),
            Some(Verb::Enable(enable)) => enable.run(),
            Some(Verb::Disable(disable)) => disable.run(),
            Some(Verb::Reset(reset)) => reset.run(),
            Some(Verb::Remove(remove)) => remove.run(),
        }
    }
}

/// An agent that there is, and how its folder stands.
struct Looked {
    agent: Agent,
    standing: Standing,
    registry: Registry,
    /// What of it runs.
    runs: Runs,
}

/// Looks at the agent that an argument means.
fn look(state: &StateFolder, argument: &str) -> Result<Looked> {
    let registry = Registry::open(state);
    let agent = registry.load(&registry::id(argument)?)?;
    let settings = Settings::read(state)?;
    let sources = sources(&agent.trusted.folder, Some(state.path()));
    let standing = Standing::of(&agent.trusted, &sources, &settings.files);
    let is_held = !standing.is_as_trusted() && Holding::ask(state).holds(&agent.record.id, &standing);
    let lacks = runs::lacks(&registry, agent.trusted.digest, settings.require_redteam);
    let runs = Runs::of(&standing, is_held, lacks);
    Ok(Looked { agent, standing, registry, runs })
}

/// Has an act carried out and says what came of it.
fn perform(state: &StateFolder, act: Act) -> Result<Exit> {
    let done = operator::perform(state, act)?;
    for line in done.said {
        super::note(&soulbound_runtime::visible::line(&line));
    }
    Ok(if done.falls_short { Exit::Refused } else { Exit::Done })
}

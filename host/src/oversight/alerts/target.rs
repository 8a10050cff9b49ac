//! One `[[alerts]]` entry: who is told, of what, how often, and what happens besides.

use std::time::Duration;

use super::{About, Alert, Command};
use crate::oversight::place::Place;

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Its name: the operator's, or the kind's.
    pub(crate) name: String,
    /// How it is told.
    pub(crate) way: Way,
    /// Of what.
    pub(crate) on: Vec<About>,
    /// Of these agents; none for all, and for the gateway.
    pub(crate) agents: Option<Vec<String>>,
    /// Between two messages of one kind about one agent.
    pub(crate) cooldown: Duration,
    /// Whether the agent is disabled.
    pub(crate) disables: bool,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// By a post.
    Post(Place),
    /// By a program that is run.
    Run(Command),
}

impl Way {
    /// The key that names it in gateway.toml.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Post(place) => place.kind(),
            Self::Run(_) => "command",
        }
    }

    /// Where that is, without any credential.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Post(place) => place.url().place(),
            Self::Run(command) => command.program().to_owned(),
        }
    }
}

impl Target {
    /// Whether it is told of this. What concerns the whole gateway concerns every agent.
    pub(super) fn wants(&self, alert: &Alert) -> bool {
        let of_agent = match (&self.agents, &alert.agent) {
            (None, _) | (_, None) => true,
            (Some(listed), Some(agent)) => listed.contains(agent),
        };
        of_agent && self.on.contains(&alert.about)
    }

    /// Whether this disables the agent. A stop is one already.
    pub(super) fn disables_for(&self, alert: &Alert) -> bool {
        self.disables && alert.about != About::Stop
    }
}

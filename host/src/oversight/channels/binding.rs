//! One channel as the operator bound it: to which place, for which agents, for whose eyes.

use std::path::PathBuf;

use soulbound_runtime::RuleRef;

use crate::oversight::place::Place;

/// One `[[channels]]` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The channel's name as SOUL.md has it: `slack: content-team`.
    pub(crate) channel: String,
    /// For these agents; none for all.
    pub(crate) agents: Option<Vec<String>>,
    /// Who reads it.
    pub(crate) audience: Audience,
    /// What is reviewed.
    pub(crate) review: Review,
    /// Where it leads.
    pub(crate) place: Where,
}

/// Who reads a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// People of the operator's own.
    Internal,
    /// Anybody else too.
    Public,
}

/// What of a channel waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Review {
    /// Every message.
    Always,
    /// What SOUL.md says.
    AsSoulSays,
}

/// Where a channel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Where {
    /// Over the network.
    Place(Place),
    /// To the end of a file.
    File(PathBuf),
}

impl Audience {
    /// As gateway.toml writes it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}

impl Where {
    /// The key that names it in gateway.toml.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Place(place) => place.kind(),
            Self::File(_) => "file",
        }
    }
}

impl Binding {
    /// Whether it is where this agent's channel leads.
    pub(crate) fn is_for(&self, agent: &str, channel: &str) -> bool {
        self.channel == channel
            && self.agents.as_ref().is_none_or(|agents| agents.iter().any(|listed| listed == agent))
    }

    /// Whether some agent's message would have two places to go to.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let shared = match (&self.agents, &other.agents) {
            (Some(own), Some(theirs)) => own.iter().any(|agent| theirs.contains(agent)),
            _ => true,
        };
        self.channel == other.channel && shared
    }

    /// The operator's requirement that every message waits, as a rule that a denial can name.
    pub(crate) fn review_rule(&self) -> Option<RuleRef> {
        (self.review == Review::Always).then(|| RuleRef {
            file: "gateway.toml".to_owned(),
            line: 0,
            column: 0,
            text: format!(
                "[[channels]] {} is {}: every message is reviewed",
                self.channel,
                self.audience.name()
            ),
        })
    }

    /// The folder of a file to which it leads.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        match &self.place {
            Where::File(path) => path.parent().map(PathBuf::from),
            Where::Place(_) => None,
        }
    }
}

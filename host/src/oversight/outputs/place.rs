//! Where something is put out, and what is done there with what a rule forbids.

use std::fmt;

use serde::Deserialize;

/// Where something leaves the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A tool's result, its error, its progress and its log: what the model or whoever called reads.
    Results,
    /// A request: URL, headers and body.
    Http,
    /// A file's name or content.
    Files,
    /// A message to one of the agent's channels.
    Channels,
}

/// What is done with it, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Nothing, and nobody looks.
    Allow,
    /// It goes on, and the trail has a note.
    Note,
    /// What is forbidden is replaced, the rest goes on.
    Redact,
    /// A person is asked.
    Hold,
    /// It is refused.
    Block,
}

/// The action of one rule in each place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Actions {
    /// In results.
    pub(crate) results: Action,
    /// In requests.
    pub(crate) http: Action,
    /// In files.
    pub(crate) files: Action,
    /// In messages.
    pub(crate) channels: Action,
}

impl Place {
    /// As it stands in records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Results => "results",
            Self::Http => "http",
            Self::Files => "files",
            Self::Channels => "channels",
        }
    }

    /// What is put out there, in a sentence.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Results => "the tool's answer",
            Self::Http => "the request",
            Self::Files => "the change to a file",
            Self::Channels => "the message",
        }
    }
}

impl Action {
    /// As it stands in settings and records.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Note => "note",
            Self::Redact => "redact",
            Self::Hold => "hold",
            Self::Block => "block",
        }
    }
}

impl Actions {
    /// The same everywhere.
    pub(crate) const fn everywhere(action: Action) -> Self {
        Self { results: action, http: action, files: action, channels: action }
    }

    /// In this place.
    pub(crate) fn at(&self, place: Place) -> Action {
        match place {
            Place::Results => self.results,
            Place::Http => self.http,
            Place::Files => self.files,
            Place::Channels => self.channels,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

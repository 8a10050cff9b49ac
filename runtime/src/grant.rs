//! What one agent's SOUL.md lets one skill reach: a value, parsed once, passed around whole.
//!
//! Each kind of grant is a module of one shape: the type, its parser, the question it answers (`permits`), a
//! `Display` that reads back as the same grant, and its tests as a table. There is one matcher for hosts
//! ([`host`]) and one for paths (the sandbox's filesystem over a [`DirectoryGrant`]).

pub mod address;
pub mod approval;
pub mod capability;
pub mod channel;
pub mod directory;
pub mod environment;
pub mod host;
mod intersection;
pub mod limit;
mod lost;
pub mod output;
pub mod secret;

use std::ops::Range;

use crate::denial::RuleRef;

pub use approval::ApprovalGrant;
pub use capability::Capability;
pub use channel::ChannelGrant;
pub use directory::{DirectoryGrant, DirectoryMode};
pub use environment::EnvironmentGrant;
pub use host::HostGrant;
pub use limit::Limits;
pub use lost::LostDirectory;
pub use output::OutputRule;
pub use secret::SecretGrant;

/// Why one entry of a grant's value does not parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryError {
    /// Where in the entry's text, in bytes.
    pub at: Range<usize>,
    /// What was found and what was expected.
    pub message: String,
    /// The nearest spelling that would do, or another remedy.
    pub hint: Option<String>,
}

impl EntryError {
    /// An error that the whole entry causes.
    #[must_use]
    pub fn whole(entry: &str, message: impl Into<String>) -> Self {
        Self { at: 0..entry.len(), message: message.into(), hint: None }
    }

    /// An error at a part of the entry.
    #[must_use]
    pub fn at(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: None }
    }

    /// With a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All that one skill of one agent may reach. Built only by reading a SOUL.md ([`crate::soul::Soul::parse`]).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Grant {
    /// Directories, in the order of the file: `read`, `write` and `create` entries.
    pub directories: Vec<DirectoryGrant>,
    /// Directories that the file grants and that cannot be had: they grant nothing, and denials tell of them.
    pub lost: Vec<LostDirectory>,
    /// Network hosts.
    pub hosts: Vec<HostGrant>,
    /// Environment variables that the guest sees.
    pub environment: Vec<EnvironmentGrant>,
    /// Secrets that the host adds on the way out.
    pub secrets: Vec<SecretGrant>,
    /// What waits for a person.
    pub approve: Vec<ApprovalGrant>,
    /// Limits, tightened from the defaults.
    pub limits: Limits,
    /// Capabilities that the component may import and that every call is refused, each with its line.
    pub refuse: Vec<(Capability, RuleRef)>,
    /// The only component that may load: the SHA-256 of its bytes, and the line. A SOUL.md gives at most one; of two
    /// that narrow each other both hold.
    pub sha256: Vec<([u8; 32], RuleRef)>,
    /// The agent's channels, each with what it waits for: the same for all skills of an agent, which use them if they
    /// import the interface.
    pub channels: Vec<ChannelGrant>,
    /// The skill's own line, for denials that no nested line decides.
    pub line: Option<RuleRef>,
}

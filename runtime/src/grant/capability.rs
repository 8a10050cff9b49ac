//! The kinds of authority, and the WIT imports that each of them is: the table that a reviewer reads in a minute.
//!
//! A component's imports are its request. They are judged from its declared import list, never by trying to link: a
//! component that imports `wasi:sockets/tcp` as an empty instance links against anything.

use std::fmt;

/// A kind of authority that a skill may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Capability {
    /// Directories: `wasi:filesystem`.
    Files,
    /// Environment variables: `wasi:cli/environment`.
    Environment,
    /// HTTP requests: `wasi:http/outgoing-handler`.
    Http,
    /// Raw TCP and UDP: `wasi:sockets`.
    Sockets,
    /// Messages to the agent's channels: `soulbound:skill/channels`.
    Channels,
}

/// One row: interfaces of one package at the versions that this program speaks.
#[derive(Debug, Clone, Copy)]
pub struct ImportRow {
    /// What the imports amount to; `None` for those without authority.
    pub capability: Option<Capability>,
    /// The package, such as `wasi:http`.
    pub package: &'static str,
    /// The interfaces of it, such as `outgoing-handler`; empty for all of the package's.
    pub interfaces: &'static [&'static str],
    /// The versions spoken: major and minor, such as `0.2`.
    pub version: &'static str,
}

/// Every import that a skill may have. What no row knows refuses the skill.
pub const IMPORTS: &[ImportRow] = &[
    ImportRow {
        capability: None,
        package: "wasi:io",
        interfaces: &["error", "poll", "streams"],
        version: "0.2",
    },
    ImportRow {
        capability: None,
        package: "wasi:clocks",
        interfaces: &["monotonic-clock", "wall-clock"],
        version: "0.2",
    },
    ImportRow {
        capability: None,
        package: "wasi:random",
        interfaces: &["random", "insecure", "insecure-seed"],
        version: "0.2",
    },
    ImportRow {
        capability: None,
        package: "wasi:cli",
        interfaces: &[
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
        version: "0.2",
    },
    ImportRow { capability: None, package: "wasi:http", interfaces: &["types"], version: "0.2" },
    ImportRow {
        capability: None,
        package: "soulbound:skill",
        interfaces: &["content", "log", "progress", "self"],
        version: "0.1",
    },
    ImportRow {
        capability: Some(Capability::Channels),
        package: "soulbound:skill",
        interfaces: &["channels"],
        version: "0.1",
    },
    ImportRow {
        capability: Some(Capability::Files),
        package: "wasi:filesystem",
        interfaces: &["types", "preopens"],
        version: "0.2",
    },
    ImportRow {
        capability: Some(Capability::Environment),
        package: "wasi:cli",
        interfaces: &["environment"],
        version: "0.2",
    },
    ImportRow {
        capability: Some(Capability::Http),
        package: "wasi:http",
        interfaces: &["outgoing-handler"],
        version: "0.2",
    },
    ImportRow {
        capability: Some(Capability::Sockets),
        package: "wasi:sockets",
        interfaces: &[],
        version: "0.2",
    },
];

impl Capability {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::Files, Self::Environment, Self::Http, Self::Sockets, Self::Channels];

    /// The name that SOUL.md's `refuse` takes and that people read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Environment => "env",
            Self::Http => "http",
            Self::Sockets => "sockets",
            Self::Channels => "channels",
        }
    }

    /// The capability with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|capability| capability.name() == name)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

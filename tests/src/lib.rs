//! What the end-to-end tests share: an agent's folder in a temporary place, the real program, loopback peers.
//!
//! The rule: nothing in here knows what the program should do. A test states that itself, beside the call.
//!
//! - [`Agent`]: `SOUL.md`, directories, `skills/` and a state folder of its own
//! - [`Program`] and [`Ended`]: one run of `target/debug/soulbound`, and what came of it
//! - [`terminal::Terminal`]: a run that somebody sits before
//! - [`guest`]: skills to put beside an agent: the probes, the standard ones, and components written as text
//! - [`gateway::Gateway`]: a running gateway with the agent added; [`http`] speaks to it
//! - [`namespace`]: a script on disks of its own: full, or read-only
//! - [`trusted`]: an agent that was added, and questions about it
//! - [`tls`]: the same over TLS, with a certificate authority of the test's own
//! - [`Peer`]: a server on loopback that answers as a test wants, or never

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's harness fails by panicking, as a test does"
)]

pub mod agent;
pub mod approvals;
pub mod gateway;
pub mod guest;
pub mod http;
pub mod namespace;
pub mod peer;
pub mod program;
pub mod terminal;
pub mod tls;
pub mod trusted;

pub use agent::Agent;
pub use gateway::Gateway;
pub use peer::Peer;
pub use program::{Ended, Program};

use std::path::PathBuf;

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("`tests/` lies in the repository").to_owned()
}

/// A corpus of `tests/corpora/`, parsed.
#[must_use]
pub fn corpus(name: &str) -> serde_json::Value {
    let path = root().join("tests/corpora").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

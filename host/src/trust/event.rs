//! What happened to an agent's trust, for the audit trail: whoever called the act records it.

use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::Digest;

use crate::operator::Who;

/// One act on an agent that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// The agent's id.
    pub(crate) agent: String,
    /// What was done.
    pub(crate) what: What,
    /// Who did it.
    pub(crate) who: Who,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum What {
    /// Added, or added again, with this manifest.
    Added {
        /// What is trusted now.
        manifest: Digest,
        /// Where its folder is.
        folder: String,
    },
    /// A change was accepted.
    Trusted {
        /// What is trusted now.
        manifest: Digest,
        /// What was before.
        before: Digest,
    },
    /// The trusted bytes were put back, or an earlier manifest became the trusted one again.
    RolledBack {
        /// What is trusted now.
        manifest: Digest,
        /// What was before; the same when only the folder was restored.
        before: Digest,
    },
    /// May run again.
    Enabled,
    /// May not run until it is enabled.
    Disabled,
    /// Breakers were closed.
    Reset {
        /// Of this skill alone.
        skill: Option<String>,
        /// Which were open.
        closed: Vec<String>,
    },
    /// Its grants were attacked.
    Attacked {
        /// What came of it.
        ran: super::attacked::Ran,
    },
    /// No longer an agent. Its trail is kept.
    Removed,
}

//! What a person decided, who that was and by which way, and what it comes to.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use soulbound_runtime::visible;

/// A reason is shown to a model and stands in the trail: a sentence, not a page. In characters.
const REASON: usize = 300;
/// The longest that a permission for a time may last.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Decision {
    /// This once.
    Once {},
    /// Exactly this, so many seconds, until the gateway ends at the latest.
    For {
        /// How long.
        seconds: u64,
    },
    /// Exactly this, until it is revoked.
    Always {},
    /// Not.
    Deny {
        /// Why not; the model is told.
        reason: Option<String>,
    },
}

impl Decision {
    /// The decision with everything in it bounded.
    ///
    /// # Errors
    ///
    /// A time that is none, or too long.
    pub(crate) fn bounded(self) -> anyhow::Result<Self> {
        match self {
            Self::For { seconds } if seconds == 0 || seconds > LONGEST.as_secs() => {
                anyhow::bail!(
                    "an approval for a time lasts up to a day\n  hint: `--always` lasts until it is revoked"
                )
            }
            Self::Deny { reason: Some(reason) } => {
                Ok(Self::Deny { reason: Some(reason.chars().take(REASON).collect()) })
            }
            other => Ok(other),
        }
    }

    /// In the trail: `once`, `30m`, `always`, `denied`.
    pub(crate) fn scope(&self) -> String {
        match self {
            Self::Once {} => "once".to_owned(),
            Self::For { seconds } => format!("{seconds}s"),
            Self::Always {} => "always".to_owned(),
            Self::Deny { .. } => "denied".to_owned(),
        }
    }

    /// In a sentence: `approved once`.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Once {} => "approved once".to_owned(),
            Self::For { seconds } => format!("approved for {seconds} s"),
            Self::Always {} => "approved until it is revoked".to_owned(),
            Self::Deny { reason: None } => "denied".to_owned(),
            Self::Deny { reason: Some(reason) } => format!("denied: {}", visible::quoted(reason, REASON)),
        }
    }
}

/// Who decided, and how the decision came.
#[derive(Debug, Clone)]
pub(crate) struct Decider {
    /// As far as is known: the kernel's word, or the client's name.
    pub(crate) who: String,
    /// By which way.
    pub(crate) way: Way,
}

/// How a decision came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The command line, over the operator's socket.
    Cli,
    /// A form in the agent's own client.
    Mcp,
    /// A link.
    Link,
}

impl Way {
    /// As it stands in the trail.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cli => "cli",
            Self::Mcp => "mcp",
            Self::Link => "link",
        }
    }
}

/// Something may go on, because a person said so. The name is that of the request's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approved {
    /// `echo-37`: the request is the agent's record 37.
    pub(crate) name: String,
    /// Who said so.
    pub(crate) who: String,
}

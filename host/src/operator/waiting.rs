//! What a call that an operator makes waits for, told over the socket while it does: a person, or a slot.
//!
//! Without it `soulbound call` is a silent terminal for two minutes, and then refused. The rule: it is told to whoever asked
//! for the call and asked to be told, beside the reply and never in its place, and nothing waits for it to be read.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// One thing that is waited for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Waits {
    /// A person's decision.
    Person {
        /// The question's name, `echo-37`.
        name: String,
        /// What is asked, in one line, as lists have it.
        what: String,
        /// Because of which line.
        rule: String,
        /// Milliseconds until it is refused.
        milliseconds: u64,
    },
    /// A slot: as many calls as may run are running.
    Slot {},
}

/// Where it is told. Must not block.
pub(crate) type WaitSink = Arc<dyn Fn(Waits) + Send + Sync>;

/// A line of the connection that is no reply yet.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    /// What is waited for.
    pub(crate) waits: Waits,
}

impl Waits {
    /// As a person reads it, with what decides it.
    pub(crate) fn said(&self) -> String {
        match self {
            Self::Person { name, what, rule, milliseconds } => {
                let left = Duration::from_millis(*milliseconds);
                format!(
                    "waiting for a person: {what}\n  rule:     {rule}\n  until:    {}, in {} s; no answer is no\n  hint:     soulbound approvals approve {name}   (or `approvals deny {name}`; `approvals show {name}` has the whole of it)",
                    Moment::now().after(left),
                    left.as_secs_f64().round()
                )
            }
            Self::Slot {} => {
                "waiting in line: as many calls as may run at once are running\n  hint:     soulbound gateway status"
                    .to_owned()
            }
        }
    }
}

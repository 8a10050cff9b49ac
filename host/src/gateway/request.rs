//! What is asked of the gateway, and its answer.

use std::sync::Arc;

use serde_json::{Map, Value};
use soulbound_runtime::sandbox::Outcome;
use tokio_util::sync::CancellationToken;

use crate::operator::waiting::WaitSink;
use crate::oversight::form::Form;

/// A call of a tool, by whoever it was let in as.
pub(crate) struct CallRequest {
    /// The skill's slug.
    pub(crate) skill: String,
    /// The tool's name (`function` or `interface.function`).
    pub(crate) tool: String,
    /// The arguments, as they came.
    pub(crate) arguments: Map<String, Value>,
    /// Through which door, for the trail: `mcp-http`, `mcp-stdio`, `operator`.
    pub(crate) door: &'static str,
    /// Hears how far the guest says it has come.
    pub(crate) progress: Option<ProgressSink>,
    /// Where whoever asks can be shown a question.
    pub(crate) form: Option<Arc<dyn Form>>,
    /// Hears what the call waits for while it does.
    pub(crate) waits: Option<WaitSink>,
    /// Ends the call when it is cancelled.
    pub(crate) cancel: CancellationToken,
}

impl CallRequest {
    /// What was asked for, as it was written: `skill__tool`.
    pub(crate) fn asked(&self) -> String {
        if self.tool.is_empty() { self.skill.clone() } else { format!("{}__{}", self.skill, self.tool) }
    }
}

/// Where a guest's progress goes: `(done, total, message)`. Must not block. The message is the guest's text.
pub(crate) type ProgressSink = Arc<dyn Fn(f64, Option<f64>, Option<String>) + Send + Sync>;

/// What came of a call.
pub(crate) struct Answer {
    /// The record of it in the agent's trail, `echo#37`; none when it could not be recorded, and so did not run.
    pub(crate) record: Option<String>,
    /// The sandbox's outcome, or one that was refused before the sandbox.
    pub(crate) outcome: Outcome,
}

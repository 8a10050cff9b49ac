//! One call, as oversight knows it: what every decision is bound to.

use std::sync::Arc;

use serde_json::{Map, Value};
use soulbound_runtime::skill::Digest;

use super::form::Form;
use super::granted::Granted;
use crate::gateway::live::Callable;
use crate::operator::waiting::WaitSink;

/// One call.
pub(crate) struct CallFacts {
    /// What is called, under which trusted SOUL.md and settings.
    pub(crate) callable: Callable,
    /// The tool as the component exports it; what the model wrote when there is no such tool.
    pub(crate) tool: String,
    /// The arguments as they came.
    pub(crate) arguments: Map<String, Value>,
    /// Through which door it came.
    pub(crate) door: &'static str,
    /// Where whoever asked for it can be shown a question.
    pub(crate) form: Option<Arc<dyn Form>>,
    /// Who made it hears here what it waits for.
    pub(crate) waits: Option<WaitSink>,
    /// What of it a person approved.
    pub(crate) granted: Granted,
}

impl CallFacts {
    /// The skill's slug.
    pub(crate) fn skill(&self) -> &str {
        &self.callable.offered.name
    }

    /// The component that runs.
    pub(crate) fn component(&self) -> Digest {
        self.callable.offered.bound.digest()
    }
}

//! What is told to whoever watches from outside: alerts take it from here.
//!
//! The rule: telling never blocks and never fails. A sink takes the notice and returns; what it does with it is its own affair.

use std::sync::{Arc, OnceLock};

use super::kind::Kind;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The agent's id.
    pub(crate) agent: String,
    /// The skill's slug, where one is concerned.
    pub(crate) skill: Option<String>,
    /// What happened.
    pub(crate) about: About,
    /// What was seen. What was chosen at run time stands quoted, escaped and cut in it.
    pub(crate) observed: String,
    /// How many of the kind were counted instead of told since the last one.
    pub(crate) held_back: u64,
}

/// What a notice is about: the words of `[[alerts]] on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// An anomaly was noted.
    Anomaly(Kind),
    /// It tripped a breaker.
    Breaker(Kind),
}

/// Takes notices. Must not block.
pub(crate) type Sink = Arc<dyn Fn(Notice) + Send + Sync>;

/// Where the gateway's notices go: nowhere until a sink is attached, once, at the start.
#[derive(Default)]
pub(crate) struct Notices(OnceLock<Sink>);

impl Notices {
    /// Attaches the sink. A second one is not taken.
    pub(crate) fn attach(&self, sink: Sink) {
        let _ = self.0.set(sink);
    }

    /// Tells.
    pub(crate) fn send(&self, notice: Notice) {
        if let Some(sink) = self.0.get() {
            sink(notice);
        }
    }
}

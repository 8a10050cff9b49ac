//! A form in the client that asked for a call: shown to whoever sits there, where the operator allows decisions that way.

use std::time::Duration;

/// What a client is shown.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The request's 128 bits.
    pub(crate) id: String,
    /// `echo-37`.
    pub(crate) name: String,
    /// The text.
    pub(crate) card: String,
    /// How long there is to decide.
    pub(crate) within: Duration,
}

/// Shows a question to whoever asked for the call. Must not block.
pub(crate) trait Form: Send + Sync {
    /// Shows it.
    fn show(&self, asked: Asked);
}

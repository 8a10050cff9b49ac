//! Doors for the fuzzers in `fuzz/`: the product's own functions, under names that can be seen from outside.
//!
//! The rule: nothing is decided here. A door hands bytes to the code that the program runs and says what came of it; the
//! program itself never comes this way.

use std::path::{Path, PathBuf};

use soulbound_runtime::Soul;
use soulbound_runtime::grant::host::Target;

pub use crate::audit::fuzz::{KnownTrail, resealed};
pub use crate::mcp::fuzz::{answers, is_request, refusal};
use crate::settings::Settings;
use crate::state::StateFolder;

/// An operator's settings, read from a text.
pub struct ReadSettings(Settings);

impl ReadSettings {
    /// Reads a `gateway.toml`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the operator would be told.
    pub fn of(text: &str) -> Result<Self, String> {
        let state = StateFolder::at(PathBuf::from("/nonexistent/soulbound"));
        let read = Settings::parse(Path::new("gateway.toml"), text, &state);
        read.map(Self).map_err(|error| format!("{error:#}"))
    }

    /// The entries of `deny_hosts`, as they are written.
    #[must_use]
    pub fn denied_hosts(&self) -> &[String] {
        self.0.denied_hosts()
    }

    /// Whether the ceiling lets any agent reach it.
    #[must_use]
    pub fn permits(&self, target: &Target) -> bool {
        self.0.network.ceiling.permits(target).is_ok()
    }
}

/// Whether `audit replay`'s matcher, which shares no code with the runtime's, finds a grant for a request.
#[must_use]
pub fn second_matcher_grants(soul: &Soul, skill: &str, method: &str, target: &str) -> bool {
    crate::audit::replay::grants_request(soul, skill, method, target)
}

//! Doctor's look at the address on which the next gateway will listen: whether it could.

use super::{Finding, Severity};
use crate::gateway::port;
use crate::settings::Settings;
use crate::state::StateFolder;

/// What keeps a gateway of this state folder from listening.
pub(super) fn finding(state: Option<&StateFolder>) -> Option<Finding> {
    let state = state?;
    let taken = port::taken(state, &Settings::read(state).ok()?)?;
    let fix = format!(
        "end whatever has the port (ss -ltnp 'sport = :{}' shows it; a gateway of another state folder, maybe), or set another with `[gateway] listen` in gateway.toml",
        taken.address.port()
    );
    Some(Finding::new("gateway.port", Severity::Error, taken.why, fix))
}

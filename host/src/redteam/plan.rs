//! The plan: every attack on one skill's grant, made from the grant itself. One file a class.

mod addresses;
pub(crate) mod audit;
mod exfiltration;
mod exhaustion;
mod links;
pub(crate) mod network;
pub(crate) mod paths;
mod spellings;

use super::attack::Attack;
use super::probe::Target;
use super::scratch::{Given, Scratch};

/// What a plan is made from.
pub(crate) struct Ground<'a> {
    /// The grant under attack.
    pub(crate) target: &'a Target,
    /// The scratch copy.
    pub(crate) scratch: &'a Scratch,
    /// Directories of the agent's other skills, that this one was not given.
    pub(crate) others: &'a [Given],
    /// Where the gateway would listen.
    pub(crate) listener: std::net::SocketAddr,
}

/// Every attack on one skill that calls a probe.
pub(crate) fn attacks(ground: &Ground<'_>) -> Vec<Attack> {
    let mut all = paths::attacks(ground);
    all.extend(network::attacks(ground));
    all.extend(exhaustion::requests(ground));
    all.extend(exfiltration::attacks(ground));
    all.extend(audit::attacks(ground));
    all
}

/// Those that last: they run beside each other.
pub(crate) fn long(ground: &Ground<'_>) -> Vec<Attack> {
    exhaustion::attacks(ground)
}

//! The one matcher: may these grants make this request? The network layer, `soulbound why` and the tests all
//! ask here.

use super::{HostGrant, Target, TargetHost};
use crate::grant::address::metadata;

/// Why a request is not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRefusal<'a> {
    /// No entry matches scheme, host and port. The nearest: one for the same host, else the first of the
    /// line.
    NotGranted {
        /// The nearest entry.
        nearest: Option<&'a HostGrant>,
    },
    /// The origin is granted, the method is not.
    Method {
        /// The entry that matches the origin.
        entry: &'a HostGrant,
    },
    /// A cloud's metadata service, which no entry opens, and whose it is.
    Metadata(&'static str),
}

/// The entry that lets `method` go to `target`: of several, the one that describes the host most closely.
///
/// Methods are compared as they are, case included (RFC 9110 section 9.1): `get` is not `GET`.
///
/// # Errors
///
/// Why there is none.
pub fn permits<'a>(
    grants: &'a [HostGrant],
    method: &str,
    target: &Target,
) -> Result<&'a HostGrant, HostRefusal<'a>> {
    let owner = match &target.host {
        TargetHost::Name(name) => metadata::owner_of_name(name),
        TargetHost::Address(address) => metadata::owner_of_address(*address),
    };
    if let Some(owner) = owner {
        // A wildcard such as `*.google.internal` would match the name; the table stands above every entry.
        return Err(HostRefusal::Metadata(owner));
    }
    let origin = |grant: &&HostGrant| {
        grant.scheme == target.scheme && grant.port == target.port && grant.pattern.covers(&target.host)
    };
    let closest = grants
        .iter()
        .filter(origin)
        .filter(|grant| grant.methods().contains(&method))
        .max_by_key(|grant| (grant.pattern.closeness(), grant.private.is_some()));
    match closest {
        Some(grant) => Ok(grant),
        None => Err(match grants.iter().find(origin) {
            Some(entry) => HostRefusal::Method { entry },
            None => HostRefusal::NotGranted {
                nearest: grants.iter().find(|grant| grant.pattern.covers(&target.host)).or(grants.first()),
            },
        }),
    }
}

//! What a tool may do to the world, as MCP clients are told: from imports and grants, never from the author's word.

use serde::Serialize;

use crate::grant::{Capability, DirectoryMode, Grant};
use crate::skill::imports::JudgedImport;

/// MCP's tool annotations. They hold for every tool of a skill, since any of them may use all of its grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Annotations {
    /// It can change nothing.
    pub read_only_hint: bool,
    /// It can overwrite or delete.
    pub destructive_hint: bool,
    /// Whether calling twice does no more than once is the tool's own matter, so never claimed.
    pub idempotent_hint: bool,
    /// It can reach the network.
    pub open_world_hint: bool,
}

impl Annotations {
    /// Of a component with these imports under this grant. Without a grant, of the most that it could be granted.
    #[must_use]
    pub fn of(imports: &[JudgedImport], grant: Option<&Grant>) -> Self {
        let imports_any = |capability| imports.iter().any(|import| import.capability == Some(capability));
        let (writes, overwrites, network) = match grant {
            Some(grant) => (
                grant.directories.iter().any(|granted| granted.mode != DirectoryMode::Read),
                grant.directories.iter().any(|granted| granted.mode == DirectoryMode::Write),
                !grant.hosts.is_empty(),
            ),
            None => (true, true, true),
        };
        let writes = writes && imports_any(Capability::Files);
        let overwrites = overwrites && imports_any(Capability::Files);
        let channels = grant.is_none_or(|grant| !grant.channels.is_empty());
        // A message leaves the machine as a request does, and cannot be taken back.
        let network =
            network && imports_any(Capability::Http) || channels && imports_any(Capability::Channels);
        // A request can change or delete something at the other end, whatever its method.
        Self {
            read_only_hint: !writes && !network,
            destructive_hint: overwrites || network,
            idempotent_hint: false,
            open_world_hint: network,
        }
    }
}

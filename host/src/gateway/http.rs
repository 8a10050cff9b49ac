//! The gateway's HTTP door: MCP for agents, and a few pages for whoever watches. Loopback, one guard in front of all.

mod approvals;
pub(crate) mod guard;
pub(crate) mod identity;
pub(crate) mod listener;
pub(crate) mod room;
pub(crate) mod routes;
pub(crate) mod told;

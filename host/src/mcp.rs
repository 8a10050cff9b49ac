//! MCP: the door through which any client's model reaches an agent's skills.
//!
//! One endpoint speaks both eras of the protocol, the stateless one (2026-07-28) and the one with sessions (2025-11-25 and
//! before); `rmcp` knows the wire, this room knows what stands behind it. The rule: nothing that a client sends here
//! changes what an agent may do. A tool's call goes to [`Served::call`] with its arguments as they came, and what comes
//! back is told as the model may hear it: a denial's first line, never its rule or its hint.
//!
//! | module | answers |
//! |---|---|
//! | [`served`] | what is needed of an agent to serve it |
//! | [`handler`] | each method of the protocol, one after the other |
//! | [`tools`] | how a tool is listed |
//! | [`answer`] | how a call's outcome is told |
//! | [`held`] | a call that waits for whoever uses the client |
//! | [`content`] | pictures, sounds and documents that a tool returns |
//! | [`progress`] | how far a guest says it is, on the way to the client |
//! | [`changes`] | that the list of tools is another one now |
//! | [`page`] | long lists, a page at a time |
//! | [`skills`] | the skills' texts (SEP-2640) |
//! | [`about`] | what a model reads first |
//! | [`http`], [`sessions`] | the door over HTTP |
//! | [`connection`] | the door for the stdio shim |
//! | [`shim`] | that shim: what clients start as their stdio server |

mod about;
mod answer;
mod changes;
mod connection;
mod content;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod handler;
mod held;
mod http;
mod page;
mod progress;
mod served;
mod sessions;
pub(crate) mod shim;
mod skills;
mod tools;

pub(crate) use connection::serve_connection;
pub(crate) use held::Held;
pub(crate) use http::{HttpDoor, HttpService, http_service};
pub(crate) use served::Served;

#[cfg(test)]
mod tests;

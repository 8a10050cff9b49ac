//! The audit trail: every act recorded before it happens, in a chain that shows any later change.
//!
//! One folder, one trail: an agent's in `agents/<id>/`, the gateway's own in the state folder. The words, in the order of
//! a record's life:
//!
//! 1. A caller says what is about to happen ([`CallEntry`]); [`entry`] bounds it and [`canonical`] writes it in the form
//!    of RFC 8785.
//! 2. [`Trail::intend`](trail::Trail::intend) numbers it, chains it and appends it ([`trail`], [`log`], [`tip`]). The [`Intent`] that comes
//!    back is the only way to record how the call ended.
//! 3. [`opening`] repairs what a killed process left, [`rotation`] starts new files, [`verify`] proves the whole.
//! 4. HEARTBEAT.md is rendered from the same records ([`heartbeat`]).
//!
//! The rule: only the holder of `gateway.lock` writes; whoever reads takes no lock and changes nothing.

mod background;
mod book;
mod canonical;
mod entry;
mod error;
mod event;
mod files;
pub(crate) mod folder;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
pub(crate) mod heartbeat;
mod hex;
mod intent;
mod keys;
mod line;
pub(crate) mod live;
mod log;
mod opening;
pub(crate) mod read;
pub(crate) mod replay;
mod reserve;
mod rotation;
mod scan;
mod settle;
mod tip;
mod trail;
pub(crate) mod verify;
mod watch;
mod writer;

pub(crate) use book::{Audit, Book, GATEWAY, GatewayTrail, Header, agent_folder, agent_folders};
pub(crate) use canonical::exact_members;
pub(crate) use entry::{CallEntry, OutcomeEntry};
pub(crate) use error::AuditError;
pub(crate) use event::{Decision, Event, Weight};
pub(crate) use intent::Intent;
pub(crate) use keys::{Keys, make_folder};
pub(crate) use opening::Opening;
pub(crate) use trail::{Durability, Options};
pub(crate) use watch::Watch;

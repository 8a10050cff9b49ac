//! Calls in a process of their own: a second wall around a guest, for the day on which the engine has a bug.
//!
//! Only the guest moves: its instance, and its files through the handles of the granted directories. Whatever else leads out
//! of a sandbox stays here, in the process that asked: messages, the overseer, budgets, the record, the call's timer. The
//! worker is this program again, one for each bound skill, so that no skill's process holds what another's was granted. It is
//! handed the compiled code and the handles, confines itself to them ([`crate::confine`]), and only then hears of a call.
//!
//! | here | there |
//! |---|---|
//! | [`broker`] starts processes; [`process`] keeps one skill's; [`connection`] speaks to it; [`call`](mod@call) is one call of it, [`requests`] are its requests | [`serve`] sets up and listens; [`far`] asks and tells; [`far_network`] hands requests on |
//!
//! The rule: what a worker says is believed as far as a guest's own doings go (its files, its result, how long it computed while it was
//! held), and each word of it is bounded; what the grant and the overseer
//! decide of anything but files is decided here, whatever it says.

mod broker;
mod call;
mod connection;
mod far;
mod far_network;
mod frame;
mod http;
mod message;
mod process;
mod requests;
pub(crate) mod serve;

use serde::Serialize;

pub(crate) use broker::Broker;
pub use broker::walls;
pub(crate) use call::{Leash, call};
pub(crate) use message::{Line, Setup};
pub(crate) use process::SkillProcess;

use crate::confine::Walls;

/// Where calls run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// On threads of this process: the engine is the wall.
    #[default]
    Thread,
    /// In a process for each skill, behind the kernel's walls too. The program is started again for it, so it must call
    /// [`run_if_worker`](crate::compile::run_if_worker) first thing in `main`.
    Process,
}

/// Where calls run, as it is at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "calls")]
#[non_exhaustive]
pub enum Standing {
    /// In this process.
    Thread,
    /// In processes of their own.
    #[non_exhaustive]
    Process {
        /// What stands around each of them, as one of them found at the start.
        walls: Walls,
        /// How many there are now; one that is idle ends.
        workers: usize,
    },
}

/// Why a worker cannot be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It could not be started.
    #[error("the process for calls does not start: {0}")]
    Start(String),
    /// It ended before it was asked to.
    #[error("the process that the call ran in ended: {0}")]
    Ended(String),
}

//! One call: a fresh instance of a component, with exactly what its grant opens and not a handle more.

pub(crate) mod admission;
pub mod bound;
pub mod budget;
pub mod call;
pub(crate) mod clock;
pub(crate) mod ending;
pub(crate) mod engine;
pub mod files;
pub mod interfaces;
pub(crate) mod limiter;
pub(crate) mod linker;
pub mod log;
pub mod network;
pub mod outcome;
pub mod overseer;
pub mod runtime;
pub(crate) mod state;
pub(crate) mod threads;
pub(crate) mod ticker;
pub mod value;
pub(crate) mod witness;
#[cfg(test)] mod scratch;

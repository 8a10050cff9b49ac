//! One call: a fresh instance of a component, with exactly what its grant opens and not a handle more.

pub(crate) mod clock;
pub mod files;
pub mod network;
pub mod overseer;
pub(crate) mod witness;

//! The sandbox in process: hostile components, limits, values, oversight, the compile cache.
//!
//! One binary, because each would link the whole engine.

#[path = "../shared/mod.rs"]
mod shared;

mod cache;
mod components;
mod exhaust;
mod given;
mod oversight;
mod values;

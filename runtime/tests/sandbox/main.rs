//! The sandbox in process: hostile components, limits, values, oversight, the compile cache.
//!
//! One binary, because each would link the whole engine.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "../shared/judge.rs"]
mod judge;
#[path = "../../../tests/corpora/ledger.rs"]
mod ledger;
#[path = "../shared/mod.rs"]
mod shared;

mod cache;
mod channels;
mod components;
mod exhaust;
mod given;
mod held;
mod judged;
mod oversight;
mod plans;
mod schemas;
mod values;

//! `soulbound`: the program. It reads its arguments, does one thing, and says how that ended.
//!
//! A library only so that the fuzzers enter by the product's own code: what is shipped is built without feature `fuzz`, and
//! then [`main`] is all there is to call.

#![forbid(unsafe_code)]

#[cfg(all(feature = "fuzz", not(debug_assertions)))]
compile_error!("feature `fuzz` opens doors for the fuzzers of `fuzz/`; a program that is shipped has none");

mod agent;
mod answer;
mod audit;
mod cli;
mod clock;
mod durable;
mod exit;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod gateway;
mod mcp;
mod operator;
mod oversight;
mod rates;
mod redteam;
mod review;
mod settings;
mod standard;
mod state;
mod style;
mod trust;

use std::process::ExitCode;

/// The whole program: its command line is read, done, and answered with an exit code.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything else: the compiling child is this program, started with one argument of its own.
    soulbound_runtime::compile::run_if_worker();
    cli::run().into()
}

//! `soulbound`: the program. It reads its arguments, does one thing, and says how that ended.

mod agent;
mod answer;
mod audit;
mod cli;
mod clock;
mod durable;
mod exit;
#[doc(hidden)]
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

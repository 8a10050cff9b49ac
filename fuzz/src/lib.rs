//! What the fuzzers run: one function a target, which takes bytes from outside and panics when a promise is broken.
//!
//! The rule: the code under test is the product's own, reached as the program reaches it; the promise is checked by other
//! means than the code that keeps it. docs/fuzzing.md has the commands. Every seed is an ordinary test too.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a target's way to say that it found something is to panic"
)]

pub mod audit;
#[cfg(test)]
mod changed;
pub mod component;
pub mod gateway;
pub mod hosts;
pub mod mcp;
pub mod skill;
pub mod soul;
pub mod values;

/// The `main` of a target: libFuzzer's when it is built to fuzz, otherwise one run for each file that is named, for
/// looking at a crash.
#[macro_export]
macro_rules! target {
    ($run:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $run(bytes));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $run(&std::fs::read(path)?);
            }
            Ok(())
        }
    };
}

//! The program `soulbound`. All of it is in the library beside this file, where the fuzzers of `fuzz/` reach it too.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    soulbound::main()
}

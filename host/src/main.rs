//! The program `soulbound`. All of it is in the library beside this file, where the fuzzers reach it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    soulbound::main()
}

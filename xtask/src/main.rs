//! The chores of this repository. `cargo xtask` lists them; each sets up what it needs.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to whoever runs it is what it is for"
)]

mod build;
mod conformance;
mod demo;
mod fuzz;
mod setup;
mod supply;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// A chore: its name, what it does, the function.
struct Chore {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

const CHORES: &[Chore] = &[
    Chore {
        name: "demo",
        about: "build everything and watch Guardian stay inside its grant",
        run: demo::run,
    },
    Chore { name: "test", about: "everything that CI runs: format, lints, docs, tests", run: test::run },
    Chore { name: "skills", about: "build the standard skills into target/skills/", run: build::skills },
    Chore {
        name: "guests",
        about: "build the tests' probe components into target/guests/",
        run: build::guests,
    },
    Chore {
        name: "conformance",
        about: "MCP's own referees against the real gateway (installs them with npm and pip; `--keep` keeps what they left)",
        run: conformance::run,
    },
    Chore {
        name: "fuzz",
        about: "run the fuzz targets from their seeds: `fuzz [TARGET] [--seconds N]`; docs/fuzzing.md",
        run: fuzz::run,
    },
    Chore {
        name: "supply",
        about: "licences, sources and advisories of what the program is built from, by deny.toml",
        run: supply::check,
    },
    Chore {
        name: "sbom",
        about: "a bill of materials of the program, CycloneDX 1.5, on standard output (`sbom TRIPLE` for another machine)",
        run: supply::sbom,
    },
    Chore { name: "bench", about: "run the benches of docs/figures.md", run: test::bench },
];

fn main() -> ExitCode {
    match chore(std::env::args().nth(1).as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn chore(name: Option<&str>) -> Result<()> {
    match name {
        None | Some("help" | "-h" | "--help") => {
            for chore in CHORES {
                println!("cargo xtask {:11} {}", chore.name, chore.about);
            }
            Ok(())
        }
        Some(name) => match CHORES.iter().find(|chore| chore.name == name) {
            Some(chore) => (chore.run)(),
            None => bail!("no chore `{name}`; `cargo xtask` lists them"),
        },
    }
}

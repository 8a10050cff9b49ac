//! Everything that CI runs, in the order that fails soonest.

use anyhow::Result;

use crate::build;
use crate::setup::{self, cargo, say};
use crate::supply;

/// Everything as it is shipped. `fuzz/` asks for features that nothing else has, and cargo would give them to all that is built
/// beside it.
const PROGRAM: [&str; 3] = ["--workspace", "--exclude", "soulbound-fuzz"];
/// The rest.
const FUZZ: [&str; 2] = ["--package", "soulbound-fuzz"];

/// What properties are tried with, so that the gate says the same of the same sources each time. Others are tried by whoever
/// sets it: a number, or `random`.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20261122");

/// Format, what it is built from, lints, documentation, tests.
pub(crate) fn run() -> Result<()> {
    say("cargo fmt --check");
    setup::run(cargo().args(["fmt", "--all", "--check"]))?;
    build::skills()?;
    build::guests()?;
    supply::check()?;
    say("cargo clippy, warnings denied");
    lint(&PROGRAM)?;
    lint(&FUZZ)?;
    say("cargo doc, warnings denied");
    setup::run(
        cargo().args(["doc", "--no-deps", "--locked"]).args(PROGRAM).env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    build::program()?;
    let (name, own) = SEED;
    let seed = std::env::var(name).unwrap_or_else(|_| own.to_owned());
    say(&format!("cargo test, properties with {name}={seed}"));
    // All of it, also after a failure: what fails together is mended together.
    let mut tests = cargo();
    tests.args(["test", "--locked", "--no-fail-fast"]).args(PROGRAM);
    // Proptest knows numbers alone, and draws others each time without one.
    setup::run(if seed == "random" { tests.env_remove(name) } else { tests.env(name, seed) })?;
    say("what a call may do and how it ends, again with calls in processes of their own");
    let again = ["paths", "limits", "kill", "reading"].map(|test| ["--test", test]).concat();
    setup::run(
        cargo()
            .args(["test", "--locked", "--package", "soulbound-tests"])
            .args(again)
            .env("SOULBOUND_TESTS_ISOLATION", "process"),
    )?;
    say("cargo test of the fuzz targets: their seeds, and those changed");
    setup::run(cargo().args(["test", "--locked", "--lib"]).args(FUZZ))
}

fn lint(packages: &[&str]) -> Result<()> {
    let mut clippy = cargo();
    clippy.args(["clippy", "--all-targets", "--locked"]).args(packages);
    setup::run(clippy.args(["--", "--deny", "warnings"]))
}

/// The benches.
pub(crate) fn bench() -> Result<()> {
    build::skills()?;
    build::guests()?;
    setup::run(cargo().args(["bench", "--package", "soulbound-runtime"]))?;
    say("the gateway from outside, optimised");
    setup::run(cargo().args([
        "build",
        "--release",
        "--locked",
        "--package",
        "soulbound",
        "--bins",
        "--examples",
    ]))?;
    let outside = ["test", "--package", "soulbound-tests", "--test", "figures", "--test", "crash"];
    setup::run(
        cargo()
            .args(outside)
            .args(["--", "--ignored", "--nocapture", "--test-threads=1"])
            .env("SOULBOUND_TESTED", setup::root().join("target/release/soulbound")),
    )
}

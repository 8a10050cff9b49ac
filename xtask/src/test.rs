//! Everything that CI runs, in the order that fails soonest.

use anyhow::Result;

use crate::build;
use crate::setup::{self, cargo, say};
use crate::supply;

/// Format, what it is built from, lints, documentation, tests.
pub(crate) fn run() -> Result<()> {
    say("cargo fmt --check");
    setup::run(cargo().args(["fmt", "--all", "--check"]))?;
    build::skills()?;
    build::guests()?;
    supply::check()?;
    say("cargo clippy, warnings denied");
    setup::run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "--deny",
        "warnings",
    ]))?;
    say("cargo doc, warnings denied");
    setup::run(
        cargo().args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "--deny warnings"),
    )?;
    build::program()?;
    say("cargo test");
    // All of it, also after a failure: what fails together is mended together.
    setup::run(cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"]))?;
    say("what a call may do and how it ends, again with calls in processes of their own");
    let again = ["paths", "limits", "kill", "reading"].map(|test| ["--test", test]).concat();
    setup::run(
        cargo()
            .args(["test", "--locked", "--package", "soulbound-tests"])
            .args(again)
            .env("SOULBOUND_TESTS_ISOLATION", "process"),
    )
}

/// The benches.
pub(crate) fn bench() -> Result<()> {
    build::skills()?;
    build::guests()?;
    setup::run(cargo().args(["bench", "--package", "soulbound-runtime"]))?;
    say("the gateway from outside, optimised");
    setup::run(cargo().args(["build", "--release", "--locked", "--package", "soulbound"]))?;
    let outside = ["test", "--package", "soulbound-tests", "--test", "figures", "--test", "crash"];
    setup::run(
        cargo()
            .args(outside)
            .args(["--", "--ignored", "--nocapture", "--test-threads=1"])
            .env("SOULBOUND_TESTED", setup::root().join("target/release/soulbound")),
    )
}

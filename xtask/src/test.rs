//! Everything that CI runs, in the order that fails soonest.

use anyhow::Result;

use crate::build;
use crate::fuzz;
use crate::setup::{self, cargo, say};

/// Format, lints, documentation, tests.
pub(crate) fn run() -> Result<()> {
    say("cargo fmt --check");
    setup::run(cargo().args(["fmt", "--all", "--check"]))?;
    build::skills()?;
    build::guests()?;
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
    setup::run(cargo().args(["test", "--workspace", "--locked"]))?;
    fuzz::short()
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

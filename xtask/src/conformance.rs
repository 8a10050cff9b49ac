//! MCP's own referees against the real gateway: the conformance suite's two required sets and its skills scenarios, the
//! Inspector's command line, the Python client. What is known to fail stands with its reason in
//! `tests/conformance-baseline.yml`; anything else that fails, and anything there that passes, fails this chore.

mod gateway;
mod inspector;
mod names;
mod node;
mod proxy;
mod python;
mod stream;
mod suite;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::build;
use crate::setup::{root, say};

/// Where referees are installed, and where the gateway of this chore keeps its state.
fn place() -> PathBuf {
    root().join("target/conformance")
}

/// `cargo xtask conformance [--keep] [--if-available]`: `--keep` leaves the gateway's state and the suite's results for a look;
/// with `--if-available` a machine that reaches neither npm's nor Python's packages says so and goes on. What a referee finds
/// fails either way.
pub(crate) fn run() -> Result<()> {
    let has = |option: &str| std::env::args().any(|word| word == option);
    let keep = has("--keep");
    std::fs::create_dir_all(place())?;
    if let Err(error) = node::install().and_then(|()| python::install()) {
        if has("--if-available") {
            say(&format!("NOT RUN: the referees cannot be installed here: {error:#}"));
            return Ok(());
        }
        return Err(error);
    }
    build::guests()?;
    let program = build::program()?;
    let gateway = gateway::serve(&program).context("the gateway for the referees does not start")?;
    let proxy = proxy::start(&gateway)?;
    let judged =
        suite::run(&proxy.url).and_then(|()| inspector::run(&gateway)).and_then(|()| python::run(&gateway));
    drop(proxy);
    // What the referees found comes first: the end may fail for the same reason.
    let ended = gateway.end(keep);
    judged?;
    ended?;
    say("every referee is content");
    Ok(())
}

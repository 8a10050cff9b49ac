//! The referees that come from npm, and a Node that they run on, installed once into `target/conformance/`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::place;
use crate::setup::{run, say};

/// Exact versions: a referee that changes its mind changes it in a commit here.
const PACKAGES: &[&str] = &[
    "node@22.23.3",
    "@modelcontextprotocol/conformance@0.2.0-alpha.12",
    "@modelcontextprotocol/inspector@2.12.0",
];

/// Installs them, unless these very ones are there.
pub(super) fn install() -> Result<()> {
    let marker = place().join("installed");
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&marker).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    say("installing the referees of MCP with npm");
    fs::write(place().join("package.json"), "{\"private\": true}\n")?;
    run(Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--no-save"])
        .args(PACKAGES)
        .current_dir(place()))
    .context("npm is needed for the referees: install Node (https://nodejs.org)")?;
    fs::write(marker, wanted)?;
    Ok(())
}

/// One of their programs, run by the Node that was installed.
pub(super) fn program(name: &str) -> Command {
    let bin = place().join("node_modules/.bin");
    let mut command = Command::new(bin.join("node"));
    command.arg(bin.join(name)).current_dir(place());
    command
}

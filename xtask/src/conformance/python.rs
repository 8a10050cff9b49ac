//! The Python client of MCP, over stdio and over HTTP. It is installed into an environment of its own in `target/`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::gateway::Gateway;
use super::place;
use crate::setup::{self, root, say};

/// An exact version, as for the other referees.
const PACKAGE: &str = "mcp==2.3.0";

fn python() -> PathBuf {
    place().join("python/bin/python")
}

/// Installs it, unless this very one is there.
pub(super) fn install() -> Result<()> {
    let marker = place().join("installed-python");
    if fs::read_to_string(&marker).is_ok_and(|there| there == PACKAGE) {
        return Ok(());
    }
    say("installing the Python client of MCP");
    setup::run(Command::new("python3").args(["-m", "venv"]).arg(place().join("python")))
        .context("Python 3 with `venv` is needed for its client")?;
    setup::run(Command::new(python()).args(["-m", "pip", "install", "--quiet", PACKAGE]))?;
    fs::write(marker, PACKAGE)?;
    Ok(())
}

/// Runs `tests/mcp_client.py`.
pub(super) fn run(gateway: &Gateway) -> Result<()> {
    say("the Python client, over stdio and over HTTP");
    let mut client = Command::new(python());
    client.arg(root().join("tests/mcp_client.py")).arg(&gateway.url).args(gateway.shim());
    client.env("SOULBOUND_TOKEN", &gateway.token).env("SOULBOUND_HOME", &gateway.state);
    setup::run(&mut client)
}

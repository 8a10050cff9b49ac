//! A real gateway for the referees: its own state folder, one agent with the fixture skill, trusted and with a token as any
//! operator would do it, on a port of the system's choice.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::place;
use crate::build;
use crate::setup::{root, run};

/// The agent that the referees speak to.
const SOUL: &str = "# Referee\n## Identity\n- Name: Referee\n- Role: Speaks to the referees of MCP\n## Skills\n\
    - conformance: Does what the conformance suite expects\n";

/// A gateway that runs, with the agent's address and token.
pub(super) struct Gateway {
    program: PathBuf,
    /// Its state folder: what the stdio shim needs to find it.
    pub(super) state: PathBuf,
    /// The agent's endpoint.
    pub(super) url: String,
    /// The agent's token.
    pub(super) token: String,
}

/// Starts it. What an earlier run left is gone first.
pub(super) fn serve(program: &Path) -> Result<Gateway> {
    let (state, agent) = (place().join("home"), place().join("agent"));
    let mut gateway = Gateway {
        program: program.to_owned(),
        state: state.clone(),
        url: String::new(),
        token: String::new(),
    };
    if state.exists() {
        // One that an interrupted run left.
        run(&mut gateway.soulbound(&["gateway", "stop"]))?;
        fs::remove_dir_all(&state)?;
    }
    if agent.exists() {
        fs::remove_dir_all(&agent)?;
    }
    fs::DirBuilder::new().mode(0o700).create(&state)?;
    fs::write(
        state.join("gateway.toml"),
        "[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"100000/minute\"\n",
    )?;
    build::copy_tree(&root().join("target/guests/conformance"), &agent.join("skills/conformance"))?;
    fs::write(agent.join("SOUL.md"), SOUL)?;
    let folder = agent.to_str().context("the repository's path is UTF-8")?;
    let card = gateway.json(&["agents", "add", folder, "--json"])?;
    let digest = card.get("digest").and_then(Value::as_str).context("the grant card has no digest")?;
    run(&mut gateway.soulbound(&["agents", "add", folder, "--yes", "--digest", digest]))?;
    let started = gateway.json(&["gateway", "start", "--json"])?;
    let listen =
        started.get("listen").and_then(Value::as_str).context("the gateway does not say where it listens")?;
    gateway.url = format!("http://{listen}/agents/referee/mcp");
    let token = state.join("referee.token");
    run(gateway.soulbound(&["agents", "token", "referee", "--token-file"]).arg(&token))?;
    gateway.token = fs::read_to_string(&token)?.trim().to_owned();
    Ok(gateway)
}

impl Gateway {
    /// The program, about to run on this gateway's state folder.
    pub(super) fn soulbound(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env("SOULBOUND_HOME", &self.state).current_dir(root());
        command
    }

    /// What starts the stdio shim.
    pub(super) fn shim(&self) -> Vec<String> {
        let program = self.program.display().to_string();
        [program.as_str(), "mcp", "serve", "--agent", "referee"].map(str::to_owned).to_vec()
    }

    fn json(&self, words: &[&str]) -> Result<Value> {
        let output = self.soulbound(words).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        // A card that waits for an answer exits 1, and is a card.
        serde_json::from_str(&text).with_context(|| {
            format!("`{}`: {text}{}", words.join(" "), String::from_utf8_lossy(&output.stderr))
        })
    }

    /// Stops it, and takes its state away unless somebody wants to look at it. Its trail must be whole.
    pub(super) fn end(self, keep: bool) -> Result<()> {
        run(&mut self.soulbound(&["gateway", "stop"]))?;
        let verified = self.soulbound(&["audit", "verify"]).output()?;
        if !verified.status.success() {
            bail!(
                "the trail is not whole after the referees:\n{}",
                String::from_utf8_lossy(&verified.stdout)
            );
        }
        if !keep {
            fs::remove_dir_all(&self.state)?;
        }
        Ok(())
    }
}

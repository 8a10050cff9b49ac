//! MCP Inspector's command line, as a client that people use: both eras, over HTTP and stdio, schemas checked strictly,
//! skills verified by their digests.

use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::gateway::Gateway;
use super::node;
use crate::setup::say;

/// What the Inspector exits with when a tool reports an error.
const TOOL_ERROR: i32 = 5;

pub(super) fn run(gateway: &Gateway) -> Result<()> {
    for era in ["modern", "legacy"] {
        say(&format!("the Inspector, {era}"));
        for over_http in [true, false] {
            let ask = |words: &[&str]| asked(gateway, era, over_http, words);
            let tools = ask(&["--method", "tools/list", "--strict"])?;
            expect(&tools, 0, "conformance__test-simple-text")?;
            let call = ["--method", "tools/call", "--tool-name"];
            expect(
                &ask(&[&call[..], &["conformance__test-simple-text"]].concat())?,
                0,
                "simple text response",
            )?;
            expect(&ask(&[&call[..], &["conformance__test-image-content"]].concat())?, 0, "image/png")?;
            expect(
                &ask(&[&call[..], &["conformance__test-error-handling"]].concat())?,
                TOOL_ERROR,
                "intentionally",
            )?;
        }
        let verified = asked(gateway, era, true, &["--method", "skills/list", "--verify"])?;
        expect(&verified, 0, "skill://conformance/SKILL.md")?;
    }
    Ok(())
}

fn asked(gateway: &Gateway, era: &str, over_http: bool, words: &[&str]) -> Result<Output> {
    let mut inspector = node::program("mcp-inspector");
    inspector.args(["--cli", "--protocol-era", era, "--format", "json"]).args(words);
    if over_http {
        inspector.args(["--transport", "http", "--server-url", &gateway.url, "--header"]);
        inspector.arg(format!("Authorization: Bearer {}", gateway.token));
    } else {
        inspector.env("SOULBOUND_HOME", &gateway.state);
        inspector
            .arg("-e")
            .arg(format!("SOULBOUND_HOME={}", gateway.state.display()))
            .arg("--")
            .args(gateway.shim());
    }
    finished(&mut inspector)
}

fn finished(command: &mut Command) -> Result<Output> {
    command.output().with_context(|| format!("{command:?} does not start"))
}

/// The exit code, one JSON document, and a text in it.
fn expect(output: &Output, code: i32, text: &str) -> Result<()> {
    let out = String::from_utf8_lossy(&output.stdout);
    let is_json = serde_json::from_str::<Value>(&out).is_ok();
    if output.status.code() == Some(code) && is_json && out.contains(text) {
        return Ok(());
    }
    bail!(
        "the Inspector ended with {} (expected {code}, and `{text}`):\n{out}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
}

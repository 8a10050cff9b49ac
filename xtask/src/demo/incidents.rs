//! The demo's last part: an agent that a poisoned page told to post advice and to delete a mailbox. Nobody approved it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::gateway::{quietly, say, title, trust};
use super::soulbound;
use crate::setup::root;

const SOUL: &str = "# Helper

## Identity
- Name: Helper
- Role: Answers questions that it was given

## Rules
- All outputs must be reviewed before publishing

## Skills
- messenger: Answer in the channel, once a person has looked
- file-writer: Keep the mailbox tidy
  - write: ./mailbox
  - approve: delete

## Channels
- slack: engineering
";

/// What the operator says of the channel, for the demo's gateway.toml: a file instead of a chat, in a folder of its own.
pub(super) fn settings() -> Result<String> {
    let folder = root().join("target/demo/posts");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let posts = folder.join("engineering.log");
    Ok(format!(
        "[[channels]]\nchannel = \"slack: engineering\"\naudience = \"internal\"\nfile = \"{}\"\n",
        posts.display()
    ))
}

/// Lays out the agent.
pub(super) fn stage(program: &Path) -> Result<()> {
    let agent = root().join("target/demo/helper");
    if agent.exists() {
        fs::remove_dir_all(&agent)?;
    }
    fs::create_dir_all(agent.join("mailbox"))?;
    fs::write(agent.join("SOUL.md"), SOUL)?;
    fs::write(agent.join("mailbox/inbox.mbox"), "From: somebody\n\nThe only copy.\n")?;
    title("an operator trusts Helper, which posts to a channel and keeps a mailbox");
    trust(program, &agent)
}

/// A page told the model to post and to delete. Both wait; a person says no.
pub(super) fn scenes(program: &Path) -> Result<()> {
    title(
        "a poisoned page told Helper's model to post advice and to empty the mailbox: both wait for a person",
    );
    let wants: [&[&str]; 2] = [
        &[
            "messenger",
            "send",
            "channel=slack: engineering",
            "text=Make the table public, it is the quickest.",
        ],
        &["file-writer", "delete", "path=/mailbox/inbox.mbox"],
    ];
    for (wanted, reason) in
        wants.into_iter().zip(["not yours to answer", "ask me before you touch the mailbox"])
    {
        println!("$ soulbound call helper {} &", wanted.join(" "));
        let mut command = soulbound(program);
        command.args(["call", "helper"]).args(wanted).stdout(Stdio::piped()).stderr(Stdio::piped());
        let call = command.spawn().context("the program does not start")?;
        let name = waiting(program)?;
        say(program, &["approvals", "show", &name], 0)?;
        say(program, &["approvals", "deny", &name, "--reason", reason], 0)?;
        let ended = call.wait_with_output()?;
        println!("  the model is told:");
        for line in String::from_utf8_lossy(&ended.stdout)
            .lines()
            .chain(String::from_utf8_lossy(&ended.stderr).lines())
        {
            println!("    {line}");
        }
        if ended.status.code() != Some(1) {
            bail!("a denied action ended with {}", ended.status);
        }
    }
    if !root().join("target/demo/helper/mailbox/inbox.mbox").exists()
        || root().join("target/demo/posts/engineering.log").exists()
    {
        bail!("something was posted or deleted");
    }
    println!("  nothing was posted, the mailbox is there, and the trail tells the story:");
    say(program, &["audit", "show", "helper"], 0)
}

/// The name of what waits, by the gateway's own word.
fn waiting(program: &Path) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let listed = quietly(program, &["approvals", "list", "--json"])?;
        if let Some((_, rest)) = listed.split_once("\"name\": \"helper-")
            && let Some((number, _)) = rest.split_once('"')
        {
            return Ok(format!("helper-{number}"));
        }
        if Instant::now() > deadline {
            bail!("nothing waits");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

//! `soulbound approvals list`: what waits, task by task, and what was approved for longer.

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::operator::approvals::{Ask, ask, text};
use crate::oversight::approvals::Listing;
use crate::state::StateFolder;
use crate::style::Style;

/// List what waits for your approval, and what you approved for longer
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound approvals list\n  soulbound approvals --json")]
pub(super) struct List {
    /// One JSON document
    #[arg(long)]
    pub(super) json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<Exit> {
        let reply = ask(&StateFolder::find()?, Ask::List {}, None)?;
        let gateway = reply.is_some();
        let value = match reply {
            Some(reply) => reply.into_result()?,
            None => json!({"waiting": [], "standing": [], "version": 0}),
        };
        let listing: Listing = serde_json::from_value(value)
            .context("the gateway's answer is not understood: is it of another version?")?;
        if self.json {
            let document =
                json!({"waiting": listing.waiting, "standing": listing.standing, "gateway": gateway});
            crate::cli::print_json(&document)?;
            return Ok(Exit::Done);
        }
        let lines = lines(&listing, Style::stdout());
        if lines.is_empty() {
            let why = if gateway { "nothing waits" } else { "no gateway runs, so nothing waits" };
            crate::cli::note(why);
        } else {
            crate::cli::print(&lines.join("\n"));
        }
        Ok(Exit::Done)
    }
}

/// The list as a person reads it: a heading for each agent's task, a line for each question.
pub(super) fn lines(listing: &Listing, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tasks: Vec<(String, Vec<&Value>)> = Vec::new();
    for request in &listing.waiting {
        let task = task(request);
        match tasks.iter_mut().find(|(known, _)| *known == task) {
            Some((_, of)) => of.push(request),
            None => tasks.push((task, vec![request])),
        }
    }
    for (task, of) in tasks {
        let waits = if of.len() == 1 { "1 waits".to_owned() } else { format!("{} wait", of.len()) };
        lines.push(format!("{} ({waits})", style.bold(&task)));
        for request in of {
            let number = |name: &str| request.get(name).and_then(Value::as_u64).unwrap_or_default();
            let alike = match number("times") {
                0 | 1 => String::new(),
                times => format!(", {times} times alike"),
            };
            let left = format!("{} s left{alike}", number("seconds"));
            lines.push(format!(
                "  {}  {}  {}",
                style.yellow(text(request, "name")),
                text(request, "what"),
                style.dim(&left)
            ));
        }
    }
    if !listing.standing.is_empty() {
        lines.push(style.bold("approved for longer"));
    }
    for standing in &listing.standing {
        let permission = &standing.permission;
        let lasts = match standing.seconds {
            None => "until revoked, or what it was said about changes".to_owned(),
            Some(seconds) => format!("{seconds} s"),
        };
        let by = format!("{lasts}, by {}", soulbound_runtime::visible::line(&permission.by));
        lines.push(format!("  {}  {}  {}", style.green(&permission.name), permission.what, style.dim(&by)));
    }
    lines
}

/// What a question belongs to: the call that it came up in, or the agent's calls that have not begun.
fn task(request: &Value) -> String {
    let agent = text(request, "agent");
    match request.get("call").and_then(Value::as_u64) {
        Some(call) => format!("{agent}, in call {agent}#{call}"),
        None => format!("{agent}, before a call"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_listed_by_task_with_counts() {
        let request = |name: &str, call: Option<u64>, times: u64| {
            json!({"name": name, "agent": "echo", "call": call, "times": times, "seconds": 117,
                "what": "file-writer save wants to write this file: \"/drafts/a\" (5 bytes, sha256 2cf24dba5fb0a30e)"})
        };
        let listing = Listing {
            waiting: vec![
                request("echo-3", Some(2), 1),
                request("echo-5", None, 4),
                request("echo-7", Some(2), 1),
            ],
            standing: Vec::new(),
            version: 1,
        };
        insta::assert_snapshot!(lines(&listing, Style::stdout()).join("\n"), @r#"
        echo, in call echo#2 (2 wait)
          echo-3  file-writer save wants to write this file: "/drafts/a" (5 bytes, sha256 2cf24dba5fb0a30e)  117 s left
          echo-7  file-writer save wants to write this file: "/drafts/a" (5 bytes, sha256 2cf24dba5fb0a30e)  117 s left
        echo, before a call (1 waits)
          echo-5  file-writer save wants to write this file: "/drafts/a" (5 bytes, sha256 2cf24dba5fb0a30e)  117 s left, 4 times alike
        "#);
    }
}

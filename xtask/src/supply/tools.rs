//! `cargo deny` and `cargo audit`, which know of advisories. Neither comes with Rust and their database is a repository on the
//! network, so each says `NOT RUN: why` where it cannot.

use std::process::Stdio;

use anyhow::Result;

use crate::setup::{cargo, run, say};

/// Licences, bans and sources by `cargo deny`; advisories where their database can be had.
pub(crate) fn deny() -> Result<()> {
    if !installed("deny") {
        not_run("cargo deny", "it is not installed (`cargo install cargo-deny --locked`)");
        return Ok(());
    }
    say("cargo deny");
    run(cargo().args(["deny", "--log-level", "error", "check", "licenses", "bans", "sources"]))?;
    if !quietly(&["deny", "fetch", "db"]) {
        not_run("cargo deny check advisories", "the advisory database cannot be had");
        return Ok(());
    }
    run(cargo().args(["deny", "check", "--disable-fetch", "advisories"]))
}

/// Advisories by `cargo audit`, where its database can be had.
pub(crate) fn audit() -> Result<()> {
    if !installed("audit") {
        not_run("cargo audit", "it is not installed (`cargo install cargo-audit --locked`)");
        return Ok(());
    }
    // A lock file of nothing cannot be unsafe: if this fails, it is for want of the database.
    let empty = std::env::temp_dir().join(format!("soulbound-nothing-{}.lock", std::process::id()));
    std::fs::write(&empty, "version = 4\n\n[[package]]\nname = \"nothing\"\nversion = \"0.0.0\"\n")?;
    let has_database = quietly(&["audit", "--file", &empty.to_string_lossy()]);
    std::fs::remove_file(&empty)?;
    if !has_database {
        not_run("cargo audit", "the advisory database cannot be had");
        return Ok(());
    }
    say("cargo audit");
    run(cargo().args(["audit", "--no-fetch"]))
}

fn installed(tool: &str) -> bool {
    quietly(&[tool, "--version"])
}

fn quietly(arguments: &[&str]) -> bool {
    let mut command = cargo();
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn not_run(what: &str, why: &str) {
    say(&format!("NOT RUN: {what}: {why}"));
}

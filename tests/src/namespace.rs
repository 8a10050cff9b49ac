//! A script in a mount namespace of its own, where it may make disks that are full or cannot be written.

use std::process::{Command, Stdio};

use crate::{Agent, program};

/// Runs a script with `$1` the program, `$2` the state folder and `$3` the agent's folder, and gives what it wrote to standard
/// output. It says `mounted` once it has its mount. None, and why on standard error, where the system lets nobody have one.
///
/// # Panics
///
/// The script was begun and failed.
#[must_use]
pub fn run(agent: &Agent, script: &str) -> Option<String> {
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .args([program::path(), agent.state(), agent.folder()])
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("HOME", agent.home())
        .env("SOULBOUND_HOME", agent.state())
        .stdin(Stdio::null())
        .output();
    let Ok(ended) = ended else {
        eprintln!("NOT RUN: there is no `unshare` here");
        return None;
    };
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ended.stderr);
    if !said.contains("mounted") {
        eprintln!("NOT RUN: this system allows no mount namespace: {errors}");
        return None;
    }
    eprintln!("{errors}");
    assert!(ended.status.success(), "{said}\n{errors}");
    Some(said)
}

/// What the program says to each of these commands, in order, while the state folder cannot be written: `== command`, everything
/// that it wrote, `exit N`.
#[must_use]
pub fn read_only(agent: &Agent, commands: &[&str]) -> Option<String> {
    let mut script =
        "mount --bind \"$2\" \"$2\" && mount -o remount,bind,ro \"$2\" || exit 9\necho mounted\n".to_owned();
    for words in commands {
        script += &format!("echo \"== {words}\"\n\"$1\" {words} < /dev/null 2>&1\necho \"exit $?\"\n");
    }
    run(agent, &script)
}

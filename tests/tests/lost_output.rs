//! Standard output that cannot be written: a document that was lost is never an exit of 0, and a reader that went away is none
//! of ours.

use std::fs::File;
use std::process::{Command, Output, Stdio};

use soulbound_tests::trusted::added;
use soulbound_tests::{Agent, program};

/// A run whose standard output is this.
fn run(agent: &Agent, words: &[&str], stdout: Stdio) -> Output {
    let mut command = Command::new(program::path());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", agent.home());
    command.env("SOULBOUND_HOME", agent.state()).current_dir(agent.folder());
    command.args(words).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped()).output().unwrap()
}

const DOCUMENTS: &[&[&str]] = &[
    &["check", "./SOUL.md"],
    &["check", "./SOUL.md", "--json"],
    &["call", "./SOUL.md", "probe", "read", "path=/docs/a.txt"],
    &["explain", "path.outside"],
    &["agents", "show", "echo"],
    &["audit", "show"],
    &["audit", "show", "--json"],
    &["audit", "export"],
    &["audit", "export", "--format", "csv"],
    &["audit", "verify"],
    &["completions", "bash"],
    &["--help"],
    &["--version"],
];

#[test]
fn what_a_full_disk_did_not_take_is_an_error() {
    let agent = added();
    agent.write("docs/a.txt", "a");
    for words in DOCUMENTS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = run(&agent, words, full.into());
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("standard output could not be written"), "{words:?}: {said}");
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let lost = run(&agent, &["agents", "token", "echo"], full.into());
    let said = String::from_utf8_lossy(&lost.stderr);
    assert_eq!(lost.status.code(), Some(2), "{said}");
    assert!(said.contains("this token was not shown") && !said.contains("is shown once"), "{said}");
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let agent = added();
    agent.write("docs/a.txt", "a");
    for words in DOCUMENTS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = run(&agent, words, writer.into());
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(0), "{words:?}: {said}");
        assert!(!said.contains("error:"), "{words:?}: {said}");
    }
}

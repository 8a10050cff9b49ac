//! An approval for always is for exactly what was approved: each part of it changed alone is asked about again.

use std::fs;

use soulbound_tests::approvals::{agent, decide, denied, ended, until_waiting};
use soulbound_tests::gateway::{ECHO, trust, until};
use soulbound_tests::{Agent, Gateway};

const NEW: [&str; 2] = ["path=/ws/new", "text=x"];

/// Calls, and approves for always what waits.
fn approved(agent: &Agent, gateway: &Gateway<'_>, tool: &str, words: &[&str]) {
    let call = gateway.calling("probe", tool, words);
    let name = until_waiting(agent, 1).remove(0);
    decide(agent, &["approve", &name, "--always"]).ends(0);
    assert_eq!(ended(call)["ok"], true, "{tool}");
}

/// Whether the same runs without a question.
fn covered(agent: &Agent, gateway: &Gateway<'_>, tool: &str, words: &[&str], why: &str) {
    let _ = fs::remove_file(agent.path("ws/new"));
    assert_eq!(gateway.call("probe", tool, words).json()["ok"], true, "{why}");
}

/// Whether it waits for a person, who says no.
fn asked(agent: &Agent, gateway: &Gateway<'_>, tool: &str, words: &[&str], why: &str) {
    let skill = if tool == "save" { "file-writer" } else { "probe" };
    let mut call = gateway.calling(skill, tool, words);
    let mut ends = false;
    until(
        || {
            ends = call.try_wait().unwrap().is_some();
            ends || !soulbound_tests::approvals::waiting(agent).is_empty()
        },
        why,
    );
    assert!(!ends, "{why}: nobody was asked");
    let name = until_waiting(agent, 1).remove(0);
    decide(agent, &["deny", &name]).ends(0);
    assert_eq!(denied(call).0, "approval.denied", "{why}");
}

#[test]
fn what_is_approved_for_always_is_asked_about_again_when_any_part_of_it_is_another() {
    let agent = agent("[approvals]\nrate = \"1000/minute\"\n");
    let gateway = Gateway::with(&agent);
    let again = |tool: &str, words: &[&str], why: &str| {
        let _ = fs::remove_file(agent.path("ws/new"));
        asked(&agent, &gateway, tool, words, why);
    };
    let same = |why: &str| covered(&agent, &gateway, "write", &NEW, why);
    approved(&agent, &gateway, "write", &NEW);
    same("exactly this");

    again("create", &NEW, "another tool that does the same");
    again("write", &["path=/ws/./new", "text=x"], "other arguments for the same effect");
    again("write", &["path=/ws/new", "text=y"], "other content");
    again("write", &["path=/ws/other", "text=x"], "another path");
    // The same arguments, and another effect: there is more in the file by then.
    agent.write("ws/log", "a");
    approved(&agent, &gateway, "append", &["path=/ws/log", "text=x"]);
    asked(&agent, &gateway, "append", &["path=/ws/log", "text=x"], "another effect");
    same("what was denied meanwhile is something else");

    // Another SOUL.md, trusted; and back.
    let soul = fs::read_to_string(agent.soul()).unwrap();
    fs::write(agent.soul(), format!("{soul}\n## Notes\nAnother.\n")).unwrap();
    trust(&agent, ECHO);
    again("write", &NEW, "another SOUL.md");
    fs::write(agent.soul(), &soul).unwrap();
    trust(&agent, ECHO);
    same("the SOUL.md that it was");

    // Another component that does the same, trusted; and back.
    let files = fs::read_dir(agent.skill("probe")).unwrap().map(|one| one.unwrap().path());
    let component = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "wasm")).unwrap();
    let bytes = fs::read(&component).unwrap();
    fs::write(&component, [bytes.as_slice(), &[0, 3, 1, b'x', 0]].concat()).unwrap();
    trust(&agent, ECHO);
    again("write", &NEW, "another component");
    fs::write(&component, &bytes).unwrap();
    trust(&agent, ECHO);
    same("the component that it was");

    // Other settings; and back.
    let path = agent.state().join("gateway.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let policy = || gateway.status()["policy"].clone();
    let before = policy();
    fs::write(&path, format!("{settings}timeout = \"119s\"\n")).unwrap();
    until(|| policy() != before, "the new settings");
    again("write", &NEW, "other settings");
    fs::write(&path, &settings).unwrap();
    until(|| policy() == before, "the settings that were");
    same("the settings that they were");
}

#[test]
fn a_save_that_was_approved_for_always_is_the_same_save_again() {
    let agent = Agent::new("- file-writer: Save\n  - write: ./ws\n  - approve: writes").directory("ws");
    let gateway = Gateway::with(&agent);
    let words = ["path=/ws/new", "content=x"];
    let call = gateway.calling("file-writer", "save", &words);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["approve", &name, "--always"]).ends(0);
    assert_eq!(ended(call)["ok"], true);
    fs::remove_file(agent.path("ws/new")).unwrap();
    assert_eq!(gateway.call("file-writer", "save", &words).json()["ok"], true);
    asked(&agent, &gateway, "save", &["path=/ws/new", "content=y"], "other content");
}

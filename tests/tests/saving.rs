//! One save is one question: about the name that it is about, with the content that will be there. And what was approved for
//! one name is approved for no other.

use std::io::Read;
use std::process::Child;

use serde_json::{Value, json};
use soulbound_tests::Agent;
use soulbound_tests::approvals::{decide, denied, ended, events, until_waiting, waiting};
use soulbound_tests::gateway::{Gateway, until};

fn writer(toml: &str) -> Agent {
    Agent::new("- file-writer: Save\n  - write: ./ws\n  - approve: writes\n- probe: Try\n  - write: ./own\n  - approve: writes")
        .guest("probe")
        .directory("ws")
        .directory("own")
        .gateway(toml)
}

/// SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

/// The one question that waits: its name, and what it is about.
fn asked(agent: &Agent) -> (String, Value) {
    let name = until_waiting(agent, 1).remove(0);
    (name, waiting(agent).remove(0)["effect"].clone())
}

fn save(gateway: &Gateway<'_>, content: &str) -> Child {
    gateway.calling("file-writer", "save", &["path=/ws/note.md", &format!("content={content}")])
}

/// The names in the folder.
fn names(agent: &Agent) -> Vec<String> {
    let entries = std::fs::read_dir(agent.path("ws")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn one_save_is_one_question_about_its_own_name_and_content_wherever_calls_run() {
    for toml in ["", "[sandbox]\nisolation = \"process\"\n"] {
        let agent = writer(toml);
        let doctor = agent.run(&["doctor", "--json"]).json();
        let walls =
            doctor["findings"].as_array().unwrap().iter().find(|one| one["checkId"] == "layer.process");
        if walls.unwrap()["severity"] == "error" {
            println!("NOT RUN: {}", walls.unwrap()["message"]);
            continue;
        }
        let gateway = Gateway::with(&agent);
        let file = agent.path("ws/note.md");
        for (before, kind) in [(None, "create"), (Some("old, and longer"), "write")] {
            if let Some(text) = before {
                std::fs::write(&file, text).unwrap();
            }
            let requested = events(&agent, "approval.requested").len();
            let call = save(&gateway, "hello");
            let (name, effect) = asked(&agent);
            let content = json!({"bytes": 5, "sha256": HELLO});
            let wanted = json!({"kind": kind, "path": "/ws/note.md", "to": null, "content": content});
            assert_eq!(effect, wanted);
            let there = std::fs::read_to_string(&file).ok();
            assert_eq!(there.as_deref(), before, "nothing happens before, under no name");
            assert_eq!(names(&agent).len(), usize::from(before.is_some()));
            decide(&agent, &["approve", &name]).ends(0);
            let answer = ended(call);
            assert_eq!(
                (&answer["ok"], &answer["result"]["created"]),
                (&json!(true), &json!(before.is_none()))
            );
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "hello");
            assert_eq!(names(&agent), ["note.md"]);
            assert_eq!(events(&agent, "approval.requested").len(), requested + 1);
        }
        // Nothing of it is shown under another name, to the person or in the trail.
        assert!(!json!(events(&agent, "effect")).to_string().contains("unfinished"));
        agent.run(&["audit", "verify"]).ends(0);
    }
}

#[test]
fn a_save_that_a_person_refuses_is_refused_once_and_changes_nothing() {
    let agent = writer("");
    let gateway = Gateway::with(&agent);
    for before in [None, Some("old")] {
        if let Some(text) = before {
            agent.write("ws/note.md", text);
        }
        let requested = events(&agent, "approval.requested").len();
        let call = save(&gateway, "hello");
        let (name, _) = asked(&agent);
        decide(&agent, &["deny", &name]).ends(0);
        let answer = ended(call);
        assert_eq!(answer["denial"]["id"], "approval.denied", "{answer}");
        assert!(answer["error"].to_string().contains("the write of `/ws/note.md` was refused"), "{answer}");
        let there = std::fs::read_to_string(agent.path("ws/note.md")).ok();
        assert_eq!(there.as_deref(), before);
        assert_eq!(names(&agent).len(), usize::from(before.is_some()));
        assert_eq!(
            events(&agent, "approval.requested").len(),
            requested + 1,
            "and no question about cleaning up"
        );
    }
}

#[test]
fn what_was_approved_under_one_name_is_asked_again_under_another() {
    let agent = writer("");
    let gateway = Gateway::with(&agent);
    let write = gateway.calling("probe", "write", &["path=/own/harmless.txt", "text=hello"]);
    let mut write = write;
    until(
        || {
            for one in waiting(&agent) {
                assert_eq!(one["effect"]["path"], "/own/harmless.txt");
                decide(&agent, &["approve", one["name"].as_str().unwrap()]).ends(0);
            }
            write.try_wait().unwrap().is_some()
        },
        "the write to end",
    );
    assert_eq!(ended(write)["ok"], true);
    let moved =
        gateway.calling("probe", "rename", &["source=/own/harmless.txt", "destination=/own/other.txt"]);
    let (name, effect) = asked(&agent);
    assert_eq!(
        (&effect["kind"], &effect["path"], &effect["to"]),
        (&json!("rename"), &json!("/own/harmless.txt"), &json!("/own/other.txt"))
    );
    decide(&agent, &["deny", &name]).ends(0);
    assert_eq!(denied(moved).0, "approval.denied");
    assert!(agent.path("own/harmless.txt").exists() && !agent.path("own/other.txt").exists());
}

#[test]
fn where_nobody_judges_a_reader_finds_the_old_file_or_the_new_one() {
    let agent = Agent::new("- file-writer: Save\n  - write: ./ws").file("ws/note.md", "the old text");
    let gateway = Gateway::with(&agent);
    let mut reader = std::fs::File::open(agent.path("ws/note.md")).unwrap();
    gateway.call("file-writer", "save", &["path=/ws/note.md", "content=hello"]).ends(0);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "the old text", "whoever has it open reads it to its end");
    assert_eq!(std::fs::read_to_string(agent.path("ws/note.md")).unwrap(), "hello");
    assert_eq!(names(&agent), ["note.md"]);
}

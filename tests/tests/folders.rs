//! Skills on disk: where they are found, and what is refused before a byte of them is believed.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use soulbound_tests::{Agent, Ended, guest};

fn one() -> Vec<u8> {
    guest::core("(func (export \"run\"))")
}

/// Refused as unusable, with this in the text; nothing ran.
fn refused(ended: &Ended, text: &str) {
    ended.ends(2);
    let document = ended.json();
    assert_eq!(document["error"]["kind"], "component", "{document:#}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains(text), "no `{text}` in: {message}");
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn the_skill_beside_the_agent_comes_before_the_standard_one() {
    let agent = Agent::new("- file-reader: Read\n  - read: ./docs").file("docs/x.txt", "standard");
    let checked = agent.run(&["check", "./SOUL.md", "--json"]).json();
    assert_eq!(checked["skills"][0]["origin"], "standard");
    assert_eq!(agent.call("file-reader", "read", &["path=/docs/x.txt"]).code, Some(0));
    let agent = agent.component("file-reader", &one());
    let checked = agent.run(&["check", "./SOUL.md", "--json"]).json();
    assert_eq!(checked["skills"][0]["origin"], "agent");
    assert_eq!(agent.call("file-reader", "run", &[]).result(), Value::Null);
}

#[test]
fn a_broken_skill_beside_the_agent_is_not_replaced_by_the_standard_one() {
    let agent = Agent::new("- file-reader: Read\n  - read: ./docs").file("docs/x.txt", "x");
    fs::create_dir_all(agent.skill("file-reader")).unwrap();
    refused(&agent.call("file-reader", "read", &["path=/docs/x.txt"]), "SKILL.md");
    fs::remove_dir(agent.skill("file-reader")).unwrap();
    symlink("/does/not/exist", agent.skill("file-reader")).unwrap();
    assert_eq!(agent.call("file-reader", "read", &["path=/docs/x.txt"]).code, Some(2));
}

#[test]
fn a_call_on_a_file_takes_no_skill_from_the_state_folder() {
    let agent = Agent::new("- s: Try");
    guest::write(&agent.state().join("skills/s"), "s", &one());
    refused(&agent.call("s", "run", &[]), "no skill `s`");
}

#[test]
fn a_folder_holds_exactly_one_component() {
    let agent = Agent::new("- s: Try").component("s", &one());
    agent.call("s", "run", &[]).ends(0);
    agent.write("skills/s/second.wasm", one());
    refused(&agent.call("s", "run", &[]), "more than one");
    fs::remove_file(agent.skill("s").join("second.wasm")).unwrap();
    fs::remove_file(agent.skill("s").join("s.wasm")).unwrap();
    refused(&agent.call("s", "run", &[]), "holds no `*.wasm`");
}

#[test]
fn folder_manifest_and_slug_are_one_name() {
    let agent = Agent::new("- s: Try").component("s", &one());
    agent.write("skills/s/SKILL.md", guest::manifest("other"));
    refused(&agent.call("s", "run", &[]), "the two are one");
    fs::remove_file(agent.skill("s").join("SKILL.md")).unwrap();
    refused(&agent.call("s", "run", &[]), "SKILL.md");
}

#[test]
fn a_wit_folder_must_export_what_the_component_does() {
    let agent = Agent::new("- s: Try").component("s", &one());
    let wit = |exports: &str| format!("package a:b;\nworld w {{\n{exports}\n}}\n");
    agent.write("skills/s/wit/w.wit", wit("/// Runs.\nexport run: func();"));
    agent.call("s", "run", &[]).ends(0);
    for exports in [
        "",
        "export run: func(x: u32);",
        "export run: func() -> u32;",
        "export run: func(); export other: func();",
        "export walk: func();",
        "export run func();",
    ] {
        agent.write("skills/s/wit/w.wit", wit(exports));
        let ended = agent.call("s", "run", &[]);
        refused(&ended, "wit/");
        agent.run(&["check", "./SOUL.md"]).ends(1);
    }
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let agent = Agent::new("- s: Try").component("s", &one());
    let component = agent.skill("s").join("s.wasm");
    let elsewhere = agent.outside("elsewhere.wasm");
    fs::rename(&component, &elsewhere).unwrap();
    symlink(&elsewhere, &component).unwrap();
    refused(&agent.call("s", "run", &[]), "not a regular file");
    fs::remove_file(&component).unwrap();
    fifo(&component);
    let ended = agent.call("s", "run", &[]);
    refused(&ended, "not a regular file");
    assert!(ended.took < Duration::from_secs(5), "a FIFO was waited for");
    fs::remove_file(&component).unwrap();
    fs::create_dir(&component).unwrap();
    refused(&agent.call("s", "run", &[]), "not a regular file");
    fs::remove_dir(&component).unwrap();
    fs::copy(&elsewhere, &component).unwrap();
    fs::remove_file(agent.skill("s").join("SKILL.md")).unwrap();
    fifo(&agent.skill("s").join("SKILL.md"));
    refused(&agent.call("s", "run", &[]), "not a regular file");
}

#[test]
fn a_soul_that_is_no_regular_file_is_refused_at_once() {
    let agent = Agent::new("- s: Try").component("s", &one());
    fs::remove_file(agent.soul()).unwrap();
    fifo(&agent.soul());
    let ended = agent.run(&["check", "./SOUL.md"]);
    ended.ends(2);
    assert!(ended.took < Duration::from_secs(5), "a FIFO was waited for");
}

#[test]
fn what_is_no_component_is_named() {
    let module = wat::parse_str("(module)").unwrap();
    let cut = &one()[..40];
    let future = b"\0asm\x63\0\x01\0rest";
    let cases: [(&[u8], &str); 8] = [
        (&module, "core WebAssembly module"),
        (b"(component)", "text"),
        (b"\x7fELF\x02\x01\x01\0", "machine code"),
        (future, "does not know"),
        (b"", "empty"),
        (b"\0asm", "cut short"),
        (b"<!doctype html>", "no WebAssembly"),
        (cut, "cannot be used"),
    ];
    let agent = Agent::new("- s: Try");
    for (bytes, text) in cases {
        guest::write(&agent.skill("s"), "s", bytes);
        refused(&agent.call("s", "run", &[]), text);
        agent.run(&["inspect", "./skills/s"]).ends(2).complains(text);
        agent.run(&["inspect", "./skills/s/s.wasm"]).ends(2).complains(text);
    }
}

#[test]
fn a_component_over_the_size_limit_is_refused_before_it_is_read() {
    let agent = Agent::new("- s: Try").component("s", &one());
    fs::File::options().write(true).open(agent.skill("s").join("s.wasm")).unwrap().set_len(1 << 36).unwrap();
    let ended = agent.call("s", "run", &[]);
    refused(&ended, "more than");
    assert!(ended.peak < 128 << 20, "{} MiB", ended.peak >> 20);
}

#[test]
fn a_component_replaced_between_calls_is_the_new_one() {
    let agent = Agent::new("- s: Try").component("s", &one());
    agent.call("s", "run", &[]).ends(0);
    guest::write(&agent.skill("s"), "s", &guest::core("(func (export \"run\") unreachable)"));
    assert_eq!(agent.call("s", "run", &[]).denial(), "guest.trap");
}

#[test]
fn the_example_skill_is_called_as_its_readme_says() {
    let root = soulbound_tests::root().join("examples/skills/word-count");
    let agent = Agent::with_soul(&fs::read_to_string(root.join("SOUL.md")).unwrap()).guest("word-count");
    agent.run(&["inspect", "skills/word-count", "--against", "./SOUL.md"]).ends(0);
    let ended = agent.run(&["call", "SOUL.md", "word-count", "count", "text=one two three"]);
    ended.ends(0);
    let counts: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(counts["words"], 3);
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for line in [
        "soulbound inspect skills/word-count --against SOUL.md",
        "soulbound call SOUL.md word-count count text=",
    ] {
        assert!(readme.contains(line), "the README says something else now than this test: {line}");
    }
}

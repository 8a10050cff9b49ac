//! What SOUL.md means, seen from outside: each key changes what a call does, or the skill does not run.

use std::fs;

use serde_json::{Value, json};
use soulbound_tests::{Agent, guest, root};

/// Exports `run`, and imports this as an instance without any item: it links against anything.
fn importing(interface: &str) -> Vec<u8> {
    guest::component(&format!(
        r#"(component (import "{interface}" (instance)) (core module $m (func (export "run")))
            (core instance $i (instantiate $m)) (func (export "run") (canon lift (core func $i "run"))))"#
    ))
}

#[test]
fn the_seed_form_loads_and_its_call_is_refused_with_the_line_to_add() {
    let seed = fs::read_to_string(root().join("examples/seed/SOUL.md")).unwrap();
    let agent = Agent::with_soul(&seed);
    let checked = agent.run(&["check", "--syntax", "./SOUL.md", "--json"]);
    checked.ends(0);
    assert_eq!(checked.json()["skills"][0]["hosts"], json!([]));
    let called = agent.call("browser", "fetch", &["url=https://en.wikipedia.org/"]);
    assert_eq!(called.denial(), "import.not-granted");
    let hint = called.json()["denial"]["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("- hosts: ") && hint.contains("- browser:"), "{hint}");
    // A file skill starts, and has no directory at all.
    let called = agent.call("file-writer", "save", &["path=/x", "content=y"]);
    assert_eq!(called.denial(), "path.outside");
}

#[test]
fn a_skill_that_is_not_listed_is_refused_whatever_lies_beside_the_agent() {
    let agent = Agent::new("- other: Something else").guest("probe");
    let ended = agent.call("probe", "nothing", &[]);
    assert_eq!(ended.denial(), "skill.not-listed");
    for hostile in ["../probe", "probe/../probe", "", "PROBE", "probe\u{1b}[2J"] {
        let ended = agent.call(hostile, "nothing", &[]);
        assert_eq!(ended.denial(), "skill.not-listed", "{hostile:?}");
        assert!(!ended.said().contains('\u{1b}'));
    }
}

#[test]
fn only_the_component_of_the_pinned_digest_loads() {
    let probe = guest::built("probe");
    let digest =
        Agent::new("- x: Y").run(&["inspect", probe.to_str().unwrap(), "--json"]).json()["digest"].clone();
    let right = format!("- probe: Try\n  - sha256: {}", digest.as_str().unwrap());
    assert_eq!(Agent::new(&right).guest("probe").call("probe", "nothing", &[]).result(), Value::Null);
    let wrong = format!("- probe: Try\n  - sha256: {}", "0".repeat(64));
    let ended = Agent::new(&wrong).guest("probe").call("probe", "nothing", &[]);
    assert_eq!(ended.denial(), "skill.not-trusted");
    assert_eq!(ended.json()["denial"]["rule"]["line"], 6);
}

#[test]
fn an_import_with_authority_and_no_grant_never_starts() {
    let agent = Agent::new("- s: Try").component("s", &importing("wasi:sockets/tcp@0.2.0"));
    let ended = agent.call("s", "run", &[]);
    assert_eq!(ended.denial(), "import.not-granted");
    assert_eq!(ended.json()["denial"]["imported"], "wasi:sockets/tcp@0.2.0");
    let agent = Agent::new("- s: Try").component("s", &importing("wasi:keyvalue/store@0.2.0-draft"));
    assert_eq!(agent.call("s", "run", &[]).denial(), "import.unknown");
}

#[test]
fn a_refused_capability_links_and_its_calls_are_refused() {
    let agent =
        Agent::new("- s: Try\n  - refuse: sockets").component("s", &importing("wasi:sockets/tcp@0.2.0"));
    assert_eq!(agent.call("s", "run", &[]).result(), Value::Null);
    let agent = Agent::new("- probe-web: Try\n  - refuse: http").guest("probe-web");
    let ended = agent.call_json(
        "probe-web",
        "request",
        &json!({"method": "GET", "url": "http://127.0.0.1:1/", "headers": [], "body": null}),
    );
    ended.ends(1);
    assert!(ended.json()["denial"]["id"].as_str().is_some(), "{ended:#?}");
}

#[test]
fn a_call_of_a_refused_socket_ends_with_its_own_id() {
    let agent = Agent::new("- s: Try\n  - refuse: sockets").component(
        "s",
        &guest::component(
            r#"(component
                (import "wasi:sockets/instance-network@0.2.0" (instance $n
                    (export "network" (type $network (sub resource)))
                    (export "instance-network" (func (result (own $network))))))
                (core func $net (canon lower (func $n "instance-network")))
                (core module $m (import "n" "f" (func $f (result i32))) (func (export "run") (drop (call $f))))
                (core instance $i (instantiate $m (with "n" (instance (export "f" (func $net))))))
                (func (export "run") (canon lift (core func $i "run"))))"#,
        ),
    );
    assert_eq!(agent.call("s", "run", &[]).denial(), "import.refused");
}

#[test]
fn what_waits_for_a_person_is_refused_where_nobody_can_be_asked() {
    let cases = [
        "- probe: Try
  - approve: always",
        "- probe: Try
  - approve: nothing",
    ];
    for soul in cases {
        let ended = Agent::new(soul).guest("probe").call("probe", "nothing", &[]);
        assert_eq!(ended.denial(), "approval.denied", "{soul}");
        assert!(ended.json()["denial"]["rule"]["line"].as_u64().unwrap() > 5, "{soul}");
    }
}

#[test]
fn what_waits_for_a_person_is_refused_where_nobody_is_asked() {
    for soul in ["- probe: Try\n  - approve: always", "- probe: Try\n  - approve: read, nothing"] {
        let ended = Agent::new(soul).guest("probe").call("probe", "nothing", &[]);
        assert_eq!(ended.denial(), "approval.denied", "{soul}");
        assert_eq!(ended.json()["denial"]["rule"]["line"], 6, "{soul}");
    }
    let other = Agent::new("- probe: Try\n  - approve: read").guest("probe").call("probe", "nothing", &[]);
    assert_eq!(other.result(), Value::Null);
}

#[test]
fn sockets_entries_are_an_error_until_they_are_built() {
    for entry in ["tcp://db.example:5432", "udp://time.example:123"] {
        let agent = Agent::new(&format!("- probe: Try\n  - hosts: {entry}")).guest("probe");
        agent.run(&["check", "./SOUL.md"]).ends(1);
        agent.call("probe", "nothing", &[]).ends(2);
    }
}

#[test]
fn the_skill_sees_the_granted_variables_and_nothing_of_the_host_s() {
    let agent = Agent::new("- probe: Try\n  - env: GREETING=hello, EMPTY=").guest("probe");
    let run = |tool: &str| {
        let program =
            agent.program().variable("AWS_SECRET_ACCESS_KEY", "hunter2").variable("GREETING", "host's");
        program.words(&["call", "--json", "./SOUL.md", "probe", tool]).run()
    };
    assert_eq!(run("env").result(), json!([["GREETING", "hello"], ["EMPTY", ""]]));
    assert_eq!(run("args").result(), json!([]));
    let without = Agent::new("- probe: Try").guest("probe");
    assert_eq!(without.call("probe", "env", &[]).result(), json!([]));
}

#[test]
fn a_skill_knows_who_it_is_and_what_it_was_granted() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs\n  - write: ./ws as /out").guest("probe");
    let agent = agent.directory("docs").directory("ws");
    let who = agent.call("probe", "who", &[]).result();
    assert_eq!((&who[0], &who[1]), (&json!("echo"), &json!("probe")));
    assert_eq!(agent.call("probe", "granted", &[]).result(), json!(["/docs read", "/out write"]));
    assert_eq!(agent.call("probe", "calls", &[]).result(), 1);
}

#[test]
fn a_rate_holds_across_runs_of_the_program() {
    let agent = Agent::new("- probe: Try\n  - limit: rate 2/minute").guest("probe");
    for _ in 0..2 {
        assert_eq!(agent.call("probe", "nothing", &[]).result(), Value::Null);
    }
    let third = agent.call("probe", "nothing", &[]);
    assert_eq!(third.denial(), "limit.rate");
    assert_eq!(third.json()["denial"]["rule"]["text"], "limit: rate 2/minute");
    // Bad arguments are no call, and another agent has a budget of its own.
    let other = Agent::new("- probe: Try\n  - limit: rate 1/minute").guest("probe");
    other.call("probe", "echo-u32", &["1"]).ends(2);
    assert_eq!(other.call("probe", "nothing", &[]).result(), Value::Null);
    assert_eq!(other.call("probe", "nothing", &[]).denial(), "limit.rate");
}

#[test]
fn a_limit_may_only_tighten() {
    let agent = Agent::new("- probe: Try\n  - limit: time 10m, memory 3GiB").guest("probe");
    let document = agent.run(&["check", "./SOUL.md", "--json"]).json();
    let warnings = document["warnings"].to_string();
    assert!(warnings.contains("changes nothing"), "{document:#}");
    let ended = agent.call("probe", "alloc-touch", &["mib=300"]);
    assert_eq!(ended.denial(), "limit.memory");
}

#[test]
fn a_grant_that_is_no_directory_is_an_error_at_its_line() {
    let agent =
        Agent::new("- probe: Try\n  - read: ./missing\n  - write: ./file").guest("probe").file("file", "x");
    let checked = agent.run(&["check", "./SOUL.md", "--json"]);
    checked.ends(1);
    let document = checked.json();
    let lines: Vec<&Value> =
        document["errors"].as_array().unwrap().iter().map(|error| &error["line"]).collect();
    assert_eq!(lines, [6, 7]);
    agent.call("probe", "nothing", &[]).ends(2);
    agent.run(&["check", "--syntax", "./SOUL.md"]).ends(0);
}

#[test]
fn a_write_grant_never_holds_skills_a_soul_the_home_or_the_state_folder() {
    let make = |entry: &str| Agent::new(&format!("- probe: Try\n  - write: {entry}")).guest("probe");
    let cases = [". as /all", "./skills", "./skills/probe"];
    for entry in cases {
        let ended = make(entry).call("probe", "nothing", &[]);
        ended.ends(2);
        assert_eq!(ended.json()["error"]["kind"], "soul", "{entry}");
    }
    let agent = Agent::with_soul("# x\n## Identity\n- Name: Echo\n## Skills\n- probe: Try\n").guest("probe");
    for place in
        [agent.home(), agent.state(), agent.folder(), "/tmp".into(), "/usr/bin".into(), "/proc".into()]
    {
        let soul = format!(
            "# x\n## Identity\n- Name: Echo\n## Skills\n- probe: T\n  - write: {} as /p\n",
            place.display()
        );
        fs::write(agent.soul(), soul).unwrap();
        agent.call("probe", "nothing", &[]).ends(2);
    }
}

#[test]
fn nothing_of_a_soul_with_one_error_is_used() {
    let agent = Agent::new("- probe: Try\n- other: Try\n  - hosts: '*'").guest("probe");
    agent.call("probe", "nothing", &[]).ends(2);
}

#[test]
fn narrowing_on_disk_applies_to_the_next_call() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe").file("docs/x", "here");
    assert_eq!(agent.call("probe", "read", &["path=/docs/x"]).result(), "here");
    fs::write(agent.soul(), "# x\n## Identity\n- Name: Echo\n## Skills\n- probe: Try\n").unwrap();
    assert_eq!(agent.call("probe", "read", &["path=/docs/x"]).denial(), "path.outside");
}

//! What changes under a running gateway: the operator's settings, SOUL.md, a skill's bytes. Less applies at once, also to
//! what is in flight; more waits.

use std::path::Path;

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, trust, until};
use soulbound_tests::{Agent, Gateway, Peer};

fn reader(skills: &str) -> Agent {
    Agent::new(skills).guest("probe").file("docs/a.txt", "a").file("more/b.txt", "b")
}

fn rewrite(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn settings(agent: &Agent, more: &str) {
    std::fs::write(
        agent.state().join("gateway.toml"),
        format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{more}"),
    )
    .unwrap();
}

fn ended(call: std::process::Child) -> Value {
    let output = call.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn a_narrowed_soul_applies_to_the_next_call() {
    let agent = reader("- probe: Read\n  - read: ./docs, ./more");
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "read", &["path=/more/b.txt"]).result(), "b");
    rewrite(&agent.soul(), "./docs, ./more", "./docs");
    assert_eq!(gateway.call("probe", "read", &["path=/more/b.txt"]).denial(), "path.outside");
    assert_eq!(gateway.call("probe", "read", &["path=/docs/a.txt"]).result(), "a");
    let noted = agent.run(&["audit", "show", ECHO, "--event", "soul.changed", "--json"]).json();
    assert!(!noted["records"].as_array().unwrap().is_empty(), "{noted}");
}

#[test]
fn a_widened_soul_waits_for_trust() {
    let agent = reader("- probe: Read\n  - read: ./docs");
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "read", &["path=/docs/a.txt"]).result(), "a");
    rewrite(&agent.soul(), "./docs", "./docs, ./more");
    assert_eq!(gateway.call("probe", "read", &["path=/more/b.txt"]).denial(), "path.outside");
    agent.run(&["agents", "diff", ECHO]).ends(1);
    trust(&agent, ECHO);
    assert_eq!(gateway.call("probe", "read", &["path=/more/b.txt"]).result(), "b");
}

#[test]
fn what_is_trusted_and_cannot_be_read_lets_nothing_run() {
    let agent = reader("- probe: Read");
    let gateway = Gateway::with(&agent);
    assert_ne!(gateway.call("probe", "who", &[]).result(), "");
    for kept in std::fs::read_dir(agent.state().join("store/sha256")).unwrap() {
        std::fs::remove_file(kept.unwrap().path()).unwrap();
    }
    // The same bytes: what the gateway hears of is only that somebody wrote them.
    let component = agent.path("skills/probe/probe.wasm");
    std::fs::write(&component, std::fs::read(&component).unwrap()).unwrap();
    until(|| !gateway.call("probe", "who", &[]).json()["ok"].as_bool().unwrap(), "a call to be refused");
    // And not that one call alone: the first look failed, and each later one has to as well.
    for _ in 0..3 {
        assert_eq!(gateway.call("probe", "who", &[]).denial(), "skill.not-trusted");
    }
}

#[test]
fn a_skill_taken_from_soul_ends_its_calls() {
    let agent = reader("- probe: Read\n  - limit: time 10m");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(1);
    rewrite(&agent.soul(), "- probe: Read\n  - limit: time 10m", "");
    assert_eq!(ended(call)["denial"]["id"], "skill.not-trusted");
}

#[test]
fn new_bytes_of_a_skill_wait_and_the_trusted_ones_go_on() {
    let agent = reader("- probe: Read");
    let gateway = Gateway::with(&agent);
    let before = gateway.call("probe", "who", &[]).result();
    // The same component with an empty custom section behind it: other bytes, other digest.
    let path = agent.path("skills/probe/probe.wasm");
    let component = std::fs::read(&path).unwrap();
    std::fs::write(&path, [component.as_slice(), &[0, 4, 3, b'n', b'e', b'w']].concat()).unwrap();
    assert_eq!(gateway.call("probe", "who", &[]).result(), before);
    until(
        || {
            !agent.run(&["audit", "show", ECHO, "--event", "skill.changed", "--json"]).json()["records"]
                .as_array()
                .unwrap()
                .is_empty()
        },
        "the change to be noted",
    );
    trust(&agent, ECHO);
    let after = gateway.call("probe", "who", &[]).result();
    assert_ne!(after, before, "the new digest is the skill's own knowledge");
}

#[test]
fn a_changed_agent_does_not_start_until_it_is_trusted_or_rolled_back() {
    let agent = reader("- probe: Read\n  - read: ./docs");
    let gateway = Gateway::with(&agent);
    agent.run(&["gateway", "stop"]).ends(0);
    drop(gateway);
    rewrite(&agent.soul(), "./docs", "./docs, ./more");
    let gateway = Gateway::start(&agent);
    assert_eq!(gateway.call("probe", "read", &["path=/docs/a.txt"]).denial(), "skill.not-trusted");
    agent.run(&["agents", "rollback", ECHO]).ends(0);
    assert_eq!(gateway.call("probe", "read", &["path=/docs/a.txt"]).result(), "a");
    assert!(!std::fs::read_to_string(agent.soul()).unwrap().contains("./more"));
}

#[test]
fn a_soul_that_is_gone_or_broken_lets_nothing_run() {
    let agent = reader("- probe: Read\n  - read: ./docs");
    let gateway = Gateway::with(&agent);
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    assert_eq!(gateway.call("probe", "read", &["path=/docs/a.txt"]).result(), "a");
    for broken in [
        None,
        Some("not a soul"),
        Some("# Agent\n## Identity\n- Name: Echo\n## Skills\n- probe: Read\n  - reed: ./docs\n"),
    ] {
        match broken {
            None => std::fs::remove_file(agent.soul()).unwrap(),
            Some(text) => std::fs::write(agent.soul(), text).unwrap(),
        }
        assert_eq!(
            gateway.call("probe", "read", &["path=/docs/a.txt"]).denial(),
            "skill.not-trusted",
            "{broken:?}"
        );
    }
    std::fs::write(agent.soul(), soul).unwrap();
    assert_eq!(gateway.call("probe", "read", &["path=/docs/a.txt"]).result(), "a");
}

#[test]
fn a_tightened_ceiling_ends_what_it_forbids_and_refuses_the_next_call() {
    let server = Peer::silent();
    let agent = Agent::new(&format!(
        "- probe-web: Ask\n  - hosts: {}\n  - limit: time 10m\n- probe: Sleep\n  - limit: time 10m",
        server.origin()
    ))
    .guest("probe-web")
    .guest("probe");
    let gateway = Gateway::with(&agent);
    let url = format!("url={}/", server.origin());
    let asking = gateway.calling("probe-web", "request", &["method=GET", &url, "headers=[]"]);
    let sleeping = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(2);
    settings(&agent, "[ceiling]\nallow_hosts = [\"https://en.wikipedia.org\"]\n");
    assert_eq!(ended(asking)["denial"]["id"], "skill.not-trusted");
    gateway.until_live(1);
    let refused = gateway.call("probe-web", "request", &["method=GET", &url, "headers=[]"]);
    assert!(refused.denials().contains(&"host.ceiling".to_owned()), "{refused:?}");
    agent.run(&["agents", "disable", ECHO]).ends(0);
    assert_eq!(ended(sleeping)["denial"]["id"], "agent.stopped");
}

#[test]
fn unusable_settings_keep_the_last_good_ones_and_status_says_so() {
    let agent = reader("- probe: Read\n  - read: ./docs");
    let gateway = Gateway::with(&agent);
    settings(&agent, "[limits]\nrate = \"1/hour\"\n");
    until(
        || {
            agent.run(&["audit", "show", "--event", "settings.changed", "--json"]).json()["records"]
                != json!([])
        },
        "the settings to be read",
    );
    settings(&agent, "[limits]\nraet = \"9/hour\"\n");
    until(
        || gateway.status()["settings_error"].as_str().is_some_and(|error| error.contains("raet")),
        "the error to be said",
    );
    gateway.call("probe", "who", &[]).ends(0);
    assert_eq!(
        gateway.call("probe", "who", &[]).denial(),
        "limit.rate",
        "the last good settings are in force"
    );
    settings(&agent, "");
    until(|| gateway.status()["settings_error"].is_null(), "the mended file to be read");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_rate_is_not_given_anew_by_touching_soul() {
    let agent = reader("- probe: Read\n  - limit: rate 2/hour");
    let gateway = Gateway::with(&agent);
    gateway.call("probe", "who", &[]).ends(0);
    gateway.call("probe", "who", &[]).ends(0);
    rewrite(&agent.soul(), "Read", "Read all");
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "limit.rate");
}

#[test]
fn a_narrowing_ends_calls_that_began_before_a_change_that_left_them_alone() {
    let agent = reader("- probe: Read\n  - read: ./docs, ./more\n  - limit: time 10m");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(1);
    settings(&agent, "# a word\n");
    until(
        || {
            agent.run(&["audit", "show", "--event", "settings.changed", "--json"]).json()["records"]
                != json!([])
        },
        "the settings to be read",
    );
    gateway.call("probe", "who", &[]).ends(0);
    gateway.until_live(1);
    rewrite(&agent.soul(), "./docs, ./more", "./docs");
    assert_eq!(ended(call)["denial"]["id"], "skill.not-trusted");
}

#[test]
fn a_rate_is_not_given_anew_by_breaking_and_mending_soul_or_by_a_restart() {
    let agent = reader("- probe: Read\n  - limit: rate 2/hour");
    let gateway = Gateway::with(&agent);
    gateway.call("probe", "who", &[]).ends(0);
    gateway.call("probe", "who", &[]).ends(0);
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    std::fs::write(agent.soul(), "broken").unwrap();
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "skill.not-trusted");
    std::fs::write(agent.soul(), soul).unwrap();
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "limit.rate");
    agent.run(&["gateway", "restart"]).ends(0);
    let again = agent.run(&["call", "--json", ECHO, "probe", "who"]);
    assert_eq!(again.denial(), "limit.rate");
    agent.run(&["gateway", "stop"]).ends(0);
}

#[test]
fn a_trail_that_was_put_back_is_found_although_the_gateway_went_on() {
    let agent = reader("- probe: Read");
    let gateway = Gateway::with(&agent);
    gateway.call("probe", "who", &[]).ends(0);
    agent.run(&["gateway", "stop"]).ends(0);
    let folder = agent.state().join("agents/echo");
    let kept: Vec<_> = ["audit.jsonl", "audit.tip", "audit.tip.sig"]
        .map(|name| (folder.join(name), std::fs::read(folder.join(name)).unwrap()))
        .into();
    drop(gateway);
    let gateway = Gateway::start(&agent);
    for _ in 0..3 {
        gateway.call("probe", "who", &[]).ends(0);
    }
    agent.run(&["gateway", "stop"]).ends(0);
    agent.run(&["audit", "verify"]).ends(0);
    kept.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
    agent.run(&["audit", "verify"]).ends(1);
    drop(gateway);
    let gateway = Gateway::start(&agent);
    gateway.call("probe", "who", &[]).ends(0);
    agent.run(&["gateway", "stop"]).ends(0);
    let found = agent.run(&["audit", "verify"]);
    assert!(found.ends(1).said().contains("an older one was put in its place"), "{found:?}");
}

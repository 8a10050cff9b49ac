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
fn a_key_that_waits_for_a_restart_holds_back_no_tightening_beside_it() {
    let server = Peer::silent();
    let soul = format!("- probe-web: Ask\n  - hosts: {}\n  - limit: time 10m", server.origin());
    let deny = "[ceiling]\nallow_hosts = [\"https://en.wikipedia.org\"]\n";
    let others = [
        ("[gateway] listen", "[gateway]\nlisten = \"127.0.0.1:1\"\n"),
        ("[approvals] address", "[approvals]\naddress = \"https://gate.example\"\n"),
        ("[sandbox] isolation", "[sandbox]\nisolation = \"process\"\n"),
        ("[audit] durability", "[audit]\ndurability = \"power\"\n"),
        ("[audit] rotate", "[audit]\nrotate = \"9MiB\"\n"),
    ];
    for (key, other) in others {
        let agent = Agent::new(&soul).guest("probe-web");
        let gateway = Gateway::with(&agent);
        let url = format!("url={}/", server.origin());
        let asking = gateway.calling("probe-web", "request", &["method=GET", &url, "headers=[]"]);
        gateway.until_live(1);
        assert_eq!(gateway.status()["settings_waiting"], json!([]));
        let listen = if key == "[gateway] listen" { "" } else { "[gateway]\nlisten = \"127.0.0.1:0\"\n" };
        std::fs::write(agent.state().join("gateway.toml"), format!("{listen}{other}{deny}")).unwrap();
        // What is forbidden now ends, and is not begun again.
        assert_eq!(ended(asking)["denial"]["id"], "skill.not-trusted", "{key}");
        let refused = gateway.call("probe-web", "request", &["method=GET", &url, "headers=[]"]);
        assert!(refused.denials().contains(&"host.ceiling".to_owned()), "{key}: {refused:?}");

        let status = gateway.status();
        assert_eq!((&status["settings_waiting"], &status["settings_error"]), (&json!([key]), &Value::Null));
        assert_eq!(status["listen"], gateway.address.as_str());
        let waits = format!("`{key}` of gateway.toml waits for a restart; every other key of it is in force");
        let page = agent.run(&["gateway", "status"]).ends(0).stdout.clone();
        assert!(page.contains(&format!("{waits}: soulbound gateway restart")), "{page}");
        let found = agent.run(&["doctor", "--json"]).json()["findings"].as_array().unwrap().clone();
        let found: Vec<_> = found.iter().filter(|one| one["checkId"] == "settings.in-force").collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["message"], waits.as_str());
        assert_eq!(found[0]["fixHint"], "soulbound gateway restart");
        let log = std::fs::read_to_string(agent.state().join("gateway.log")).unwrap();
        assert!(log.contains(&format!("{waits}: soulbound gateway restart")), "{log}");
        let noted = agent.run(&["audit", "show", "--event", "settings.changed", "--json"]).json();
        assert_eq!(noted["records"][0]["note"]["waits_for_restart"], json!([key]));

        // Taken back, nothing waits.
        settings(&agent, deny);
        until(|| gateway.status()["settings_waiting"] == json!([]), "the key to be taken back");
    }
}

#[test]
fn what_waited_for_a_restart_is_in_force_after_it() {
    let agent = reader("- probe: Read\n  - read: ./docs");
    let gateway = Gateway::with(&agent);
    settings(&agent, "[sandbox]\nisolation = \"process\"\n[limits]\nrate = \"1/hour\"\n");
    until(|| gateway.status()["settings_waiting"] == json!(["[sandbox] isolation"]), "the key to wait");
    assert_eq!(gateway.status()["isolation"]["calls"], "thread");
    agent.run(&["gateway", "restart"]).ends(0);
    let status = agent.run(&["gateway", "status", "--json"]).json();
    assert_eq!((&status["settings_waiting"], &status["isolation"]["calls"]), (&json!([]), &json!("process")));
    agent.run(&["gateway", "stop"]).ends(0);
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

//! Ten thousand actions that wait for a person at once: as many as `[approvals]` takes, over as many connections as it needs.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soulbound_tests::approvals::{decide, events};
use soulbound_tests::gateway::ECHO;
use soulbound_tests::program::kibibytes;
use soulbound_tests::{Agent, Gateway};

/// The most that gateway.toml takes.
const MOST: usize = 10_000;
/// Of one connection; it takes 64 at once.
const OF_ONE: usize = 50;
/// What one that waits may cost the gateway, with its call, its question and its connection's share.
const KIBIBYTES_EACH: u64 = 64;

/// A connection on the gateway's socket that speaks MCP for the agent, as the stdio shim's does.
fn speak(agent: &Agent) -> (UnixStream, BufReader<UnixStream>) {
    let mut stream = UnixStream::connect(agent.state().join("gateway.sock")).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    writeln!(stream, "{}", json!({"mcp": {"agent": ECHO}})).unwrap();
    lines.read_line(&mut line).unwrap();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"}});
    writeln!(stream, "{}", json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}))
        .unwrap();
    line.clear();
    lines.read_line(&mut line).unwrap();
    assert!(line.contains("serverInfo"), "{line}");
    writeln!(stream, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
    (stream, lines)
}

fn resident(gateway: &Gateway<'_>) -> u64 {
    kibibytes(&std::fs::read_to_string(format!("/proc/{}/status", gateway.pid)).unwrap(), "VmRSS:")
}

/// Waits until so many wait, however slow the machine is.
fn until_waiting(gateway: &Gateway<'_>, count: usize) {
    let (started, mut before) = (Instant::now(), Value::Null);
    loop {
        let now = gateway.status()["approvals"]["waiting"].clone();
        if now == count {
            return;
        }
        assert!(now != before || started.elapsed() < Duration::from_secs(120), "still {now} of {count}");
        before = now;
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn ten_thousand_wait_within_bounds_and_a_person_can_still_decide_and_the_next_is_told_why_not() {
    let toml = format!(
        "[approvals]\nwaiting = {MOST}\ngateway_waiting = {MOST}\nrate = \"1000000/minute\"\ntimeout = \"60m\"\n[limits]\nrate = \
         \"1000000/minute\"\n"
    );
    let agent =
        Agent::new("- probe: Try\n  - write: ./ws\n  - approve: mkdir").guest("probe").directory("ws");
    let agent = agent.gateway(&toml);
    let gateway = Gateway::with(&agent);
    gateway.call("probe", "nothing", &[]).ends(0);
    let before = resident(&gateway);
    let mut connections = Vec::new();
    for first in (0..MOST).step_by(OF_ONE) {
        let (mut stream, lines) = speak(&agent);
        for number in first..first + OF_ONE {
            let call = json!({"name": "probe__mkdir", "arguments": {"path": format!("/ws/{number}")}});
            let message = json!({"jsonrpc": "2.0", "id": number + 1, "method": "tools/call", "params": call});
            writeln!(stream, "{message}").unwrap();
        }
        connections.push((stream, lines));
    }
    until_waiting(&gateway, MOST);
    let each = resident(&gateway).saturating_sub(before) / MOST as u64;
    assert!(each < KIBIBYTES_EACH, "{each} KiB for each that waits");

    let refused = gateway.call("probe", "mkdir", &["path=/ws/one-more"]);
    assert_eq!(refused.denial(), "approval.too-many");
    let told = refused.json()["denial"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("10000 actions") && told.contains("wait for a person already"), "{told}");

    // The list is whole, and a person finds one in it, looks at it and decides.
    let listed = agent.run(&["approvals"]);
    listed.ends(0);
    assert!(listed.stdout.contains("(10000 wait)"), "{:.300}", listed.stdout);
    assert_eq!(listed.stdout.lines().filter(|line| line.contains("wants to call this tool")).count(), MOST);
    let waits = agent.run(&["approvals", "--json"]).json()["waiting"].as_array().unwrap().clone();
    let (first, last) = (&waits[0], &waits[MOST - 1]);
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    let path = |one: &Value| one["arguments"]["path"].as_str().unwrap().trim_start_matches("/ws/").to_owned();
    let shown = decide(&agent, &["show", &name(last)]);
    assert!(shown.ends(0).stdout.contains(&path(last)), "{shown:?}");
    decide(&agent, &["deny", &name(first)]).ends(0);
    decide(&agent, &["approve", &name(last)]).ends(0);
    until_waiting(&gateway, MOST - 2);
    let made = agent.path("ws").join(path(last));
    soulbound_tests::gateway::until(|| made.is_dir(), "the one that was approved");
    // There is room again, for as many as there was.
    let mut call = gateway.calling("probe", "mkdir", &["path=/ws/one-more"]);
    until_waiting(&gateway, MOST - 1);

    agent.run(&["gateway", "stop"]).ends(0);
    drop(call.wait());
    assert_eq!(std::fs::read_dir(agent.path("ws")).unwrap().count(), 1, "only what was approved happened");
    assert_eq!(events(&agent, "approval.granted").len(), 1);
    agent.run(&["audit", "verify"]).ends(0);
}

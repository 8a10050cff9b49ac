//! The kill switch: whatever is in flight ends, nothing starts, and every word about it is true.

use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, SOON, is_running, signal};
use soulbound_tests::{Agent, Gateway, Peer};

/// Calls in every state that a call can be in: computing, sleeping, waiting for a server that never answers.
fn every_kind_of_call(gateway: &Gateway<'_>, server: &Peer) -> Vec<Child> {
    let url = format!("url={}/", server.origin());
    let calls = vec![
        gateway.calling("probe", "spin", &[]),
        gateway.calling("probe", "sleep", &["milliseconds=600000"]),
        gateway.calling("probe-web", "request", &["method=GET", &url, "headers=[]"]),
    ];
    gateway.until_live(3);
    calls
}

fn agent(server: &Peer) -> Agent {
    let host = server.origin();
    Agent::new(&format!(
        "- probe: Try things\n  - limit: time 10m\n- probe-web: Ask\n  - hosts: {host}\n  - limit: time 10m"
    ))
    .guest("probe")
    .guest("probe-web")
}

/// Each of them ended as this denial.
fn all_ended_as(calls: Vec<Child>, id: &str) {
    for call in calls {
        let output = call.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"));
        assert_eq!(document["denial"]["id"], id, "{document}");
    }
}

#[test]
fn a_stop_ends_every_kind_of_call_and_says_how_many() {
    let server = Peer::silent();
    let agent = agent(&server);
    let gateway = Gateway::with(&agent);
    let calls = every_kind_of_call(&gateway, &server);
    let stopped = agent.run(&["gateway", "stop", "--json"]).ends(0).json();
    assert_eq!(stopped["gateway"]["calls"], 3, "{stopped}");
    assert_eq!(stopped["state"], agent.state().display().to_string());
    all_ended_as(calls, "gateway.stopped");
    assert!(!is_running(gateway.pid));
    let killed = agent.run(&["audit", "show", ECHO, "--decision", "killed", "--json"]).json();
    assert_eq!(killed["records"].as_array().unwrap().len(), 3, "a record for every call: {killed}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_stop_stays_over_restarts_until_the_operator_starts_again_which_is_recorded() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let gateway = Gateway::with(&agent);
    agent.run(&["gateway", "stop"]).ends(0);
    for words in
        [&["gateway", "run"][..], &["call", ECHO, "probe", "who"], &["call", "./SOUL.md", "probe", "who"]]
    {
        let refused = agent.run(words);
        assert_ne!(refused.code, Some(0), "{words:?}: {refused:?}");
        assert!(!is_running(gateway.pid));
    }
    let asked = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}"#;
    let shim = agent.program().words(&["mcp", "serve", "--agent", ECHO]).input(format!("{asked}\n")).run();
    assert!(shim.stdout.contains("gateway.stopped") && shim.stdout.contains("\"id\":7"), "{shim:?}");
    assert_eq!(agent.run(&["gateway", "status", "--json"]).ends(1).json()["stopped"], true);
    let again = Gateway::start(&agent);
    assert_eq!(again.call("probe", "who", &[]).result()[0], ECHO);
    let armed = agent.run(&["audit", "show", "--event", "gateway.armed", "--json"]).json();
    let record = &armed["records"][0];
    assert!(record["who"].as_str().is_some_and(|who| !who.is_empty()), "{armed}");
}

#[test]
fn a_gateway_that_hangs_is_killed_and_its_calls_with_it() {
    let server = Peer::silent();
    let agent = agent(&server);
    let gateway = Gateway::with(&agent);
    let calls = every_kind_of_call(&gateway, &server);
    signal(gateway.pid, "-STOP");
    let stopped = agent.run(&["gateway", "stop", "--json"]).ends(0).json();
    assert_eq!(stopped["gateway"]["killed"], true, "{stopped}");
    assert!(!is_running(gateway.pid), "the process is gone when the command says so");
    for call in calls {
        assert_ne!(call.wait_with_output().unwrap().status.code(), Some(0));
    }
    let recorded = agent.run(&["audit", "show", "--event", "gateway.stopped", "--json"]).json();
    assert_eq!(recorded["records"].as_array().unwrap().len(), 1, "{recorded}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn the_file_alone_stops_what_is_in_flight() {
    let server = Peer::silent();
    let agent = agent(&server);
    let gateway = Gateway::with(&agent);
    let calls = every_kind_of_call(&gateway, &server);
    std::fs::write(agent.state().join("stopped"), "").unwrap();
    all_ended_as(calls, "gateway.stopped");
    let deadline = Instant::now() + SOON;
    while is_running(gateway.pid) {
        assert!(Instant::now() < deadline, "a stopped gateway leaves");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn stopping_needs_no_gateway_and_no_folder_and_names_what_it_stopped() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let place = agent.outside("elsewhere");
    let stop = |words: &[&str]| agent.program().variable("SOULBOUND_HOME", &place).words(words).run();
    let first = stop(&["gateway", "stop", "--json"]).ends(0).json();
    assert_eq!((first["gateway"].clone(), first["already"].clone()), (Value::Null, json!(false)));
    assert_eq!(first["state"], place.display().to_string());
    let second = stop(&["gateway", "stop", "--json", "--force"]).ends(0).json();
    assert_eq!(second["already"], true);
}

#[test]
fn stopping_nothing_while_another_gateway_runs_is_said_loudly() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let gateway = Gateway::with(&agent);
    let place = agent.outside("elsewhere");
    let stopped = agent.program().variable("SOULBOUND_HOME", &place).words(&["gateway", "stop"]).run();
    stopped.ends(0).complains("still running").complains(&format!("pid {}", gateway.pid));
    stopped.complains(&agent.state().display().to_string());
    assert!(is_running(gateway.pid));
}

#[test]
fn disabling_an_agent_ends_its_calls_and_leaves_others_alone() {
    let server = Peer::silent();
    let agent = agent(&server);
    let gateway = Gateway::with(&agent);
    let calls = every_kind_of_call(&gateway, &server);
    agent.run(&["agents", "disable", ECHO]).ends(0);
    all_ended_as(calls, "agent.stopped");
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "agent.stopped");
    assert!(is_running(gateway.pid));
    agent.run(&["agents", "enable", ECHO]).ends(0);
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO);
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn removing_an_agent_ends_its_calls_and_keeps_its_trail() {
    let server = Peer::silent();
    let agent = agent(&server);
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let calls = every_kind_of_call(&gateway, &server);
    agent.run(&["agents", "remove", ECHO, "--force"]).ends(0);
    all_ended_as(calls, "agent.stopped");
    let mut client = gateway.mcp(ECHO, &token);
    assert_eq!(client.ask("tools/list", json!({})).status, 401);
    let trail = agent.run(&["audit", "show", ECHO, "--json"]).ends(0).json();
    assert!(trail.to_string().contains("agent.removed"), "{trail}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn disabling_works_with_no_gateway_and_with_one_that_hangs() {
    let agent = Agent::new("- probe: Try things\n  - limit: time 10m").guest("probe");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(1);
    signal(gateway.pid, "-STOP");
    let disabled = agent.run(&["agents", "disable", ECHO]);
    disabled.ends(0).complains("did not answer");
    assert!(!is_running(gateway.pid));
    assert_ne!(call.wait_with_output().unwrap().status.code(), Some(0));
    agent.run(&["agents", "enable", ECHO]).ends(0);
    agent.run(&["agents", "disable", ECHO]).ends(0);
    let again = Gateway::start(&agent);
    assert_eq!(again.call("probe", "who", &[]).denial(), "agent.stopped");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn over_http_a_stop_needs_the_operators_token() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let gateway = Gateway::with(&agent);
    let agents_own = format!("Bearer {}", gateway.token(ECHO));
    let operators = agent.run(&["gateway", "token"]).ends(0).stdout.trim().to_owned();
    for wrong in [&[][..], &[("authorization", agents_own.as_str())], &[("authorization", "Bearer x")]] {
        assert_eq!(gateway.request("POST", "/stop", wrong, "").status, 401);
    }
    assert!(is_running(gateway.pid));
    let operators = format!("Bearer {operators}");
    let answer = gateway.request("POST", "/stop", &[("authorization", &operators)], "");
    assert_eq!((answer.status, answer.json()["ok"].as_bool()), (200, Some(true)));
    soulbound_tests::gateway::until(|| !is_running(gateway.pid), "the gateway to leave");
    assert!(agent.state().join("stopped").exists());
}

#[test]
fn a_state_folder_that_others_can_read_is_complained_of_after_the_stop() {
    use std::os::unix::fs::PermissionsExt;
    let agent = Agent::new("- probe: Try things\n  - limit: time 10m").guest("probe");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(1);
    std::fs::set_permissions(agent.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    agent.run(&["agents", "disable", ECHO]).ends(0);
    all_ended_as(vec![call], "agent.stopped");
    let stopped = agent.run(&["gateway", "stop"]);
    stopped.ends(0).complains("open to others");
    assert!(!is_running(gateway.pid) && agent.state().join("stopped").exists());
}

#[test]
fn an_open_session_of_a_disabled_agent_is_told_so() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let gateway = Gateway::with(&agent);
    let mut client = gateway.mcp(ECHO, &gateway.token(ECHO));
    assert_eq!(client.call("probe__nothing", json!({}))["isError"], false);
    agent.run(&["agents", "disable", ECHO]).ends(0);
    let refused = client.ask("tools/call", json!({"name": "probe__nothing", "arguments": {}}));
    assert!(refused.body.contains("agent.stopped"), "{refused:?}");
    let asked = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}"#;
    let shim = agent.program().words(&["mcp", "serve", "--agent", ECHO]).input(format!("{asked}\n")).run();
    assert!(shim.stdout.contains("agent.stopped") && !shim.stdout.contains("gateway.stopped"), "{shim:?}");
}

#[test]
fn a_gateway_that_is_just_starting_never_undoes_a_stop() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    drop(Gateway::with(&agent));
    for round in 0..12 {
        agent.run(&["gateway", "start"]).ends(0);
        agent.run(&["gateway", "restart"]).ends(0);
        agent.run(&["gateway", "stop"]).ends(0);
        // Armed by hand, so that `gateway run` starts, and stopped at another moment of its start each time.
        std::fs::rename(agent.state().join("stopped"), agent.state().join("armed")).unwrap();
        let mut starting = agent.program().words(&["gateway", "run"]).start();
        std::thread::sleep(Duration::from_millis(round));
        agent.run(&["gateway", "stop"]).ends(0);
        assert!(agent.state().join("stopped").exists(), "round {round}");
        soulbound_tests::gateway::until(|| starting.try_wait().unwrap().is_some(), "the gateway to leave");
    }
}

#[test]
fn a_client_that_does_not_read_keeps_no_call_alive() {
    let agent = Agent::new("- probe: Try things\n  - limit: time 10m").guest("probe");
    let gateway = Gateway::with(&agent);
    let mut client = gateway.mcp(ECHO, &gateway.token(ECHO));
    let token = "x".repeat(200_000);
    client.begin("tools/call", json!({
        "name": "probe__progress-flood", "arguments": {"count": 1_000_000_000_u64}, "_meta": {"progressToken": token}
    }));
    gateway.until_live(1);
    // Until its reports fill whatever is between it and its client.
    std::thread::sleep(Duration::from_millis(1_500));
    agent.run(&["agents", "disable", ECHO]).ends(0);
    gateway.until_live(0);
}

#[test]
fn an_agent_that_is_removed_and_added_again_has_another_token_and_one_trail() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut old = gateway.mcp(ECHO, &token);
    assert_eq!(old.call("probe__nothing", json!({}))["isError"], false);
    agent.run(&["agents", "remove", ECHO]).ends(0);
    soulbound_tests::gateway::add(&agent);
    assert_eq!(old.ask("tools/list", json!({})).status, 401, "the old token is nothing to the new agent");
    let mut new = gateway.mcp(ECHO, &gateway.token(ECHO));
    assert_eq!(new.call("probe__nothing", json!({}))["isError"], false);
    agent.run(&["gateway", "stop"]).ends(0);
    agent.run(&["audit", "verify"]).ends(0);
}

//! `[sandbox] isolation = "process"`: where a call runs then, what stands around it, and what becomes of it when its process ends.
//! What a call may do is tried by the other tests, which `cargo xtask test` runs with this setting too; what its process may,
//! by `runtime/src/confine/directory_tests.rs`.

use std::process::Child;

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, is_running, signal, until};
use soulbound_tests::guest::built;
use soulbound_tests::{Agent, Gateway, Peer};

const PROCESS: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\n[sandbox]\nisolation = \"process\"\n";

/// An agent of two skills, which are one component under two grants.
fn two() -> Agent {
    Agent::new("- probe: Try\n  - read: ./docs\n  - limit: time 10m\n- other: Try\n  - write: ./ws\n  - limit: time 10m")
        .guest("probe")
        .component("other", &std::fs::read(built("probe").join("probe.wasm")).unwrap())
        .file("docs/a.txt", "a")
        .directory("ws")
        .gateway(PROCESS)
}

/// The workers of a gateway.
fn workers(gateway: &Gateway<'_>) -> Vec<i32> {
    let parent = format!("PPid:\t{}\n", gateway.pid);
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let is_worker = String::from_utf8_lossy(&read("cmdline")).contains("--soulbound-call-worker");
        if is_worker && String::from_utf8_lossy(&read("status")).contains(&parent) {
            found.push(pid);
        }
    }
    found
}

fn ended(call: Child) -> Value {
    let output = call.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

const SLEEP: &[&str] = &["milliseconds=600000"];

#[test]
fn a_call_runs_in_its_skill_s_own_confined_process_and_all_who_tell_of_it_agree() {
    let agent = two();
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.status()["isolation"]["workers"], 0, "none is started before it is needed");
    let calls = [gateway.calling("probe", "sleep", SLEEP), gateway.calling("other", "sleep", SLEEP)];
    until(|| workers(&gateway).len() == 2, "a process for each skill");
    gateway.until_live(2);
    for worker in workers(&gateway) {
        let confined = || {
            let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
            status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n")
        };
        until(confined, "the walls");
    }
    let status = gateway.status();
    assert_eq!(status["isolation"]["calls"], "process", "{status}");
    assert_eq!(status["isolation"]["workers"], 2, "{status}");
    assert_eq!(status["isolation"]["walls"]["seccomp"], true, "{status}");
    assert!(
        status["isolation"]["walls"]["landlock"].as_u64().is_some_and(|version| version >= 3),
        "{status}"
    );
    let page = agent.run(&["gateway", "status"]).ends(0).stdout.clone();
    assert!(page.contains("calls in a process for each skill (Landlock "), "{page}");
    let found = agent.run(&["doctor", "--json"]).json();
    let finding = found["findings"].as_array().unwrap().iter().find(|one| one["checkId"] == "layer.process");
    assert!(finding.unwrap()["message"].as_str().unwrap().contains("a process of their own"), "{found}");
    drop(gateway);
    for call in calls {
        let _ = call.wait_with_output();
    }
}

#[test]
fn a_process_that_ends_takes_its_own_calls_along_and_the_next_call_has_another() {
    let agent = two();
    let gateway = Gateway::with(&agent);
    // It is there before they are, so that both are in it long before the other skill's has started: a call that came too late
    // would be another process's.
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO);
    let first = workers(&gateway)[0];
    let lost = [gateway.calling("probe", "sleep", SLEEP), gateway.calling("probe", "sleep", SLEEP)];
    gateway.until_live(2);
    assert_eq!(workers(&gateway), [first], "one process for both");
    let kept = gateway.calling("other", "sleep", &["milliseconds=3000"]);
    until(|| workers(&gateway).len() == 2, "the other skill's process");
    // What the kernel does to one that asks for what no guest needs.
    signal(first, "-SYS");
    for call in lost {
        let document = ended(call);
        assert_eq!(document["denial"]["id"], "guest.process", "{document}");
        assert!(document.to_string().contains("SIGSYS"), "{document}");
    }
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO);
    assert_ne!(workers(&gateway).into_iter().min(), Some(first));
    assert!(ended(kept)["denial"].is_null(), "the neighbour's call came to its end");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_stop_ends_a_process_that_does_not_listen_any_more() {
    let agent = agent_alone();
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "sleep", SLEEP);
    gateway.until_live(1);
    until(|| workers(&gateway).len() == 1, "its process");
    let worker = workers(&gateway)[0];
    signal(worker, "-STOP");
    let stopped = agent.run(&["gateway", "stop", "--json"]).ends(0).json();
    assert_eq!(stopped["gateway"]["calls"], 1, "{stopped}");
    assert_eq!(ended(call)["denial"]["id"], "gateway.stopped");
    until(|| !is_running(worker), "the end of the process");
}

// One that nobody needs ends by itself after a minute, and nobody here waits so long.
#[test]
fn a_stopped_agent_s_idle_process_does_not_wait_for_its_minute() {
    let agent = agent_alone();
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO);
    let worker = workers(&gateway)[0];
    agent.run(&["agents", "disable", ECHO]).ends(0);
    until(|| !is_running(worker), "the end of the process");
}

#[test]
fn a_skill_that_lost_authority_goes_on_in_another_process_and_the_first_ends() {
    let agent = two();
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO);
    let worker = workers(&gateway)[0];
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    std::fs::write(agent.soul(), soul.replace("  - read: ./docs\n", "")).unwrap();
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO);
    until(|| !is_running(worker), "the end of the process that has the directory");
}

#[test]
fn a_process_dies_with_its_gateway() {
    let agent = agent_alone();
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "spin", &[]);
    until(|| workers(&gateway).len() == 1, "its process");
    let worker = workers(&gateway)[0];
    gateway.kill();
    until(|| !is_running(worker), "the end of the process");
    let _ = call.wait_with_output();
}

#[test]
fn a_call_that_is_over_its_time_leaves_no_process_that_computes() {
    let agent = Agent::new("- probe: Try\n  - limit: time 1s").guest("probe").gateway(PROCESS);
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "spin", &[]).json()["denial"]["id"], "limit.time");
    until(|| workers(&gateway).is_empty(), "the end of the process");
}

#[test]
fn requests_of_a_process_that_has_no_socket_go_the_gateway_s_way() {
    let server = Peer::answering("200 OK", "", "hello");
    let other = Peer::answering("200 OK", "", "never");
    let skills = format!("- probe-web: Ask\n  - hosts: {}", server.origin());
    let agent = Agent::new(&skills).guest("probe-web").gateway(PROCESS);
    let gateway = Gateway::with(&agent);
    let get = |origin: &str| {
        gateway.call("probe-web", "request", &["method=GET", &format!("url={origin}/"), "headers=[]"]).json()
    };
    let answered = get(&server.origin());
    assert!(answered.to_string().contains("hello"), "{answered}");
    let refused = get(&other.origin());
    assert!(refused.to_string().contains("host.not-granted"), "{refused}");
    assert!(other.requests().is_empty());
    let shown = agent.run(&["audit", "show", ECHO, "--json"]).json();
    assert!(shown.to_string().contains(&server.origin()), "{shown}");
}

#[test]
fn where_calls_run_changes_with_a_restart_only() {
    let agent = agent_alone();
    let gateway = Gateway::with(&agent);
    let path = agent.state().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"process\"", "\"thread\"");
    std::fs::write(&path, text).unwrap();
    until(|| gateway.status()["settings_waiting"] == json!(["[sandbox] isolation"]), "the key to wait");
    assert_eq!(gateway.status()["isolation"]["calls"], json!("process"));
    let wrong = agent_alone().gateway("[sandbox]\nisolation = \"fork\"\n");
    wrong.run(&["gateway", "run"]).ends(2).complains("expected `thread` or `process`");
}

fn agent_alone() -> Agent {
    Agent::new("- probe: Try\n  - limit: time 10m").guest("probe").gateway(PROCESS)
}

//! `soulbound doctor` and the log: what an operator sees of a machine and of a gateway.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use soulbound_tests::gateway::{ECHO, add, signal, until};
use soulbound_tests::{Agent, Gateway};

fn probe() -> Agent {
    Agent::new("- probe: Try things").guest("probe")
}

/// The ids of the findings that are more than good to know.
fn findings(agent: &Agent) -> Vec<String> {
    let document = agent.run(&["doctor", "--json"]).json();
    let all = document["findings"].as_array().unwrap().clone();
    for finding in &all {
        assert!(
            finding["fixHint"].as_str().is_some_and(|fix| !fix.is_empty()),
            "every finding has its fix: {finding}"
        );
    }
    let bad: Vec<String> = all
        .iter()
        .filter(|finding| finding["severity"] != "info")
        .map(|finding| finding["checkId"].as_str().unwrap().to_owned())
        // What this machine's limits are is not the test's.
        .filter(|id| !id.starts_with("limits.") && !["state.disk", "layer.compiling"].contains(&id.as_str()))
        .collect();
    assert!(bad.is_empty() || document["ok"] == false, "{document}");
    bad
}

#[test]
fn a_well_machine_has_no_findings_and_each_trouble_has_its_own() {
    let agent = probe();
    assert_eq!(findings(&agent), Vec::<String>::new());
    std::fs::write(agent.state().join("gateway.toml"), "[gatway]\n").unwrap();
    assert_eq!(findings(&agent), ["settings.readable"]);
    std::fs::remove_file(agent.state().join("gateway.toml")).unwrap();
    agent.run(&["gateway", "stop"]).ends(0);
    assert_eq!(findings(&agent), ["gateway.stopped"]);
    std::fs::set_permissions(agent.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(findings(&agent), ["state.folder"]);
    agent.run(&["doctor"]).ends(1);
}

/// Whether the kernel has a wall is the machine's; that a wall which it has stands, and that all who tell of it agree, is ours.
#[test]
fn doctor_and_status_name_the_walls_that_stand() {
    let agent = probe();
    let _gateway = Gateway::with(&agent);
    let status = agent.run(&["gateway", "status", "--json"]).ends(0).json();
    assert_eq!(status["isolation"]["calls"], "thread");
    let walls = &status["isolation"]["compiling"];
    let kernel = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if kernel.split(',').any(|module| module.trim() == "landlock") {
        assert!(walls["landlock"].as_u64().is_some_and(|version| version >= 1), "{status}");
    } else {
        println!("NOT RUN: Landlock is not switched on here, or the kernel does not say so");
    }
    if std::path::Path::new("/proc/sys/kernel/seccomp").is_dir() {
        assert_eq!(walls["seccomp"], true, "{status}");
    } else {
        println!("NOT RUN: this kernel has no seccomp");
    }
    let all_stand = walls["landlock"].is_u64() && walls["seccomp"] == true;
    let found = agent.run(&["doctor", "--json"]).json();
    let finding = |id: &str| found["findings"].as_array().unwrap().iter().any(|one| one["checkId"] == id);
    assert_eq!(finding("layer.compiling"), !all_stand, "{found}");
    assert!(finding("layer.process"), "calls have no such walls, and doctor says so: {found}");
    let page = agent.run(&["gateway", "status"]).ends(0).stdout.clone();
    assert!(page.contains("isolation  calls in the gateway's own process; compiling confined ("), "{page}");
}

#[test]
fn a_gateway_that_hangs_is_found() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    assert_eq!(findings(&agent), Vec::<String>::new());
    signal(gateway.pid, "-STOP");
    assert_eq!(findings(&agent), ["gateway.answers"]);
    let status = agent.run(&["gateway", "status", "--json"]).ends(1).json();
    assert_eq!(status["unresponsive"]["holder"]["pid"], gateway.pid);
    assert_eq!(status["running"], false);
}

#[test]
fn the_log_has_a_line_for_each_step_of_a_call_with_its_number() {
    let agent = probe();
    add(&agent);
    let settings = "[gateway]\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(agent.state().join("gateway.toml"), settings).unwrap();
    let program =
        agent.program().variable("SOULBOUND_LOG", "debug").words(&["gateway", "run", "--log", "json"]);
    let mut running = program.start();
    let mut ready = String::new();
    let mut output = std::io::BufReader::new(running.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut ready).unwrap();
    assert!(ready.starts_with("ready 127.0.0.1:"), "{ready}");
    let called = agent.run(&["call", "--json", ECHO, "probe", "who"]);
    let record = called.ends(0).json()["record"].as_str().unwrap().to_owned();
    signal(i32::try_from(running.id()).unwrap(), "-TERM");
    until(|| running.try_wait().unwrap().is_some(), "the gateway to leave");
    let mut log = String::new();
    std::io::Read::read_to_string(&mut running.stderr.take().unwrap(), &mut log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = lines.iter().find(|line| line["message"] == "call ended").unwrap_or_else(|| panic!("{log}"));
    assert_eq!(format!("echo#{}", ended["span"]["id"]), record, "{ended}");
    assert_eq!(ended["span"]["skill"], "probe");
}

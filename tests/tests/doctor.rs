//! `soulbound doctor` and the log: what an operator sees of a machine and of a gateway.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use soulbound_tests::gateway::{ECHO, add, signal, until};
use soulbound_tests::trusted::running;
use soulbound_tests::{Agent, Gateway};

/// Whoever listens on the default port of this machine is not the test's.
const LISTEN: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\n";

fn probe() -> Agent {
    Agent::new("- probe: Try things").guest("probe").gateway(LISTEN)
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
    std::fs::write(agent.state().join("gateway.toml"), LISTEN).unwrap();
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

/// Whether every thread of a process is stopped.
fn all_stand(pid: i32) -> bool {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

#[test]
fn a_gateway_that_hangs_is_found() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    assert_eq!(findings(&agent), Vec::<String>::new());
    signal(gateway.pid, "-STOP");
    // The signal is sent; each thread stops when it is next looked at.
    until(|| all_stand(gateway.pid), "the gateway to stand still");
    assert_eq!(findings(&agent), ["gateway.answers"]);
    let status = agent.run(&["gateway", "status", "--json"]).ends(1).json();
    assert_eq!(status["unresponsive"]["holder"]["pid"], gateway.pid);
    assert_eq!(status["running"], false);
}

#[test]
fn a_key_file_that_cannot_be_read_is_found_before_a_secret_is_set() {
    let agent = Agent::new("- probe: Try things").guest("probe");
    let key = agent.outside("key");
    let agent = agent.gateway(&format!("{LISTEN}[secrets]\nkey_file = \"{}\"\n", key.display()));
    assert_eq!(findings(&agent), ["secrets.readable"]);
    std::fs::write(&key, [7_u8; 48]).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(findings(&agent), Vec::<String>::new());
}

#[test]
fn a_port_that_another_program_has_is_found_while_no_gateway_runs() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let listen = format!("[gateway]\nlisten = \"{address}\"\n");
    let agent = Agent::new("- probe: Try things").guest("probe").gateway(&listen);
    assert_eq!(findings(&agent), ["gateway.port"]);
    let shown = agent.run(&["doctor"]).ends(1).stdout.clone();
    assert!(
        shown.contains(&format!("another program listens on {address}, so no gateway can start")),
        "{shown}"
    );
    assert!(shown.contains(&format!("ss -ltnp 'sport = :{}'", address.port())), "{shown}");
    assert!(shown.contains("`[gateway] listen` in gateway.toml"), "{shown}");
    agent.run(&["gateway", "start"]).ends(2).complains("cannot listen on");
    drop(other);
    assert_eq!(findings(&agent), Vec::<String>::new());
    // Its own gateway is nobody else.
    let _gateway = Gateway::with(&agent);
    assert_eq!(findings(&agent), Vec::<String>::new());
}

/// The messages and fixes of one check.
fn told(agent: &Agent, id: &str) -> Vec<(String, String)> {
    let document = agent.run(&["doctor", "--json"]).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = document["findings"].as_array().unwrap().iter().filter(|finding| finding["checkId"] == id);
    all.map(|finding| (text(&finding["message"]), text(&finding["fixHint"]))).collect()
}

#[test]
fn an_enabled_agent_of_which_nothing_runs_is_a_finding_with_what_lets_it_run_again() {
    let agent = probe().directory("more");
    add(&agent);
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    let one = || {
        assert_eq!(findings(&agent), ["agents.running"]);
        agent.run(&["doctor"]).ends(1);
        told(&agent, "agents.running").remove(0)
    };
    // It waits for trust, and no gateway looked at it before.
    agent.write("SOUL.md", format!("{}\n  - read: ./more\n", soul.trim_end()));
    let (message, fix) = one();
    assert_eq!(message, "agent `echo`: changed: nothing runs until you trust or roll back");
    for command in ["agents diff echo", "agents trust echo", "agents rollback echo"] {
        assert!(fix.contains(&format!("soulbound {command}")), "{fix}");
    }
    // An operator who disabled it has what was asked for.
    agent.run(&["agents", "disable", "echo"]).ends(0);
    assert_eq!(findings(&agent), Vec::<String>::new());
    agent.run(&["agents", "enable", "echo"]).ends(0);
    agent.write("SOUL.md", "none");
    let (message, fix) = one();
    assert!(message.ends_with("nothing runs until SOUL.md is mended or you roll back"), "{message}");
    assert!(fix.contains("mend SOUL.md, or: soulbound agents rollback echo"), "{fix}");
    agent.run(&["agents", "rollback", "echo"]).ends(0);
    assert_eq!(findings(&agent), Vec::<String>::new());
    // What a gateway ran before it changed runs on, as it was trusted.
    let _gateway = running(&agent);
    agent.write("SOUL.md", format!("{}\n  - read: ./more\n", soul.trim_end()));
    assert_eq!(told(&agent, "agents.running"), Vec::new());
    agent.run(&["explain", "agents.running"]).ends(0);
}

#[test]
fn of_many_agents_of_which_nothing_runs_ten_are_named_and_the_rest_counted() {
    let agent = probe();
    let folders: Vec<String> = (0..13).map(|number| format!("many/a{number:02}")).collect();
    for folder in &folders {
        let name = folder.trim_start_matches("many/");
        agent.write(&format!("{folder}/SOUL.md"), format!("# A\n## Identity\n- Name: {name}\n"));
        let digest = agent.run(&["agents", "add", folder, "--json"]).json()["digest"].clone();
        let digest = digest.as_str().unwrap();
        agent.run(&["agents", "add", folder, "--yes", "--digest", digest]).ends(0);
        agent.write(&format!("{folder}/SOUL.md"), "none");
    }
    let told = told(&agent, "agents.running");
    assert_eq!(told.len(), 11, "{told:?}");
    assert!(told[0].0.starts_with("agent `a00`: ") && told[9].0.starts_with("agent `a09`: "), "{told:?}");
    assert_eq!(told[10].0, "of 3 more agents nothing runs");
}

#[test]
fn a_trail_that_is_one_line_without_end_is_found_and_not_read_to_its_beginning() {
    let agent = probe();
    add(&agent);
    let trail = agent.state().join("agents/echo/audit.jsonl");
    let file = std::fs::File::options().append(true).open(&trail).unwrap();
    let length = file.metadata().unwrap().len();
    // Holes: to read them takes hours, and they take no room.
    if let Err(error) = file.set_len(length + (8 << 40)) {
        println!("NOT RUN: this file system has no files of 8 TiB: {error}");
        return;
    }
    let ended = agent.run(&["doctor", "--json"]);
    let found = ended.ends(1).json()["findings"].as_array().unwrap().clone();
    let trails: Vec<_> = found.iter().filter(|one| one["checkId"] == "audit.trails").collect();
    assert_eq!(trails.len(), 1, "{found:?}");
    let said = "the trail of echo is not what was written: audit.jsonl: the line is no record: it is longer than 1 MiB";
    assert_eq!(trails[0]["message"], said);
    file.set_len(length).unwrap();
    assert_eq!(findings(&agent), Vec::<String>::new());
}

#[test]
fn the_log_has_a_line_for_each_step_of_a_call_with_its_number() {
    let agent = probe();
    add(&agent);
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

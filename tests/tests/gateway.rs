//! The daemon: one a state folder, started and stopped as an operator does it, and what it says of itself.

use std::os::unix::fs::PermissionsExt;

use soulbound_tests::gateway::{ECHO, add, is_running, signal, until};
use soulbound_tests::{Agent, Gateway};

fn probe() -> Agent {
    Agent::new("- probe: Try things").guest("probe")
}

#[test]
fn a_gateway_starts_once_and_says_who_it_is() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let again = agent.run(&["gateway", "start", "--json"]).json();
    assert_eq!(
        (again["pid"].as_i64(), again["already"].as_bool()),
        (Some(i64::from(gateway.pid)), Some(true))
    );
    let foreground = agent.run(&["gateway", "run"]);
    foreground.ends(2).complains(&format!("gateway already running (pid {})", gateway.pid));
    let status = gateway.status();
    assert_eq!(status["running"], true);
    assert_eq!(status["stopped"], false);
    assert_eq!(status["pid"], gateway.pid);
    assert_eq!(status["listen"], gateway.address.as_str());
    assert!(["own-user", "same-user"].contains(&status["separation"].as_str().unwrap()));
    let socket = agent.state().join("gateway.sock");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn after_a_stop_whoever_asks_how_an_agent_stands_is_told_that_nothing_runs() {
    const STOPPED: &str = "stopped by an operator; nothing runs until `soulbound gateway start`";
    let agent = probe();
    add(&agent);
    let told = |is_stopped: bool| {
        for words in [["agents", "list"].as_slice(), &["agents"], &["agents", "show", ECHO]] {
            let said = agent.run(words).ends(0).stdout.clone();
            assert_eq!(said.matches(STOPPED).count(), usize::from(is_stopped), "{words:?}: {said}");
            let document = agent.program().words(words).words(&["--json"]).run().ends(0).json();
            assert_eq!(document["stopped"], is_stopped, "{words:?}: {document}");
        }
    };
    told(false);
    let status = agent.run(&["gateway", "status"]);
    let hint = "no gateway runs\n  hint: soulbound gateway start\n";
    assert!(status.ends(1).stdout.starts_with(hint), "{}", status.stdout);
    agent.run(&["gateway", "stop"]).ends(0);
    told(true);
    assert!(agent.run(&["gateway", "status"]).ends(1).stdout.starts_with(STOPPED));
}

#[test]
fn two_starts_at_once_make_one_gateway() {
    let agent = probe();
    drop(Gateway::with(&agent));
    agent.run(&["gateway", "stop"]).ends(0);
    let starts: Vec<_> =
        (0..4).map(|_| agent.program().words(&["gateway", "start", "--json"]).start()).collect();
    let mut pids: Vec<_> = starts
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let document: serde_json::Value = serde_json::from_str(&text)
                .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
            document["pid"].as_i64().unwrap()
        })
        .collect();
    pids.dedup();
    assert_eq!(pids.len(), 1, "{pids:?}");
    agent.run(&["gateway", "stop"]).ends(0);
}

#[test]
fn its_health_is_told_to_anybody_who_can_reach_it() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    for path in ["/healthz", "/readyz"] {
        let answer = gateway.request("GET", path, &[], "");
        assert_eq!((answer.status, answer.json()["ok"].as_bool()), (200, Some(true)), "{path}");
    }
    assert_eq!(gateway.request("GET", "/elsewhere", &[], "").status, 404);
}

#[test]
fn a_call_goes_through_it_and_stands_in_the_trail_and_in_the_heartbeat() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let called = gateway.call("probe", "who", &[]);
    assert_eq!(called.result()[0], ECHO);
    let record = called.json()["record"].as_str().unwrap().to_owned();
    assert!(record.starts_with("echo#"), "{record}");
    let refused = gateway.call("other", "who", &[]);
    assert_eq!(refused.denial(), "skill.not-listed");
    agent.run(&["gateway", "stop"]).ends(0);
    let trail = agent.run(&["audit", "show", ECHO, "--json"]).ends(0).json();
    let events: Vec<&str> =
        trail["records"].as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap()).collect();
    let wanted = ["intent", "outcome", "refused", "gateway.stopped"];
    let found: Vec<&str> = events.iter().copied().filter(|event| wanted.contains(event)).collect();
    assert_eq!(found, wanted, "{events:?}");
    let heartbeat = std::fs::read_to_string(agent.state().join("agents/echo/HEARTBEAT.md")).unwrap();
    assert!(heartbeat.contains("Used skill: probe (who)"), "{heartbeat}");
    assert!(heartbeat.contains("Denied skill: "), "{heartbeat}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_signal_lets_it_leave_in_order_and_it_starts_again() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let sleeping = gateway.calling("probe", "sleep", &["milliseconds=20000"]);
    gateway.until_live(1);
    signal(gateway.pid, "-TERM");
    until(|| !is_running(gateway.pid), "the gateway to leave");
    let ended = sleeping.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(!agent.state().join("stopped").exists(), "leaving is no stop");
    let again = Gateway::start(&agent);
    assert_eq!(again.call("probe", "who", &[]).result()[0], ECHO);
    let trail = agent.run(&["audit", "show", ECHO, "--decision", "killed", "--json"]).json();
    assert_eq!(trail["records"].as_array().unwrap().len(), 1, "{trail}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn after_a_kill_it_starts_again_and_the_trail_says_what_was_interrupted() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let sleeping = gateway.calling("probe", "sleep", &["milliseconds=20000"]);
    gateway.until_live(1);
    gateway.kill();
    assert_ne!(sleeping.wait_with_output().unwrap().status.code(), Some(0));
    let status = agent.run(&["gateway", "status", "--json"]);
    assert_eq!(status.ends(1).json()["running"], false);
    let again = Gateway::start(&agent);
    assert_eq!(again.call("probe", "who", &[]).result()[0], ECHO);
    let interrupted = agent.run(&["audit", "show", ECHO, "--decision", "interrupted", "--json"]).json();
    assert_eq!(interrupted["records"].as_array().unwrap().len(), 1, "{interrupted}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_restart_reads_the_settings_anew_and_is_no_stop() {
    let agent = probe();
    let gateway = Gateway::with(&agent);
    let again = agent.run(&["gateway", "restart", "--json"]);
    let pid = again.ends(0).json()["pid"].as_i64().unwrap();
    assert_ne!(pid, i64::from(gateway.pid));
    until(|| !is_running(gateway.pid), "the old one to be gone");
    // Settings that cannot be used take no gateway down.
    let toml = agent.state().join("gateway.toml");
    let settings = std::fs::read_to_string(&toml).unwrap();
    std::fs::write(&toml, "[sandbox]\nisolation = \"proces\"\n").unwrap();
    agent.run(&["gateway", "restart"]).ends(2).complains("`proces`");
    assert!(is_running(i32::try_from(pid).unwrap()));
    std::fs::write(&toml, settings).unwrap();
    assert_eq!(agent.run(&["gateway", "stop", "--json"]).json()["gateway"]["pid"], pid);
}

#[test]
fn a_state_folder_of_a_wrong_mode_or_place_is_refused() {
    let agent = probe();
    std::fs::set_permissions(agent.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    agent.run(&["gateway", "start"]).ends(2).complains("open to others");
    std::fs::set_permissions(agent.state(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let inside = agent.path("state");
    let run = agent.program().variable("SOULBOUND_HOME", inside).words(&["gateway", "start"]).run();
    run.ends(2).complains("inside an agent's folder");
    let openclaw = agent.home().join(".openclaw/workspace/state");
    let run = agent.program().variable("SOULBOUND_HOME", openclaw).words(&["gateway", "start"]).run();
    run.ends(2).complains("OpenClaw");
}

#[test]
fn a_state_folder_of_a_newer_format_is_refused_and_not_touched() {
    let agent = probe();
    std::fs::write(agent.state().join("format"), "99\n").unwrap();
    agent.run(&["gateway", "start"]).ends(2).complains("has format 99");
    assert!(!agent.state().join("audit.jsonl").exists());
}

#[test]
fn settings_that_cannot_be_enforced_keep_it_from_starting() {
    for (toml, complaint) in [
        ("[gateway]\nlisten = \"0.0.0.0:7685\"\n", "no TLS"),
        ("[gateway]\nlisten = \"127.0.0.1:0\"\n[approvals]\nways = [\"phone\"]\n", "`phone`"),
        ("[gateway]\nlisten = \"127.0.0.1:0\"\nlissten = 1\n", "lissten"),
        ("[gateway]\nlisten = \"127.0.0.1:0\"\n[audit]\ndurability = \"none\"\n", "durability"),
        (
            "[gateway]\nlisten = \"127.0.0.1:0\"\n[ceiling]\nrequire_approval = [\"write\"]\n",
            "did you mean `writes`?",
        ),
    ] {
        let agent = probe().gateway(toml);
        agent.run(&["gateway", "start"]).ends(2).complains(complaint);
        assert!(agent.run(&["gateway", "status"]).code == Some(1));
    }
}

#[test]
fn every_key_that_config_shows_is_one_that_the_program_reads() {
    let agent = probe();
    let shown = agent.run(&["gateway", "config"]).ends(0).stdout.clone();
    // With each key that is commented out let in too.
    let all: Vec<String> = shown
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if (rest.contains(" = ") || rest.starts_with("[[")) && !rest.contains("ca_file") => {
                rest.to_owned()
            }
            _ => line.to_owned(),
        })
        .collect();
    // What it names of the machine, made for the test.
    let place = agent.outside("posts");
    std::fs::create_dir(&place).unwrap();
    let place = place.canonicalize().unwrap();
    std::fs::write(place.join("discord"), "https://discord.com/api/webhooks/1/X\n").unwrap();
    std::fs::set_permissions(place.join("discord"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let text = all
        .join("\n")
        .replace("127.0.0.1:7685", "127.0.0.1:0")
        .replace("/srv/soulbound-posts", place.to_str().unwrap())
        .replace("/etc/soulbound", place.to_str().unwrap());
    std::fs::write(agent.state().join("gateway.toml"), text).unwrap();
    agent.run(&["gateway", "start"]).ends(0);
    agent.run(&["gateway", "stop"]).ends(0);
}

/// Each effect is a record, so a call that has effects without end would be one that writes the trail without end.
#[test]
fn one_call_has_ten_thousand_effects_and_no_more() {
    let skill = "- probe: Try\n  - write: ./ws\n  - limit: disk 1GiB, time 5m";
    let limits = "[limits]\ndisk = \"1GiB\"\ntime = \"5m\"\n";
    let agent = Agent::new(skill).guest("probe").directory("ws").gateway(limits);
    let gateway = Gateway::with(&agent);
    let ended = gateway.call("probe", "make-many", &["path=/ws", "count=10050"]);
    assert_eq!(ended.result(), 10_000);
    assert_eq!(ended.denials(), ["audit.unavailable"]);
    assert_eq!(std::fs::read_dir(agent.path("ws")).unwrap().count(), 10_000);
}

//! What the operator decides: gateway.toml, the stop, the state folder. No SOUL.md lifts any of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};
use soulbound_tests::{Agent, Ended, Peer};

fn get(agent: &Agent, url: &str) -> Ended {
    agent.call_json(
        "probe-web",
        "request",
        &json!({"method": "GET", "url": url, "headers": [], "body": null}),
    )
}

fn web(peer: &Peer) -> Agent {
    Agent::new(&format!("- probe-web: Try\n  - hosts: {}", peer.origin())).guest("probe-web")
}

#[test]
fn the_ceiling_keeps_every_agent_away_from_a_host() {
    let peer = Peer::answering("200 OK", "", "hello");
    assert_eq!(get(&web(&peer), &peer.origin()).result()["body"], "hello");
    assert_eq!(peer.requests().len(), 1);
    for toml in [
        "[ceiling]\ndeny_hosts = [\"http://127.0.0.1:*\"]\n",
        "[ceiling]\ndeny_hosts = [\"127.0.0.0/8\"]\n",
        "[ceiling]\nallow_hosts = []\n",
        "[ceiling]\nallow_hosts = [\"https://*.wikipedia.org\"]\n",
    ] {
        let agent = web(&peer).gateway(toml);
        let ended = get(&agent, &peer.origin());
        if ended.code == Some(2) {
            // A form that the list does not take is an error that names it, never an open door.
            ended.complains("gateway.toml");
            continue;
        }
        assert_eq!(ended.denial(), "host.ceiling", "{toml}");
    }
    assert_eq!(peer.requests().len(), 1, "the peer was reached past the ceiling");
}

#[test]
fn a_denied_directory_cannot_be_granted() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe").file("docs/deep/x", "x");
    for denied in [agent.path("docs"), agent.path("docs/deep"), agent.folder()] {
        let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe").file("docs/deep/x", "x");
        let relative = denied.file_name().unwrap().to_str().unwrap();
        let denied = match relative {
            "docs" => agent.path("docs"),
            "deep" => agent.path("docs/deep"),
            _ => agent.folder(),
        };
        let agent = agent.gateway(&format!("[ceiling]\ndeny_dirs = [{:?}]\n", denied.display().to_string()));
        let ended = agent.call("probe", "read", &["path=/docs/deep/x"]);
        ended.ends(2);
        assert_eq!(ended.json()["error"]["kind"], "soul");
        agent.run(&["check", "./SOUL.md"]).ends(1);
    }
}

#[test]
fn the_operator_s_limits_hold_under_any_soul() {
    let agent = Agent::new("- probe: Try\n  - limit: time 20s, memory 200MiB, output 1MiB").guest("probe");
    let agent = agent.gateway("[limits]\ntime = \"1s\"\nmemory = \"16MiB\"\noutput = \"1KiB\"\n");
    let slept = agent.call("probe", "sleep", &["milliseconds=15000"]);
    assert_eq!(slept.denial(), "limit.time");
    assert!(slept.took < Duration::from_secs(8), "{:?}", slept.took);
    assert_eq!(agent.call("probe", "alloc-touch", &["mib=32"]).denial(), "limit.memory");
    assert_eq!(agent.call("probe", "big-result", &["bytes=5000"]).denial(), "limit.output");
    assert_eq!(agent.call("probe", "echo-u32", &["value=1"]).result(), 1);
}

#[test]
fn an_approval_that_the_operator_requires_refuses_what_it_concerns_where_nobody_is_asked() {
    let toml = "[ceiling]\nrequire_approval = [\"writes\"]\n";
    let writes = Agent::new("- probe: Try\n  - write: ./ws").guest("probe").directory("ws").gateway(toml);
    assert_eq!(writes.call("probe", "nothing", &[]).result(), Value::Null);
    assert_eq!(writes.call("probe", "write", &["path=/ws/x", "text=x"]).denial(), "approval.denied");
    assert!(!writes.path("ws/x").exists());
    let always =
        Agent::new("- probe: T").guest("probe").gateway("[ceiling]\nrequire_approval = [\"always\"]\n");
    assert_eq!(always.call("probe", "nothing", &[]).denial(), "approval.denied");
    // A tool's name concerns the skills that have one; others are not refused for not having it.
    let named =
        Agent::new("- probe: T").guest("probe").gateway("[ceiling]\nrequire_approval = [\"delete\"]\n");
    assert_eq!(named.call("probe", "nothing", &[]).result(), Value::Null);
}

#[test]
fn what_gateway_toml_says_and_the_program_does_not_know_or_keep_is_an_error_that_names_it() {
    let cases = [
        ("[ceiling]\ndeny_host = [\"x.example\"]\n", "deny_host"),
        ("[celing]\n", "celing"),
        ("[gateway]\nlistn = \"127.0.0.1:1\"\n", "listn"),
        ("[gateway]\nlisten = \"nowhere\"\n", "nowhere"),
        ("[limits]\ntime = \"soon\"\n", "time"),
        ("[limits]\nmemory = 5\n", "memory"),
        ("[ceiling]\ndeny_dirs = [\"relative\"]\n", "relative"),
        ("[ceiling]\ndeny_hosts = [\"*\"]\nallow_hosts = [\"ht!tp\"]\n", "ht!tp"),
        ("[ceiling]\nrequire_approval = [\"\"]\n", "require_approval"),
        ("[audit]\ndurability = \"forever\"\n", "durability"),
        ("[audit]\nrotate = \"1KiB\"\n", "rotate"),
        ("[approvals]\ntimeout = \"soon\"\n", "[approvals]"),
        ("[[alerts]]\nslack = \"x\"\n", "[[alerts]]"),
        ("not toml", "gateway.toml"),
        ("[network]\nca_file = \"/does/not/exist\"\n", "ca_file"),
        ("[files]\nhard_links = \"maybe\"\n", "hard_links"),
    ];
    for (toml, named) in cases {
        let agent = Agent::new("- probe: Try").guest("probe").gateway(toml);
        let ended = agent.run(&["call", "./SOUL.md", "probe", "nothing"]);
        ended.ends(2).complains(named).complains("gateway.toml");
        assert_eq!(ended.stdout, "", "{toml}");
    }
}

#[test]
fn a_gateway_toml_that_cannot_be_read_stops_the_call() {
    let agent = Agent::new("- probe: Try").guest("probe");
    fs::create_dir(agent.state().join("gateway.toml")).unwrap();
    agent.run(&["call", "./SOUL.md", "probe", "nothing"]).ends(2);
    fs::remove_dir(agent.state().join("gateway.toml")).unwrap();
    fs::write(agent.state().join("gateway.toml"), b"\xff\xfe").unwrap();
    agent.run(&["call", "./SOUL.md", "probe", "nothing"]).ends(2).complains("gateway.toml");
}

#[test]
fn where_stopped_stands_nothing_runs() {
    let agent = Agent::new("- probe: Try").guest("probe");
    assert_eq!(agent.call("probe", "nothing", &[]).result(), Value::Null);
    fs::write(agent.state().join("stopped"), "").unwrap();
    assert_eq!(agent.call("probe", "nothing", &[]).denial(), "gateway.stopped");
    fs::remove_file(agent.state().join("stopped")).unwrap();
    // A dangling link is there too: what cannot be told is a stop.
    std::os::unix::fs::symlink("/does/not/exist", agent.state().join("stopped")).unwrap();
    assert_eq!(agent.call("probe", "nothing", &[]).denial(), "gateway.stopped");
    fs::remove_file(agent.state().join("stopped")).unwrap();
    assert_eq!(agent.call("probe", "nothing", &[]).result(), Value::Null);
}

#[test]
fn a_state_folder_that_others_can_open_is_refused() {
    let agent = Agent::new("- probe: Try").guest("probe");
    for mode in [0o755, 0o710, 0o701, 0o777] {
        fs::set_permissions(agent.state(), fs::Permissions::from_mode(mode)).unwrap();
        let ended = agent.run(&["call", "./SOUL.md", "probe", "nothing"]);
        ended.ends(2).complains("hint: chmod 700");
    }
    fs::set_permissions(agent.state(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(agent.state()).unwrap();
    fs::write(agent.state(), "").unwrap();
    agent.run(&["call", "./SOUL.md", "probe", "nothing"]).ends(2).complains("is not a folder");
}

#[test]
fn a_state_folder_is_made_for_this_user_alone() {
    let agent = Agent::new("- probe: Try").guest("probe");
    fs::remove_dir_all(agent.state()).unwrap();
    assert_eq!(agent.call("probe", "nothing", &[]).result(), Value::Null);
    for path in [agent.state(), agent.state().join("cache"), agent.state().join("cache/key")] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

#[test]
fn hard_links_are_refused_unless_the_operator_allows_them() {
    let make = |toml: &str| {
        let agent =
            Agent::new("- probe: Try\n  - read: ./docs").guest("probe").file("docs/x", "twice").gateway(toml);
        fs::hard_link(agent.path("docs/x"), agent.outside("other-name")).unwrap();
        agent
    };
    assert_eq!(make("").call("probe", "read", &["path=/docs/x"]).denial(), "path.hard-link");
    let allowed = make("[files]\nhard_links = \"allow\"\n");
    assert_eq!(allowed.call("probe", "read", &["path=/docs/x"]).result(), "twice");
}

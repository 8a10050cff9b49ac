//! `soulbound audit replay`: a second matcher over what real calls left in the trail, and over a trail in which something was
//! let pass that no grant covers.

use std::fs;

use soulbound_tests::gateway::ECHO;
use soulbound_tests::{Agent, Gateway, Peer};

#[test]
fn what_real_calls_did_stood_under_grants_and_what_did_not_is_found() {
    let server = Peer::answering("200 OK", "", "hello");
    let agent = Agent::new(&format!(
        "- probe: Try things\n  - read: ./docs\n  - write: ./ws\n  - create: ./in\n- probe-web: Ask\n  - hosts: {}",
        server.origin()
    ))
    .guest("probe")
    .guest("probe-web");
    for folder in ["docs/deep", "ws", "in"] {
        fs::create_dir_all(agent.path(folder)).unwrap();
    }
    fs::write(agent.path("docs/deep/a"), "a").unwrap();
    std::os::unix::fs::symlink("deep/a", agent.path("docs/link")).unwrap();
    let gateway = Gateway::with(&agent);
    let calls: &[(&str, &[&str])] = &[
        ("read", &["path=/docs/deep/a"]),
        ("read", &["path=/docs/link"]),
        ("read", &["path=/docs/deep/../deep/a"]),
        ("read", &["path=/docs/.hidden"]),
        ("read", &["path=/docs/missing"]),
        ("read", &["path=/etc/passwd"]),
        ("list", &["path=/"]),
        ("list", &["path=/docs"]),
        ("stat", &["path=/ws"]),
        ("write", &["path=/ws/a", "text=x"]),
        ("append", &["path=/ws/a", "text=x"]),
        ("rename", &["source=/ws/a", "destination=/ws/b"]),
        ("rename", &["source=/ws/b", "destination=/docs/b"]),
        ("write", &["path=/docs/x", "text=x"]),
        ("write", &["path=/ws/SOUL.md", "text=x"]),
        ("create", &["path=/in/new", "text=x"]),
        ("read", &["path=/in/new"]),
    ];
    for (tool, arguments) in calls {
        let _ = gateway.call("probe", tool, arguments);
    }
    for url in [format!("url={}/x", server.origin()), "url=https://evil.test/".to_owned()] {
        let _ = gateway.call("probe-web", "request", &["method=GET", &url, "headers=[]"]);
    }
    let replayed = agent.run(&["audit", "replay", "--json"]);
    let document = replayed.ends(0).json();
    let trail = &document["trails"][0];
    assert_eq!((&document["ok"], &trail["findings"]), (&true.into(), &serde_json::json!([])), "{document:#}");
    assert!(trail["judged"].as_u64() > Some(15) && trail["refused"].as_u64() > Some(5), "{document:#}");
    assert_eq!(trail["unjudged"], 1, "the one path with `..`: {document:#}");

    // A gateway whose own matcher let something pass would have left just this.
    let path = agent.state().join("agents").join(ECHO).join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap().replace("/docs/deep/a\"", "/etc/shadow\"");
    fs::write(&path, text).unwrap();
    let found = agent.run(&["audit", "replay", ECHO]);
    let said = &found.ends(1).complains("does not verify").stdout;
    assert!(said.contains("no directory entry covers it") && said.contains("/etc/shadow"), "{said}");
}

#[test]
fn a_trail_that_does_not_verify_is_never_blessed_and_an_empty_one_is_nothing_to_judge() {
    let agent = Agent::new("- probe: Try things\n  - read: ./docs\n  - write: ./ws")
        .guest("probe")
        .file("docs/a", "a")
        .directory("ws");
    let gateway = Gateway::with(&agent);
    let replay = || agent.run(&["audit", "replay", ECHO]);
    let untouched = replay();
    assert!(untouched.ends(0).stdout.contains("nothing to judge"), "{}", untouched.stdout);
    gateway.call("probe", "read", &["path=/docs/a"]).ends(0);
    gateway.call("probe", "write", &["path=/ws/b", "text=x"]).ends(0);
    assert!(replay().ends(0).stdout.contains("each under a grant"));
    // What a person reads of an effect is which.
    let shown = agent.run(&["audit", "show", ECHO]);
    let effect = shown.stdout.lines().find(|line| line.contains(" effect ")).unwrap();
    assert!(effect.contains("create \"/ws/b\""), "{effect}");
    drop(gateway);
    let path = agent.state().join("agents").join(ECHO).join("audit.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("/docs/a\"", "/docs/b\"")).unwrap();
    let forged = replay();
    assert!(
        !forged.ends(1).complains("does not verify").stdout.contains(": each under a grant\n"),
        "{}",
        forged.stdout
    );
    assert_eq!(agent.run(&["audit", "replay", "--json"]).ends(1).json()["trails"][0]["verified"], false);
    fs::write(&path, "").unwrap();
    let emptied = replay();
    assert!(
        emptied.ends(1).complains("does not verify").stdout.contains("nothing to judge"),
        "{}",
        emptied.stdout
    );
}

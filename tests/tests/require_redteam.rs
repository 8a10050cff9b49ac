//! `[trust] require_redteam`: an agent is trusted, and runs, only after redteam ran on exactly these bytes and nothing got out.

use std::fs;

use soulbound_tests::trusted::{agent, card, listed, trusted};
use soulbound_tests::{Agent, Gateway};

const REQUIRED: &str = "[trust]\nrequire_redteam = true\n";

/// The file in which a run on this manifest is written down.
fn written(agent: &Agent, manifest: &str) -> std::path::PathBuf {
    agent.state().join("redteam").join(format!("{manifest}.json"))
}

fn settings(agent: &Agent, toml: &str) {
    fs::write(agent.state().join("gateway.toml"), toml).unwrap();
}

#[test]
fn nothing_is_trusted_without_a_run_and_the_command_that_makes_one_is_named() {
    let agent = agent().gateway(REQUIRED);
    let digest = card(&agent);
    let add = || agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]);
    add().ends(1).complains("redteam never ran on exactly these bytes").complains("--redteam");
    assert!(listed(&agent).as_array().unwrap().is_empty());
    // A part of the attacks is no proof.
    agent.run(&["redteam", "./SOUL.md", "--class", "audit"]).ends(0).complains("this run is no proof");
    add().ends(1);
    agent.run(&["redteam", "./SOUL.md"]).ends(0);
    add().ends(0).complains("nothing got out");
    assert_eq!(trusted(&agent), digest);

    // Other bytes are other bytes.
    agent.write(
        "skills/probe/SKILL.md",
        [&fs::read(agent.path("skills/probe/SKILL.md")).unwrap(), "\nmore\n".as_bytes()].concat(),
    );
    let shown = agent.run(&["agents", "trust", "echo", "--json"]).json();
    let changed = shown["card"]["digest"].as_str().unwrap().to_owned();
    let trust = |words: &[&str]| {
        agent.program().words(&["agents", "trust", "echo", "--yes", "--digest", &changed]).words(words).run()
    };
    trust(&[]).ends(1).complains("redteam never ran on exactly these bytes");
    assert_eq!(trusted(&agent), digest);
    trust(&["--redteam"]).ends(0).complains("nothing got out");
    assert_eq!(trusted(&agent), changed);

    // Back to what was: its run is still written down; without it, no.
    let run = fs::read(written(&agent, &digest)).unwrap();
    fs::remove_file(written(&agent, &digest)).unwrap();
    let back = || agent.run(&["agents", "rollback", "echo", "--to", &digest]);
    back().complains("redteam never ran").complains("soulbound redteam echo --manifest");
    assert_eq!(trusted(&agent), changed);
    fs::write(written(&agent, &digest), run).unwrap();
    back().ends(0);
    assert_eq!(trusted(&agent), digest);
}

#[test]
fn an_agent_without_a_run_does_not_start_and_no_file_of_ones_own_making_lets_it() {
    let agent = agent();
    let digest = card(&agent);
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(0).complains("redteam never ran");
    let gateway = Gateway::start(&agent);
    gateway.call("probe", "read", &["path=/docs/x.txt"]).ends(0);
    let listens = fs::read_to_string(agent.state().join("gateway.toml")).unwrap();
    drop(gateway);
    settings(&agent, &format!("{listens}{REQUIRED}"));
    let gateway = Gateway::start(&agent);
    let denial = || gateway.call("probe", "read", &["path=/docs/x.txt"]).denial().to_owned();
    assert_eq!(denial(), "redteam.required");
    // What says so without the gateway's key says nothing.
    fs::create_dir_all(agent.state().join("redteam")).unwrap();
    let forged = format!(
        r#"{{"kept":{{"v":1,"ran":{{"manifest":"{digest}","agent":"echo","tried":900,"escaped":0,"blind":0,"whole":true,"seed":1}},"program":"{}","when":"2026-11-21T00:00:00.000Z"}},"mac":"{}"}}"#,
        env!("CARGO_PKG_VERSION"),
        "0".repeat(64)
    );
    fs::write(written(&agent, &digest), forged).unwrap();
    agent.run(&["agents", "disable", "echo"]).ends(0);
    agent.run(&["agents", "enable", "echo"]).ends(0);
    assert_eq!(denial(), "redteam.required");
    // The run is written down by the gateway that runs, and counts from the next call on.
    agent.run(&["redteam", "echo"]).ends(0);
    gateway.call("probe", "read", &["path=/docs/x.txt"]).ends(0);
    let events = agent.run(&["audit", "show", "echo"]);
    assert!(events.said().contains("agent.attacked"), "{}", events.said());
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn what_got_out_stays_written_down_until_it_does_not_get_out_any_more() {
    let agent = agent();
    let digest = card(&agent);
    agent.run(&["redteam", "./SOUL.md"]).ends(0);
    // A script of the operator's own says that what the grant allows must not be done: that counts as out, in a part as well.
    let script = agent.outside("script.toml");
    fs::write(&script, "[[script]]\nname = \"mine\"\nstep = [{ skill = \"probe\", tool = \"read\", arguments = { path = \"/docs/x.txt\" }, expect = \"denied\" }]\n").unwrap();
    agent.run(&["redteam", "./SOUL.md", "--class", "model", "--script", script.to_str().unwrap()]).ends(1);
    agent.run(&["agents", "add", "."]).complains("1 attack got out");
    settings(&agent, REQUIRED);
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(1).complains("1 attack got out");
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest, "--redteam"]).ends(0);
}

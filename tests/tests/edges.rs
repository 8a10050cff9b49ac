//! The first mistakes of an operator: each is told with what to do, and leaves things as they were.

use std::fs;

use soulbound_tests::Agent;
use soulbound_tests::gateway::ECHO;
use soulbound_tests::trusted::{added, agent, card, listed};
use soulbound_tests::{Ended, Gateway};

/// Fails unless it says this and what to do, and ends with this code.
fn tells(ended: &Ended, code: i32, what: &str, hint: &str) {
    ended.ends(code);
    let said = ended.said();
    let after = said.split_once(what).unwrap_or_else(|| panic!("no `{what}` in {ended:#?}")).1;
    assert!(after.contains("hint:") && after.contains(hint), "no `{hint}` in {ended:#?}");
}

#[test]
fn a_start_that_cannot_be_leaves_a_stop_in_force() {
    let agent = added();
    agent.run(&["gateway", "stop"]).ends(0);
    let settings = agent.state().join("gateway.toml");
    for (text, what, hint) in [
        ("[gatway]\n", "unknown field `gatway`", "did you mean `gateway`?"),
        (
            "[gateway]\nlisten = \"127.0.0.1:99999\"\n",
            "expected an address",
            "`soulbound gateway config` shows every key",
        ),
        ("[gateway]\nlisten = \n", "gateway.toml: line 2", "`soulbound gateway config` shows every key"),
    ] {
        fs::write(&settings, text).unwrap();
        tells(&agent.run(&["gateway", "start"]), 2, what, hint);
        assert!(agent.state().join("stopped").exists(), "{text}");
    }
    fs::write(&settings, b"\xff\xfe").unwrap();
    tells(&agent.run(&["gateway", "start"]), 2, "cannot be read", "`soulbound gateway config`");
    // A port that is taken shows only when it is tried.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    fs::write(&settings, format!("[gateway]\nlisten = \"{}\"\n", taken.local_addr().unwrap())).unwrap();
    let ended = agent.run(&["gateway", "start"]);
    tells(&ended, 2, "cannot listen on", "free the port");
    tells(&ended, 2, "is stopped as before", "free the port");
    assert!(agent.state().join("stopped").exists());
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_second_gateway_on_a_state_folder_is_refused_with_the_way_to_another() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    let what = format!("gateway already running (pid {})", gateway.pid);
    tells(&agent.run(&["gateway", "run"]), 2, &what, "SOULBOUND_HOME names another");
    gateway.call("probe", "nothing", &[]).ends(0);
}

#[test]
fn an_agents_folder_that_is_gone_is_told_as_that_and_is_back_when_it_is_back() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    gateway.call("probe", "nothing", &[]).ends(0);
    let (here, away) = (agent.folder(), agent.outside("away"));
    fs::rename(&here, &away).unwrap();
    let run = |words: &[&str]| agent.program().in_folder(&away).words(words).run();
    let hint = "`soulbound agents remove echo`, then `soulbound agents add DIR`";
    for (words, code, what) in [
        (vec!["call", ECHO, "probe", "nothing"], 1, "may not run: the agent's folder is gone"),
        (vec!["why", ECHO, "probe", "--path", "/docs/x.txt"], 1, "may not run: the agent's folder is gone"),
        (vec!["agents", "diff", ECHO], 1, "is gone"),
        (vec!["agents", "rollback", ECHO], 2, "cannot be opened"),
        (vec!["agents", "trust", ECHO], 2, "is gone"),
    ] {
        let ended = run(&words);
        ended.ends(code);
        let said = ended.said();
        assert!(said.contains(what) && said.contains(hint), "{words:?}: {said}");
    }
    let row = serde_json::from_str::<serde_json::Value>(&run(&["agents", "--json"]).stdout).unwrap();
    assert_eq!(row["agents"][0]["changes"][0]["what"], "nothing-runs", "{row}");
    fs::rename(&away, &here).unwrap();
    gateway.call("probe", "nothing", &[]).ends(0);
    assert_eq!(listed(&agent)[0]["standing"], "as-trusted");
}

#[test]
fn doctor_finds_a_gateway_that_nobody_can_reach_and_a_folder_of_another_format() {
    let agent = added();
    let finding = |id: &str| {
        let document = agent.run(&["doctor", "--json"]).json();
        document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["checkId"] == id && one["severity"] == "error")
    };
    let gateway = Gateway::start(&agent);
    assert!(!finding("gateway.answers"));
    fs::remove_file(agent.state().join("gateway.sock")).unwrap();
    assert!(finding("gateway.answers"));
    agent.run(&["gateway", "stop"]).ends(0);
    assert!(!soulbound_tests::gateway::is_running(gateway.pid));
    assert!(!finding("gateway.answers") && !finding("state.format"));
    for text in ["9\n", "what\n", ""] {
        fs::write(agent.state().join("format"), text).unwrap();
        assert!(finding("state.format"), "{text:?}");
        let started = agent.run(&["gateway", "start"]);
        tells(&started, 2, "format", "SOULBOUND_HOME");
    }
}

#[test]
fn words_that_cannot_be_meant_are_answered_with_those_that_can() {
    let agent = agent();
    let run = |words: &[&str]| agent.run(words);
    tells(&run(&["agents", "new", "../x"]), 2, "can name no agent", "letters, digits");
    tells(&run(&["inspect", "."]), 2, "is an agent's folder, not a skill's", "soulbound check");
    run(&["inspect", "docs"]).ends(2).complains("SKILL.md` cannot be read: No such file or directory");
    let empty = run(&["call", "./SOUL.md", "probe", "nothing", "-"]);
    tells(&empty, 2, "standard input is empty", "one JSON object");
    run(&["call", "./SOUL.md", "probe", "nothing", "{\"a\":"]).ends(2).complains("args: this is no JSON: ");
}

#[test]
fn a_reset_of_a_skill_without_an_open_breaker_names_those_that_are_open() {
    let agent = added();
    let breakers = serde_json::json!([{"skill": "probe", "kind": "scope-violation", "when": "2026-11-21T10:00:00.000Z",
        "observed": "31 refused accesses", "by": "probe"}]);
    fs::write(agent.state().join("agents/echo/breakers.json"), breakers.to_string()).unwrap();
    // A name that no skill has closes nothing, and must not read as if it did.
    let reset = |skill: &str| agent.run(&["agents", "reset", ECHO, "--skill", skill]);
    tells(&reset("prob"), 2, "agent `echo` has no skill \"prob\"", "did you mean `probe`?");
    tells(&reset("messenger"), 2, "agent `echo` has no skill \"messenger\"", "its skills are `probe`");
    // One of a skill that is no longer trusted can be closed as well.
    let two = breakers.to_string().replace(
        "}]",
        "}, {\"skill\": \"old\", \"kind\": \"scope-violation\", \"when\": \
        \"2026-11-21T10:00:00.000Z\", \"observed\": \"31 refused accesses\", \"by\": \"old\"}]",
    );
    fs::write(agent.state().join("agents/echo/breakers.json"), two).unwrap();
    reset("old").ends(0).complains("closed the breaker of old");
    agent
        .run(&["agents", "reset", ECHO, "--skill", "probe"])
        .ends(0)
        .complains("closed the breaker of probe");
    reset("probe").ends(0).complains("no breaker of agent `echo`, skill `probe`, is open");
}

#[test]
fn an_agent_that_there_is_not_is_answered_with_those_that_there_are() {
    let fresh = agent();
    tells(
        &fresh.run(&["agents", "token", "nosuch"]),
        2,
        "there is no agent `nosuch`",
        "`soulbound agents add DIR`",
    );
    let agent = added();
    for verb in
        ["token", "disable", "enable", "remove", "trust", "diff", "show", "rollback", "history", "reset"]
    {
        let ended = agent.run(&["agents", verb, "nosuch"]);
        tells(&ended, 2, "there is no agent `nosuch`", "`echo`");
        assert!(!ended.said().contains("SOUL.md"), "none of these takes a file: {}", ended.said());
        tells(&agent.run(&["agents", verb, "ehco"]), 2, "there is no agent `ehco`", "did you mean `echo`?");
    }
    // These do.
    for words in [
        vec!["why", "nosuch", "probe", "--path", "/"],
        vec!["call", "nosuch", "probe", "x"],
        vec!["redteam", "nosuch"],
    ] {
        tells(&agent.run(&words), 2, "there is no agent `nosuch`", "`./nosuch/SOUL.md`");
    }
}

#[test]
fn an_agents_folder_is_added_by_any_of_its_names_and_twice_is_said_before_the_question() {
    for name in [".", "./", "SOUL.md", "./SOUL.md", "../agent", "../agent/SOUL.md"] {
        let agent = agent();
        let digest = card(&agent);
        agent.run(&["agents", "add", name, "--yes", "--digest", &digest]).ends(0);
        assert_eq!(listed(&agent)[0]["id"], ECHO, "{name}");
        let (code, shown) = agent.program().words(&["agents", "add", name]).on_terminal();
        assert_eq!(code, Some(2), "{shown}");
        assert!(
            shown.contains("there is an agent `echo` already") && !shown.contains("Trust these bytes?"),
            "{shown}"
        );
    }
}

#[test]
fn explain_knows_the_words_that_doctor_and_the_status_show() {
    let agent = Agent::new("- probe: Try").guest("probe").gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n");
    let found = agent.run(&["doctor", "--json"]).json()["findings"].as_array().unwrap().clone();
    let shown = found.iter().map(|one| one["checkId"].as_str().unwrap());
    for word in shown.chain(["layer.process", "separation", "isolation"]) {
        let page = agent.run(&["explain", word]).ends(0).stdout.clone();
        assert!(page.starts_with(word) && page.lines().count() >= 3, "{page}");
        let document = agent.run(&["explain", word, "--json"]).ends(0).json();
        assert_eq!(document["check"], word);
    }
    let listed = agent.run(&["explain"]).ends(0).stdout.clone();
    assert!(listed.contains("layer.process") && listed.contains("separation"), "{listed}");
    agent.run(&["explain", "layer.proces"]).ends(2).complains("did you mean `layer.process`?");
    agent.run(&["explain", "seperation"]).ends(2).complains("did you mean `separation`?");
}

#[test]
fn inspect_knows_the_standard_skills_by_name_and_what_is_there_goes_before_a_name() {
    let agent = Agent::new("- probe: Try").guest("probe");
    let run = |words: &[&str]| agent.program().in_folder(&agent.path(".")).words(words).run();
    let by_name = run(&["inspect", "file-reader", "--json"]).ends(0).json();
    let folder = soulbound_tests::root().join("target/skills/file-reader");
    let by_folder = run(&["inspect", folder.to_str().unwrap(), "--json"]).ends(0).json();
    assert_eq!((by_name["digest"].is_string(), &by_name), (true, &by_folder));
    let unknown = run(&["inspect", "file-raeder"]);
    unknown.ends(2).complains("standard skill by its name: browser, file-reader, file-writer, messenger");
    // A name is no path: it leads nowhere but to one of these.
    for path in ["../skills", "file-reader/..", "../redteam", ".."] {
        let there = agent.path(path).exists();
        assert!(there || !run(&["inspect", path]).ends(2).said().contains("sha256"), "{path}");
    }
    std::fs::create_dir(agent.path("file-reader")).unwrap();
    run(&["inspect", "file-reader"]).ends(2).complains("SKILL.md` cannot be read");
}

#[test]
fn the_readme_s_first_example_is_what_the_program_prints() {
    let readme = fs::read_to_string(soulbound_tests::root().join("README.md")).unwrap();
    let soul = readme.split_once("```markdown\n").unwrap().1.split_once("```").unwrap().0;
    let shown = readme.split_once("\n$ soulbound ").unwrap().1.split_once("```").unwrap().0;
    let (words, printed) = shown.split_once('\n').unwrap();
    let agent = Agent::new("").file("SOUL.md", soul).directory("documents");
    let words: Vec<&str> = words.split(' ').collect();
    let ended = agent.program().in_folder(&agent.path(".")).words(&words).run();
    ended.ends(1);
    assert_eq!(ended.stderr, printed);
}

#[test]
fn a_restart_onto_a_port_that_is_taken_leaves_the_running_gateway_alone() {
    let agent = added();
    let gateway = Gateway::start(&agent);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[gateway]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    fs::write(agent.state().join("gateway.toml"), &listen).unwrap();
    tells(&agent.run(&["gateway", "restart"]), 2, "the one that runs goes on as before", "free the port");
    assert_eq!(gateway.status()["pid"], gateway.pid);
    gateway.call("probe", "nothing", &[]).ends(0);
    let findings = agent.run(&["doctor", "--json"]).json()["findings"].to_string();
    assert!(findings.contains("gateway.port"), "{findings}");
    drop(taken);
    agent.run(&["gateway", "restart"]).ends(0);
    assert_ne!(gateway.status()["pid"], gateway.pid);
}

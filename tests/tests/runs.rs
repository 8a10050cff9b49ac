//! What of an agent runs, told alike wherever an operator or a client asks: by the list, the diff, the card, the status, `why`, a
//! call, and the trail.

use std::fs;

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, trust, until};
use soulbound_tests::trusted::{SOUL, added, listed, running};
use soulbound_tests::{Agent, Gateway};

const HELD: &str = "nothing runs until you trust or roll back";
const NARROWED: &str = "narrowing is in force, the rest waits for trust";
const ANYWHERE: &str = "[gateway]\nlisten = \"127.0.0.1:0\"\n";

/// Fails unless each command that tells how the agent stands says this.
fn told(agent: &Agent, word: &str, sentence: &str) {
    let row = listed(agent)[0].clone();
    assert_eq!(row["runs"]["word"], word, "{row}");
    let table = agent.run(&["agents"]).ends(0).stdout.clone();
    let line = table.lines().nth(1).unwrap();
    assert!(line.contains(word), "{table}");
    let mut asked = vec![table];
    for words in [vec!["agents", "diff", ECHO], vec!["agents", "show", ECHO]] {
        asked.push(agent.run(&words).stdout);
    }
    if word != "as trusted" {
        asked.push(agent.run(&["gateway", "status"]).stdout);
        let status = agent.run(&["gateway", "status", "--json"]).json();
        assert_eq!(status["not_as_trusted"][0]["runs"]["word"], word, "{status}");
    }
    for said in asked {
        assert!(said.contains(sentence), "no `{sentence}` in:\n{said}");
    }
    for words in [vec!["agents", "diff", ECHO, "--json"], vec!["agents", "show", ECHO, "--json"]] {
        let document = agent.run(&words).json();
        assert_eq!(document["runs"], row["runs"], "{document}");
    }
}

/// What `why` answers about a path that the grant allows, and what a call of it is answered: `allowed`, or the denial's id.
fn answered(agent: &Agent) -> (String, String) {
    let why = agent.run(&["why", ECHO, "probe", "--path", "/docs/x.txt", "--json"]).json();
    let called = agent.run(&["call", ECHO, "probe", "read", "path=/docs/x.txt", "--json"]).json();
    let id = |denial: &Value| denial["id"].as_str().unwrap_or("allowed").to_owned();
    (id(&why["denial"]), id(&called["denial"]))
}

fn both(word: &str) -> (String, String) {
    (word.to_owned(), word.to_owned())
}

#[test]
fn a_change_before_the_first_call_is_told_as_nothing_runs_and_nothing_does() {
    let agent = added();
    fs::write(agent.state().join("gateway.toml"), ANYWHERE).unwrap();
    told(&agent, "as trusted", "as trusted");
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs, ./private"));
    // With no gateway, with one that nobody called, and with one that refused a call.
    told(&agent, "nothing runs", HELD);
    let gateway = Gateway::start(&agent);
    told(&agent, "nothing runs", HELD);
    assert_eq!(answered(&agent), both("skill.not-trusted"));
    told(&agent, "nothing runs", HELD);
    // What the grants refuse is told by its own line, and that nothing runs beside it.
    let said = agent.run(&["why", ECHO, "probe", "--path", "/private/key"]).said();
    assert!(said.contains("denied[path.outside]") && said.contains(HELD), "{said}");
    // Whoever wrote the line that allows it is told that it waits, and of nothing else.
    let waits = "SOUL.md as it stands in the folder allows it, and waits: soulbound agents trust echo";
    assert!(said.contains(waits), "{said}");
    let said = agent.run(&["why", ECHO, "probe", "--path", "/elsewhere/key"]).said();
    assert!(said.contains("denied[path.outside]") && !said.contains(waits), "{said}");
    agent.run(&["agents", "rollback", ECHO]).ends(0);
    told(&agent, "as trusted", "as trusted");
    assert_eq!(answered(&agent), both("allowed"));

    // Now it runs, and the same change is another thing.
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs, ./private"));
    told(&agent, "narrowed", NARROWED);
    assert_eq!(answered(&agent), both("allowed"));
    let said = agent.run(&["agents", "diff", ECHO]).said();
    assert!(said.contains("`soulbound agents trust echo` accepts"), "{said}");
    // A restart looks at it for the first time again.
    agent.run(&["gateway", "restart"]).ends(0);
    told(&agent, "nothing runs", HELD);
    assert_eq!(answered(&agent), both("skill.not-trusted"));
    trust(&agent, ECHO);
    told(&agent, "as trusted", "as trusted");
    assert_eq!(answered(&agent), both("allowed"));
    drop(gateway);
    agent.run(&["gateway", "stop"]).ends(0);
}

#[test]
fn what_narrows_alone_and_what_waits_alone_are_told_as_that() {
    let agent = added();
    let _gateway = running(&agent);
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs"));
    told(&agent, "narrowed", "changed: narrowing is in force\n");
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs, ./more, ./private"));
    told(&agent, "changed", "what is trusted runs on, what changed waits for trust");
    assert_eq!(answered(&agent), both("allowed"));
}

#[test]
fn an_agent_that_the_operators_own_settings_keep_from_running_is_not_told_as_trusted() {
    let agent = added();
    let settings = |more: &str| {
        fs::write(agent.state().join("gateway.toml"), format!("{ANYWHERE}{more}")).unwrap();
    };
    settings(&format!("[ceiling]\ndeny_dirs = [\"{}\"]\n", agent.path("docs/deep").display()));
    told(&agent, "ceiling", "gateway.toml (`[ceiling] deny_dirs`) denies a directory");
    assert!(agent.run(&["agents"]).stdout.contains("which the operator denies"));
    let gateway = Gateway::start(&agent);
    assert_eq!(gateway.call("probe", "read", &["path=/docs/x.txt"]).denial(), "path.moved");
    // A place that no grant touches is no matter, however much it looks alike.
    settings(&format!("[ceiling]\ndeny_dirs = [\"{}\"]\n", agent.path("doc").display()));
    told(&agent, "as trusted", "as trusted");

    settings("[trust]\nrequire_redteam = true\n");
    told(
        &agent,
        "nothing runs",
        "nothing runs until redteam did, with nothing out: redteam never ran on exactly these bytes",
    );
    until(|| answered(&agent) == both("redteam.required"), "the settings to be in force");
    let said = agent.run(&["agents", "diff", ECHO]).ends(0).said();
    assert!(said.contains("hint: soulbound redteam echo"), "{said}");
}

#[test]
fn nobody_is_told_to_trust_what_would_be_refused() {
    let agent = added();
    let hint = || {
        let said = agent.run(&["agents", "diff", ECHO]).ends(1).stderr.clone();
        let refused = agent.run(&["agents", "diff", ECHO, "--json"]).json()["trust_would_refuse"].clone();
        assert_eq!(said.contains("`soulbound agents trust echo` accepts"), refused.is_null(), "{said}");
        said
    };
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    hint();
    agent.write("SOUL.md", SOUL.replace("read:", "reed:"));
    let said = hint();
    for part in
        ["would refuse this: SOUL.md:6:5: unknown key `reed`", "soulbound check", "agents rollback echo"]
    {
        assert!(said.contains(part), "no `{part}` in {said}");
    }
    told(&agent, "nothing runs", "nothing runs until SOUL.md is mended or you roll back");
    agent.run(&["agents", "trust", ECHO]).ends(1);
    // What can be read and not be bound.
    agent.write("SOUL.md", SOUL.replace("./more", "./not-there"));
    assert!(hint().contains("would refuse this: SOUL.md:6:"), "{}", hint());
    agent.write("SOUL.md", SOUL.replace("Name: Echo", "Name: Other"));
    assert!(hint().contains("its SOUL.md has the `Name` of agent `other`"), "{}", hint());
    agent.run(&["agents", "trust", ECHO]).ends(2);

    fs::write(agent.state().join("gateway.toml"), format!("{ANYWHERE}[trust]\nrequire_redteam = true\n"))
        .unwrap();
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    let said = hint();
    assert!(said.contains("`soulbound agents trust echo --redteam` attacks it first"), "{said}");
    agent.run(&["agents", "trust", ECHO]).ends(1);
}

/// The trail's records of refused calls, without what differs by time and door.
fn refusals(agent: &Agent) -> Vec<Value> {
    let records = agent.run(&["audit", "show", ECHO, "--json"]).json()["records"].clone();
    let all = records.as_array().unwrap().iter();
    all.filter(|one| one["event"] == "refused")
        .map(|one| {
            json!([one["skill"], one["tool"], one["decision"], one["denial"], one["digest"], one["soul"]])
        })
        .collect()
}

#[test]
fn an_mcp_client_of_an_agent_that_waits_is_told_so_and_a_tool_that_is_none_is_recorded_alike_by_every_door() {
    let agent = added();
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    let gateway = Gateway::start(&agent);
    let mut client = gateway.mcp(ECHO, &gateway.token(ECHO));
    let waits = client.call("probe__read", json!({"path": "/docs/x.txt"}));
    assert_eq!(waits["isError"], true, "{waits}");
    let text = waits["content"][0]["text"].as_str().unwrap();
    assert_eq!(text, "denied[skill.not-trusted]: agent `echo` changed since an operator trusted it");
    assert!(waits["_meta"]["soulbound/record"].as_str().unwrap().starts_with("echo#"), "{waits}");
    assert_eq!(client.result("tools/list", json!({}))["tools"], json!([]));
    assert_eq!(gateway.call("probe", "read", &["path=/docs/x.txt"]).denial(), "skill.not-trusted");
    let recorded = refusals(&agent);
    assert_eq!((recorded.len(), &recorded[0]), (2, &recorded[1]), "{recorded:#?}");

    // What was put back is there for the very next call, although the list was made before.
    agent.write("SOUL.md", SOUL);
    assert_eq!(client.call("probe__read", json!({"path": "/docs/x.txt"}))["isError"], false);
    let unknown = client.ask("tools/call", json!({"name": "probe__nosuch", "arguments": {}}));
    assert_eq!(unknown.json()["error"]["code"], -32_602, "{unknown:?}");
    let ended = gateway.call("probe", "nosuch", &[]);
    assert_eq!((ended.code, &ended.json()["error"]["kind"]), (Some(2), &json!("arguments")), "{ended:?}");
    let recorded = refusals(&agent);
    assert_eq!((recorded.len(), &recorded[2]), (4, &recorded[3]), "{recorded:#?}");
    assert_eq!(
        (&recorded[2][0], &recorded[2][1], &recorded[2][3]["id"]),
        (&json!("probe"), &json!("\"nosuch\""), &json!("skill.not-listed"))
    );
    // And of a skill that is none, as ever.
    let unknown = client.ask("tools/call", json!({"name": "other__nosuch", "arguments": {}}));
    assert_eq!(unknown.json()["error"]["code"], -32_602, "{unknown:?}");
    gateway.call("other", "nosuch", &[]).ends(1);
    let recorded = refusals(&agent);
    assert_eq!((recorded.len(), &recorded[4]), (6, &recorded[5]), "{recorded:#?}");
    agent.run(&["audit", "verify"]).ends(0);
    agent.run(&["audit", "replay"]).ends(0);
}

#[test]
fn one_edit_is_one_anomaly_however_many_rows_its_diff_has() {
    let agent = added();
    let gateway = running(&agent);
    let changed = || {
        let shown = agent.run(&["audit", "show", ECHO, "--event", "soul.changed", "--json"]).json();
        shown["records"].as_array().unwrap().clone()
    };
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./private").replace("Try", "Try more"));
    assert!(agent.run(&["agents", "diff", ECHO, "--json"]).json()["changes"].as_array().unwrap().len() > 3);
    gateway.call("probe", "nothing", &[]).ends(0);
    let records = changed();
    assert_eq!(records.len(), 1, "{records:#?}");
    let note = &records[0]["note"];
    assert_eq!(
        (&note["change"]["file"]["path"], note["held"].as_bool()),
        (&json!("SOUL.md"), Some(false)),
        "{note}"
    );
    assert!(note["and"].as_array().unwrap().iter().any(|row| row["effect"] == "widening"), "{note}");
    let page = || agent.run(&["heartbeat", ECHO]).stdout;
    until(|| page().contains("- Anomalies: 1, the newest: SOUL.md changed since it was trusted"), "the page");
    assert_eq!(page().matches("Anomaly: SOUL.md changed").count(), 1, "{}", page());
    // Another edit is another one.
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs, ./private"));
    gateway.call("probe", "nothing", &[]).ends(0);
    assert_eq!(changed().len(), 2);
}

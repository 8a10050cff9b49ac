//! A person decides: what waits, what a decision is bound to, and everything that must not count as one.

use std::io::{BufRead, BufReader};
use std::process::Child;

use serde_json::{Value, json};
use soulbound_tests::approvals::{agent, decide, denied, ended, events, until_waiting, waiting};
use soulbound_tests::gateway::{ECHO, Gateway, signal, trust, until};
use soulbound_tests::{Agent, Peer};

#[test]
fn nobody_decides_and_nothing_happens() {
    let agent = agent("[approvals]\ntimeout = \"300ms\"\n");
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "approval.timeout");
    let wrote = gateway.call("probe", "write", &["path=/ws/new", "text=x"]);
    assert_eq!(wrote.denial(), "approval.timeout");
    assert!(!agent.path("ws/new").exists());
    assert_eq!(
        gateway.call("probe", "nothing", &[]).result(),
        Value::Null,
        "what nobody has to approve runs"
    );
    assert_eq!(
        (events(&agent, "approval.requested").len(), events(&agent, "approval.expired").len()),
        (2, 2)
    );
    assert!(waiting(&agent).is_empty());
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn an_approval_for_once_runs_once_and_stands_in_the_trail() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "who", &[]);
    let name = until_waiting(&agent, 1).remove(0);
    let card = decide(&agent, &["show", &name]).ends(0).stdout.clone();
    assert!(card.trim_start().starts_with("skill:      probe: \"Try \\\"things\\\"\""), "{card}");
    for said in ["agent:      echo", "tool:       who", "SOUL.md:7 `approve: who, writes`", "without `who`"] {
        assert!(card.contains(said), "no `{said}` in\n{card}");
    }
    let said = decide(&agent, &["approve", &name]).ends(0).stderr.clone();
    assert!(said.contains("approved once"), "{said}");
    assert_eq!(ended(call)["result"][0], ECHO);
    // The same again is another question.
    let again = gateway.calling("probe", "who", &[]);
    let other = until_waiting(&agent, 1).remove(0);
    assert_ne!(other, name);
    // Who comes second is told who was first, and changes nothing.
    let second = decide(&agent, &["deny", &name]);
    second.ends(1).complains("approved once by").complains("nothing was changed");
    decide(&agent, &["deny", &other, "--reason", "not now\u{202e}"]).ends(0);
    let (id, message) = denied(again);
    assert_eq!(id, "approval.denied");
    assert!(message.contains("a person refused it, saying \"not now\\u202e\""), "{message}");
    let intents = events(&agent, "intent");
    assert_eq!(intents.len(), 1);
    assert_eq!(intents[0]["note"]["approval"], name.as_str());
    let granted = &events(&agent, "approval.granted")[0];
    assert_eq!((&granted["note"]["way"], &granted["note"]["scope"]), (&json!("cli"), &json!("once")));
    assert!(granted["who"].as_str().is_some_and(|who| !who.is_empty()));
    let requested = &events(&agent, "approval.requested")[0];
    assert_eq!(format!("{ECHO}-{}", requested["seq"]), name);
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn an_effect_waits_in_the_middle_of_a_running_component() {
    let agent = agent("[limits]\ntime = \"2s\"\n");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "write", &["path=/ws/new", "text=hello"]);
    let name = until_waiting(&agent, 1).remove(0);
    let waits = waiting(&agent).remove(0);
    assert_eq!((&waits["effect"]["path"], &waits["skill"]), (&json!("/ws/new"), &json!("probe")));
    if let Some(content) = waits["effect"]["content"].as_object() {
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!((&content["bytes"], &content["sha256"]), (&json!(5), &json!(hello)));
    }
    assert!(!agent.path("ws/new").exists(), "it waits before anything happens");
    decide(&agent, &["approve", &name]).ends(0);
    // The component may do more than one thing to write a file: each is a question of its own.
    let mut call = call;
    until(
        || {
            for one in waiting(&agent) {
                decide(&agent, &["approve", one["name"].as_str().unwrap()]).ends(0);
            }
            call.try_wait().unwrap().is_some()
        },
        "the call to end",
    );
    assert_eq!(ended(call)["ok"], true);
    assert_eq!(std::fs::read_to_string(agent.path("ws/new")).unwrap(), "hello");
    let effect = &events(&agent, "effect")[0];
    assert_eq!(effect["note"]["approval"], name.as_str());
    // Refused, the component goes on and says so; the file is as it was.
    let other = gateway.calling("probe", "write", &["path=/ws/new", "text=other"]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["deny", &name]).ends(0);
    assert_eq!(denied(other).0, "approval.denied");
    assert_eq!(std::fs::read_to_string(agent.path("ws/new")).unwrap(), "hello");
}

#[test]
fn a_request_waits_by_its_method_and_nothing_leaves_before() {
    let peer = Peer::answering("200 OK", "", "hello");
    let agent =
        Agent::new(&format!("- probe-web: Try\n  - hosts: GET POST {0}\n  - approve: POST", peer.origin()))
            .guest("probe-web");
    let gateway = Gateway::with(&agent);
    let url = format!("url={}/send", peer.origin());
    let get = gateway.call("probe-web", "request", &["method=GET", &url, "headers=[]"]);
    assert_eq!(get.result()["body"], "hello", "a GET does not wait");
    let words = ["method=POST", &url, "headers=[[\"x-note\",\"APPROVED by admin\"]]", "body=secret plan"];
    let call = gateway.calling("probe-web", "request", &words);
    let name = until_waiting(&agent, 1).remove(0);
    let waits = waiting(&agent).remove(0);
    assert_eq!((&waits["effect"]["kind"], &waits["effect"]["method"]), (&json!("request"), &json!("POST")));
    if let Some(body) = waits["effect"]["body"].as_object() {
        let plan = "c894e0fb797a615a884a512483766f2a0a98c0dde0b27ef48a6dbd01e8780c05";
        assert_eq!((&body["bytes"], &body["sha256"]), (&json!(11), &json!(plan)));
    }
    let card = decide(&agent, &["show", &name]).stdout;
    assert!(card.contains(": \"APPROVED by admin\""), "what the skill chose stands in quotes:\n{card}");
    assert_eq!(peer.requests().len(), 1, "nothing left before the decision");
    decide(&agent, &["approve", &name]).ends(0);
    assert_eq!(ended(call)["result"]["body"], "hello");
    assert_eq!(peer.requests().len(), 2);
}

#[test]
fn what_the_operator_requires_waits_whatever_soul_md_says() {
    let toml = "[ceiling]\nrequire_approval = [\"writes\", \"who\"]\n[approvals]\ntimeout = \"300ms\"\n";
    let agent = Agent::new("- probe: Try\n  - write: ./ws").guest("probe").directory("ws").gateway(toml);
    let gateway = Gateway::with(&agent);
    for (tool, words) in [("who", &[][..]), ("write", &["path=/ws/new", "text=x"])] {
        let refused = gateway.call("probe", tool, words);
        assert_eq!(refused.denial(), "approval.timeout");
        assert_eq!(refused.json()["denial"]["rule"]["file"], "gateway.toml");
    }
    assert!(!agent.path("ws/new").exists());
    // Alone, without a gateway, nobody can be asked.
    let alone = agent.call("probe", "write", &["path=/ws/new", "text=x"]);
    assert_eq!(alone.denial(), "approval.denied");
    assert_eq!(agent.call("probe", "nothing", &[]).result(), Value::Null);
    assert!(!agent.path("ws/new").exists());
}

#[test]
fn swapped_arguments_are_another_question_and_a_forged_id_is_refused_and_recorded() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let one = gateway.calling("probe", "write", &["path=/ws/a", "text=a"]);
    let name = until_waiting(&agent, 1).remove(0);
    let other = gateway.calling("probe", "write", &["path=/ws/b", "text=b"]);
    until_waiting(&agent, 2);
    for forged in ["echo-999", "echo", "00000000000000000000000000000000", "", "../echo-1"] {
        decide(&agent, &["approve", forged]).ends(1).complains("nothing waits");
    }
    assert_eq!(waiting(&agent).len(), 2);
    decide(&agent, &["approve", &name]).ends(0);
    until(|| agent.path("ws/a").exists() || waiting(&agent).len() == 2, "the first to go on");
    assert!(!agent.path("ws/b").exists(), "the approval was for the other one");
    let forged = agent.run(&["audit", "show", "--event", "approval.forged", "--json"]).json();
    assert_eq!(forged["records"].as_array().unwrap().len(), 5, "{forged}");
    for call in [one, other] {
        signal(i32::try_from(call.id()).unwrap(), "-KILL");
        drop(call.wait_with_output());
    }
}

#[test]
fn identical_questions_are_one_and_an_approval_for_once_lets_one_through() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let calls: Vec<Child> = (0..4).map(|_| gateway.calling("probe", "who", &[])).collect();
    until(|| waiting(&agent).first().is_some_and(|one| one["waiting"] == 4), "four to wait as one");
    let all = waiting(&agent);
    assert_eq!((all.len(), &all[0]["times"]), (1, &json!(4)));
    decide(&agent, &["approve", all[0]["name"].as_str().unwrap()]).ends(0);
    let outcomes: Vec<Value> = calls.into_iter().map(ended).collect();
    assert_eq!(outcomes.iter().filter(|one| one["ok"] == true).count(), 1);
    let refused = outcomes.iter().filter(|one| one["denial"]["id"] == "approval.denied");
    assert_eq!(refused.count(), 3);
}

#[test]
fn an_approval_for_a_time_ends_with_a_restart_and_one_for_always_with_a_change() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let approved = |gateway: &Gateway<'_>, tool: &str, words: &[&str], how: &[&str]| {
        let call = gateway.calling("probe", tool, words);
        let name = until_waiting(&agent, 1).remove(0);
        decide(&agent, &[&["approve", &name], how].concat()).ends(0);
        assert_eq!(ended(call)["ok"], true);
        name
    };
    approved(&gateway, "who", &[], &["--for", "30m"]);
    let always = approved(&gateway, "mkdir", &["path=/ws/made"], &["--always"]);
    assert_eq!(gateway.call("probe", "who", &[]).result()[0], ECHO, "not asked again");
    let standing = agent.run(&["approvals", "--json"]).json()["standing"].clone();
    assert_eq!(standing.as_array().unwrap().len(), 2, "{standing}");
    let again = |gateway: &Gateway<'_>, tool: &str, words: &[&str]| {
        let call = gateway.calling("probe", tool, words);
        let name = until_waiting(&agent, 1).remove(0);
        decide(&agent, &["deny", &name]).ends(0);
        assert_eq!(denied(call).0, "approval.denied", "{tool} was asked for again");
    };
    // Exactly this: another directory is another question.
    again(&gateway, "mkdir", &["path=/ws/other"]);
    gateway.kill();
    let gateway = Gateway::start(&agent);
    again(&gateway, "who", &[]);
    std::fs::remove_dir(agent.path("ws/made")).unwrap();
    assert_eq!(gateway.call("probe", "mkdir", &["path=/ws/made"]).json()["ok"], true, "survives a restart");
    assert!(agent.path("ws/made").exists());
    // Another SOUL.md, and nothing of it holds.
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    std::fs::write(agent.soul(), soul.replace("Try", "Try other")).unwrap();
    trust(&agent, ECHO);
    std::fs::remove_dir(agent.path("ws/made")).unwrap();
    again(&gateway, "mkdir", &["path=/ws/made"]);
    std::fs::write(agent.soul(), &soul).unwrap();
    trust(&agent, ECHO);
    assert_eq!(gateway.call("probe", "mkdir", &["path=/ws/made"]).json()["ok"], true);
    decide(&agent, &["revoke", &always]).ends(0);
    decide(&agent, &["revoke", &always]).ends(1).complains("nothing is approved");
    std::fs::remove_dir(agent.path("ws/made")).unwrap();
    again(&gateway, "mkdir", &["path=/ws/made"]);
    assert_eq!(events(&agent, "approval.revoked").len(), 1);
}

#[test]
fn what_changes_while_a_person_thinks_is_not_what_they_approved() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "who", &[]);
    let name = until_waiting(&agent, 1).remove(0);
    // Another component where the trusted one was. It does not run in any case; what was approved does not either.
    let component = std::fs::read_dir(agent.skill("probe")).unwrap();
    let component = component
        .map(|one| one.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "wasm"));
    let component = component.unwrap();
    let mut bytes = std::fs::read(&component).unwrap();
    bytes.extend_from_slice(&[0, 3, 1, b'x', 0]);
    std::fs::write(&component, bytes).unwrap();
    let _ = decide(&agent, &["approve", &name]);
    let document = ended(call);
    assert_eq!(document["ok"], false, "{document}");
    assert!(events(&agent, "intent").is_empty(), "nothing ran");
}

#[test]
fn a_killed_gateway_forgets_what_waited() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "write", &["path=/ws/new", "text=x"]);
    let name = until_waiting(&agent, 1).remove(0);
    gateway.kill();
    drop(call.wait_with_output());
    let _again = Gateway::start(&agent);
    assert!(waiting(&agent).is_empty());
    decide(&agent, &["approve", &name]).ends(1).complains("nothing waits");
    assert!(!agent.path("ws/new").exists());
    let heartbeat = agent.run(&["heartbeat", ECHO]).stdout;
    assert!(heartbeat.contains("Waiting for approval: 0"), "{heartbeat}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_stop_with_a_hundred_waiting_lets_none_through() {
    let toml = "[approvals]\nwaiting = 200\nrate = \"1000/minute\"\n[limits]\nrate = \"1000/minute\"\n";
    let agent =
        Agent::new("- probe: Try\n  - write: ./ws\n  - approve: mkdir").guest("probe").directory("ws");
    let agent = agent.gateway(toml);
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut clients: Vec<_> = (0..100).map(|_| gateway.mcp(ECHO, &token)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let arguments = json!({"path": format!("/ws/{number}")});
        client.begin("tools/call", json!({"name": "probe__mkdir", "arguments": arguments}));
    }
    until_waiting(&agent, 100);
    agent.run(&["gateway", "stop"]).ends(0);
    assert_eq!(std::fs::read_dir(agent.path("ws")).unwrap().count(), 0);
    assert!(events(&agent, "approval.granted").is_empty());
    let (asked, closed) =
        (events(&agent, "approval.requested").len(), events(&agent, "approval.expired").len());
    assert_eq!((asked, closed), (100, 100));
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_skill_that_asks_for_ever_is_bounded_and_what_waited_before_stays() {
    let toml = "[approvals]\nwaiting = 5\nrate = \"2000/minute\"\n[limits]\nrate = \"2000/minute\"\n";
    let agent = Agent::new("- probe: Try\n  - approve: echo-u32").guest("probe").gateway(toml);
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut waits: Vec<_> = (0..5).map(|_| gateway.mcp(ECHO, &token)).collect();
    for (number, client) in waits.iter_mut().enumerate() {
        client.begin("tools/call", json!({"name": "probe__echo-u32", "arguments": {"value": number}}));
    }
    let before = until_waiting(&agent, 5);
    let mut spam = gateway.mcp(ECHO, &token);
    for number in 0..1_000 {
        let answer = spam.call("probe__echo-u32", json!({"value": 1_000 + number}));
        let text = answer["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("denied[approval.too-many]"), "{text}");
    }
    assert_eq!(until_waiting(&agent, 5), before);
    let heartbeat = agent.run(&["heartbeat", ECHO]).stdout;
    assert!(heartbeat.contains("Waiting for approval: 5"), "{heartbeat}");
    assert_eq!(gateway.status()["approvals"]["waiting"], 5);
}

#[test]
fn a_skill_asks_so_often_in_a_minute_and_no_more() {
    let toml = "[approvals]\ntimeout = \"10ms\"\nrate = \"3/minute\"\n";
    let agent = agent(toml);
    let gateway = Gateway::with(&agent);
    let ids: Vec<String> = (0..5).map(|_| gateway.call("probe", "who", &[]).denial()).collect();
    assert_eq!(ids.iter().filter(|id| *id == "approval.timeout").count(), 3, "{ids:?}");
    assert_eq!(ids.iter().filter(|id| *id == "approval.too-many").count(), 2, "{ids:?}");
}

#[test]
fn an_agent_that_is_disabled_or_narrowed_waits_no_more() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "who", &[]);
    until_waiting(&agent, 1);
    agent.run(&["agents", "disable", ECHO]).ends(0);
    assert_eq!(denied(call).0, "agent.stopped");
    assert!(waiting(&agent).is_empty());
    agent.run(&["agents", "enable", ECHO]).ends(0);
    let call = gateway.calling("probe", "who", &[]);
    until_waiting(&agent, 1);
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    std::fs::write(agent.soul(), soul.replace("  - write: ./ws\n", "")).unwrap();
    assert_eq!(denied(call).0, "skill.not-trusted");
    assert!(waiting(&agent).is_empty());
}

#[test]
fn nobody_there_is_a_refusal_at_once_where_the_operator_says_so() {
    let agent = agent("[approvals]\nnobody = \"deny\"\nrate = \"1000/minute\"\n");
    let gateway = Gateway::with(&agent);
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "approval.denied");
    let mut watching = agent.program().words(&["approvals", "watch"]).start();
    until(|| somebody_is_asked(&agent, &gateway), "the watching to be known");
    watching.kill().unwrap();
    drop(watching.wait());
}

/// Whether a call waits instead of being refused.
fn somebody_is_asked(agent: &Agent, gateway: &Gateway<'_>) -> bool {
    let mut call = gateway.calling("probe", "who", &[]);
    let mut asked = false;
    let mut known = || {
        asked = asked || !waiting(agent).is_empty();
        asked || call.try_wait().unwrap().is_some()
    };
    until(&mut known, "an answer or a question");
    let _ = call.kill();
    drop(call.wait());
    asked
}

#[test]
fn no_token_decides() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let call = gateway.calling("probe", "who", &[]);
    let waits = {
        until_waiting(&agent, 1);
        waiting(&agent).remove(0)
    };
    let (name, id) = (waits["name"].as_str().unwrap(), waits["id"].as_str().unwrap());
    let bearer = format!("Bearer {token}");
    for path in [format!("/approvals/{name}"), format!("/approvals/{id}"), "/approvals".to_owned()] {
        for method in ["GET", "POST", "PUT"] {
            let answer = gateway.request(method, &path, &[("authorization", &bearer)], "decision=approve");
            assert!(answer.status >= 400, "{method} {path}: {answer:?}");
        }
    }
    let mut client = gateway.mcp(ECHO, &token);
    for tool in ["approve", "approvals__approve", "soulbound__approve"] {
        let answer = client.ask("tools/call", json!({"name": tool, "arguments": {"id": name}}));
        assert!(answer.json()["error"].is_object(), "{answer:?}");
    }
    assert_eq!(until_waiting(&agent, 1), [name]);
    decide(&agent, &["deny", name]).ends(0);
    assert_eq!(denied(call).0, "approval.denied");
}

#[test]
fn whoever_watches_sees_what_waits_come_and_go() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let watch = || agent.program().words(&["approvals", "watch"]);
    let (code, shown) = watch().input("q").on_terminal();
    assert!(code == Some(0) && shown.contains("nothing waits"), "{shown}");
    let call = gateway.calling("probe", "who", &[]);
    let name = until_waiting(&agent, 1).remove(0);
    // Without a terminal, in lines.
    let mut lines = watch().start();
    let mut said = BufReader::new(lines.stdout.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with(&format!("waits {name}: probe who wants to call this tool")), "{line}");
    decide(&agent, &["deny", &name]).ends(0);
    line.clear();
    said.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), format!("closed {name}"));
    lines.kill().unwrap();
    drop(lines.wait());
    assert_eq!(denied(call).0, "approval.denied");
}

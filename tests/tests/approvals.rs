//! A person decides: what waits, what a decision is bound to, and everything that must not count as one.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, Gateway, Mcp, SOON, signal, trust, until};
use soulbound_tests::{Agent, Ended, Peer, root};

/// An agent whose `who` waits, and whose changes to `./ws` do.
fn agent(toml: &str) -> Agent {
    Agent::new("- probe: Try \"things\"\n  - write: ./ws\n  - approve: who, writes")
        .guest("probe")
        .directory("ws")
        .gateway(toml)
}

fn waiting(agent: &Agent) -> Vec<Value> {
    agent.run(&["approvals", "--json"]).ends(0).json()["waiting"].as_array().unwrap().clone()
}

/// Waits until so many questions wait; their names.
fn until_waiting(agent: &Agent, count: usize) -> Vec<String> {
    until(|| waiting(agent).len() == count, "the questions to wait");
    waiting(agent).iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

fn decide(agent: &Agent, words: &[&str]) -> Ended {
    agent.program().words(&["approvals"]).words(words).run()
}

/// What a call that was started came to.
fn ended(call: Child) -> Value {
    let output = call.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

fn denied(call: Child) -> (String, String) {
    let document = ended(call);
    let text = |name: &str| document["denial"][name].as_str().unwrap_or_default().to_owned();
    (text("id"), text("message"))
}

fn events(agent: &Agent, event: &str) -> Vec<Value> {
    let shown = agent.run(&["audit", "show", ECHO, "--event", event, "--limit", "1000", "--json"]).json();
    shown["records"].as_array().unwrap().clone()
}

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

/// A `tools/call` of a client that declares forms; the answer's `result`.
fn call_with_forms(client: &mut Mcp, parameters: Value) -> Value {
    let mut parameters = parameters;
    parameters["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    let response = client.ask("tools/call", parameters);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["result"].clone()
}

#[test]
fn a_client_with_forms_decides_where_the_operator_allows_it_and_the_same_call_goes_on() {
    let agent = agent("[approvals]\nways = [\"cli\", \"mcp\"]\n");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut client = gateway.mcp(ECHO, &token);
    let call = json!({"name": "probe__mkdir", "arguments": {"path": "/ws/made"}});
    let begun = |client: &mut Mcp| {
        let asked = call_with_forms(client, call.clone());
        assert_eq!(asked["resultType"], "input_required", "{asked}");
        let message = asked["inputRequests"]["approval"]["params"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("skill:      probe") && message.contains("\"/ws/made\""), "{message}");
        asked["requestState"].as_str().unwrap().to_owned()
    };
    let back = |client: &mut Mcp, call: &Value, state: &str, answer: Value| {
        let mut call = call.clone();
        call["requestState"] = json!(state);
        call["inputResponses"] = json!({"approval": answer});
        call_with_forms(client, call)
    };
    let yes = json!({"action": "accept", "content": {"approve": true}});
    // Another call's arguments under this state, and the state of nobody: refused, and the question still waits.
    let state = begun(&mut client);
    let swapped = json!({"name": "probe__mkdir", "arguments": {"path": "/ws/other"}});
    for (call, state) in [(&swapped, state.as_str()), (&call, "rs1.forged")] {
        let refused = back(&mut client, call, state, yes.clone());
        assert_eq!(refused["isError"], true, "{refused}");
    }
    assert_eq!(waiting(&agent).len(), 1);
    assert_eq!(std::fs::read_dir(agent.path("ws")).unwrap().count(), 0);
    let done = back(&mut client, &call, &state, yes.clone());
    assert_ne!(done["isError"], true, "{done}");
    assert!(agent.path("ws/made").exists());
    let granted = &events(&agent, "approval.granted")[0];
    assert_eq!(granted["note"]["way"], "mcp");
    assert!(granted["who"].as_str().unwrap().contains("a test"), "{granted}");
    // A replay leads nowhere, a no is a no.
    assert_eq!(back(&mut client, &call, &state, yes.clone())["isError"], true);
    std::fs::remove_dir(agent.path("ws/made")).unwrap();
    let state = begun(&mut client);
    let no = back(&mut client, &call, &state, json!({"action": "decline"}));
    assert!(no["content"][0]["text"].as_str().unwrap().starts_with("denied[approval.denied]"), "{no}");
    assert!(!agent.path("ws/made").exists());
    // Somebody else was first: the client is told what came of it.
    let state = begun(&mut client);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["deny", &name]).ends(0);
    let late = back(&mut client, &call, &state, yes);
    assert!(late["content"][0]["text"].as_str().unwrap().starts_with("denied[approval.denied]"), "{late}");
    assert!(!agent.path("ws/made").exists());
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_client_decides_nothing_where_the_operator_did_not_allow_it() {
    let agent = agent("[approvals]\ntimeout = \"300ms\"\n");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut client = gateway.mcp(ECHO, &token);
    let refused = call_with_forms(&mut client, json!({"name": "probe__who", "arguments": {}}));
    assert!(
        refused["content"][0]["text"].as_str().unwrap().starts_with("denied[approval.timeout]"),
        "{refused}"
    );
}

#[test]
fn a_client_of_the_older_era_is_asked_while_its_call_is_open() {
    let agent = agent("[approvals]\nways = [\"mcp\"]\n");
    let gateway = Gateway::with(&agent);
    let mut shim = agent.program().words(&["mcp", "serve", "--agent", ECHO]).talk();
    let mut output = BufReader::new(shim.stdout.take().unwrap());
    let mut input = shim.stdin.take().unwrap();
    let mut send = |message: Value| input.write_all(format!("{message}\n").as_bytes()).unwrap();
    let mut next = || {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("{line}"))
    };
    let capabilities = json!({"elicitation": {}});
    send(
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25",
        "capabilities": capabilities, "clientInfo": {"name": "older", "version": "1"}}}),
    );
    next();
    send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    for (number, approve, is_error) in [(2, true, false), (3, false, true)] {
        send(
            json!({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "probe__who", "arguments": {}}}),
        );
        let asked = next();
        assert_eq!(asked["method"], "elicitation/create", "{asked}");
        assert!(asked["params"]["message"].as_str().unwrap().contains("skill:      probe"), "{asked}");
        let name = until_waiting(&agent, 1).remove(0);
        decide(&agent, &["approve", &name]).ends(1).complains("ways");
        send(
            json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"approve": approve}}}),
        );
        let answer = next();
        assert_eq!(
            (&answer["id"], answer["result"]["isError"] == true),
            (&json!(number), is_error),
            "{answer}"
        );
    }
    drop(gateway);
    shim.kill().unwrap();
    drop(shim.wait());
}

/// A webhook on this machine, and what it was told.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
            if tell.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (url, told)
}

#[test]
fn a_link_shows_on_get_and_decides_once_on_its_own_form() {
    let (url, told) = webhook();
    let agent = agent(&format!("[approvals]\nways = [\"cli\", \"webhook\"]\nwebhook = \"{url}\"\n"));
    let gateway = Gateway::with(&agent);
    let bearer = format!("Bearer {}", gateway.token(ECHO));
    let call = gateway.calling("probe", "mkdir", &["path=/ws/<script>alert(1)"]);
    let message = told.recv_timeout(SOON).unwrap();
    let name = until_waiting(&agent, 1).remove(0);
    assert_eq!((&message["name"], &message["agent"]), (&json!(name), &json!(ECHO)));
    assert!(
        !message["text"].as_str().unwrap().contains("script"),
        "nothing that was chosen at run time: {message}"
    );
    let link = message["link"].as_str().unwrap();
    let path = link.strip_prefix(&format!("http://{}", gateway.address)).unwrap().to_owned();
    assert!(
        !format!("{:?}", soulbound_tests::agent::tree(&agent.state()))
            .contains(path.rsplit('/').next().unwrap())
    );
    let mut form = String::new();
    // Previews and scanners open it as often as they like.
    for _ in 0..5 {
        let page = gateway.request("GET", &path, &[], "");
        assert_eq!(page.status, 200, "{page:?}");
        let policy =
            page.headers.iter().find(|(name, _)| name == "content-security-policy").unwrap().1.clone();
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(
            page.body.contains("skill:      probe") && page.body.contains("&lt;script&gt;"),
            "{}",
            page.body
        );
        assert!(!page.body.contains("<script"), "{}", page.body);
        let (_, rest) = page.body.split_once("name=\"form\" value=\"").unwrap();
        form = rest.split_once('"').unwrap().0.to_owned();
    }
    let typed = ("content-type", "application/x-www-form-urlencoded");
    let body = format!("form={form}&decision=approve");
    for (path, headers, body, why) in [
        (path.as_str(), vec![typed], "decision=approve", "no field of the form"),
        (&path, vec![typed], "form=x&decision=approve", "a forged field"),
        (&path, vec![typed], &format!("form={form}&decision=maybe"), "no decision"),
        (&path, vec![typed, ("authorization", &bearer)], &body, "an agent's token"),
        (&path, vec![typed, ("origin", "https://evil.test")], &body, "another page"),
        (&path, vec![typed, ("origin", "null")], &body, "a page of nowhere"),
        ("/approvals/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", vec![typed], &body, "a forged link"),
    ] {
        let refused = gateway.request("POST", path, &headers, body);
        assert!(refused.status >= 400, "{why}: {refused:?}");
    }
    assert_eq!(until_waiting(&agent, 1), [name.clone()], "nothing was decided");
    assert_eq!(std::fs::read_dir(agent.path("ws")).unwrap().count(), 0);
    let origin = format!("http://{}", gateway.address);
    let decided = gateway.request("POST", &path, &[typed, ("origin", &origin)], &body);
    assert_eq!(decided.status, 200, "{decided:?}");
    assert!(decided.body.contains("approved once"), "{decided:?}");
    // The change itself waits too: a call is not its effects.
    let granted = events(&agent, "approval.granted");
    assert_eq!((granted.len(), &granted[0]["note"]["way"]), (1, &json!("link")));
    for _ in 0..2 {
        assert_eq!(gateway.request("POST", &path, &[typed], &body).status, 410);
        assert_eq!(gateway.request("GET", &path, &[], "").status, 404);
    }
    assert_eq!(ended(call)["ok"], true);
    let forged = agent.run(&["audit", "show", "--event", "approval.forged", "--json"]).json();
    assert!(forged["records"].as_array().unwrap().len() >= 4, "{forged}");
}

/// The effects of InjecAgent's attacks by skills that are listed and granted: reads pass and are the residual risk, everything
/// else waits and, unanswered, does not happen.
#[test]
fn what_an_injected_model_wants_done_waits_and_does_not_happen() {
    let corpus = root().join("tests/corpora/agent-effects.json");
    let corpus: Value = serde_json::from_slice(&std::fs::read(corpus).unwrap()).unwrap();
    let peer = Peer::answering("200 OK", "", "done");
    let toml = "[ceiling]\nrequire_approval = [\"writes\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]\n\
        [approvals]\ntimeout = \"50ms\"\nrate = \"1000/minute\"\n[limits]\nrate = \"1000/minute\"\n";
    let granted = Agent::new(&format!("- probe-web: Try\n  - hosts: GET POST {}", peer.origin()));
    let granted = granted.guest("probe-web").gateway(toml);
    let gateway = Gateway::with(&granted);
    let listed = Agent::new("- probe-web: Try\n  - refuse: http").guest("probe-web");
    let mut passed = 0;
    for case in corpus["cases"].as_array().unwrap() {
        let method = if case["effect"]["op"] == "http-get" { "GET" } else { "POST" };
        let body = case["args"].to_string();
        let url = format!("url={}/{}", peer.origin(), case["skill"].as_str().unwrap());
        let words = [&format!("method={method}"), &url, "headers=[]", &format!("body={body}")];
        let ended = gateway.call("probe-web", "request", &words);
        match case["expect_if_listed_and_granted"].as_str().unwrap() {
            "approval" => assert_eq!(ended.denial(), "approval.timeout", "{case}"),
            _ => {
                assert_eq!(ended.result()["body"], "done", "{case}");
                passed += 1;
            }
        }
        assert_eq!(peer.requests().len(), passed, "{case}");
        assert_ne!(listed.call("probe-web", "request", &words).code, Some(0), "{case}");
    }
    assert_eq!(peer.requests().len(), passed);
    assert!(peer.requests().iter().all(|head| head.starts_with("GET ")));
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

//! The ways by which a decision comes beside the command line: a form in a client, a link. And the corpus of what an injected
//! model wants done.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

#[path = "../corpora/ledger.rs"]
mod ledger;

use ledger::skipped_only;
use serde_json::{Value, json};
use soulbound_tests::approvals::{agent, decide, ended, events, until_waiting, waiting};
use soulbound_tests::gateway::{ECHO, Gateway, Mcp, SOON};
use soulbound_tests::{Agent, Peer, root};

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
    assert_eq!(until_waiting(&agent, 1), [name.as_str()], "nothing was decided");
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
    skipped_only("agent-effects", []);
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

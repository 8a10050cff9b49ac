//! Secrets through the real gateway and real TLS: the granted host gets them, and nothing else ever holds one.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use soulbound_tests::agent::tree;
use soulbound_tests::gateway::{ECHO, add, add_folder, trust, until};
use soulbound_tests::tls::{Authority, TlsPeer, reply};
use soulbound_tests::{Agent, Ended, Gateway};

const VALUE: &str = "sk-live/1a2b3c+4d5e=6f";

/// What the server was sent in the header, as it sends it back: raw, and as others write it.
fn echo_all(head: &str) -> String {
    let sent = sent(head).unwrap_or_default();
    let hex: String = sent.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = sent.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let body = json!({"raw": sent, "hex": hex, "percent": percent, "whole": STANDARD.encode(format!("Bearer {sent}")), "own": STANDARD.encode(&sent)});
    reply("200 OK", &format!("x-echo: {sent}\r\n"), &body.to_string())
}

fn sent(head: &str) -> Option<String> {
    let line = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
    line.map(str::to_owned)
}

/// Every spelling in which a value must not stand anywhere.
fn spellings(value: &str) -> Vec<String> {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let inner = |before: usize| {
        let encoded = STANDARD.encode([&b"\0\0"[..before], value.as_bytes()].concat());
        encoded[4..encoded.len() - 4].to_owned()
    };
    let slashes = value.replace('/', "\\/");
    vec![value.to_owned(), hex, percent, slashes, inner(0), inner(1), inner(2)]
}

/// Fails if any spelling of the value stands in the text.
fn holds_none(text: &str, place: &str) {
    for spelling in spellings(VALUE) {
        assert!(!text.contains(&spelling), "`{spelling}` stands in {place}:\n{text}");
    }
}

/// An agent that may ask `peer`, and others, with the token for `peer` alone.
fn agent(authority: &Authority, peer: &TlsPeer, others: &[&TlsPeer]) -> Agent {
    let mut hosts = vec![format!("GET POST {}", peer.origin())];
    hosts.extend(others.iter().map(|other| other.origin()));
    let skill = format!(
        "- probe-web: Try\n  - hosts: {}\n  - secrets: TOKEN for {} as header Authorization: Bearer {{}}\n- probe: Try\n  - write: ./drafts",
        hosts.join(", "),
        peer.origin()
    );
    let agent = Agent::new(&skill).guest("probe-web").guest("probe").directory("drafts");
    let settings = authority.trusted_by(&agent);
    agent.gateway(&settings)
}

/// A server that answers so, and an agent that may ask it with its token.
fn stage(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> (TlsPeer, Agent) {
    let authority = Authority::new();
    let peer = authority.peer(answer);
    let agent = agent(&authority, &peer, &[]);
    (peer, agent)
}

fn ok(_: &str) -> String {
    reply("200 OK", "", "ok")
}

/// A gateway that logs all that it can.
fn talkative(agent: &Agent) -> Gateway<'_> {
    let path = agent.state().join("gateway.toml");
    let settings = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{settings}")).unwrap();
    let words = ["gateway", "start", "--json"];
    agent.program().variable("SOULBOUND_LOG", "trace").words(&words).run().ends(0);
    Gateway::start(agent)
}

fn set(agent: &Agent, host: &str, value: &str) -> Ended {
    let words = ["secrets", "set", "TOKEN", "--agent", ECHO, "--for", host];
    agent.program().words(&words).input(value).run()
}

fn request(agent: &Agent, url: &str, headers: &Value) -> Ended {
    let arguments = json!({"method": "GET", "url": url, "headers": headers, "body": null});
    let words = ["call", "--json", ECHO, "probe-web", "request", "-"];
    agent.program().words(&words).input(arguments.to_string()).run()
}

fn get(agent: &Agent, url: &str) -> Ended {
    request(agent, url, &json!([]))
}

#[test]
fn the_granted_host_gets_it_and_nothing_else_ever_holds_it() {
    let (peer, agent) = stage(echo_all);
    add(&agent);
    let gateway = talkative(&agent);
    let mut said = vec![set(&agent, &peer.origin(), &format!("{VALUE}\n")).ends(0).said()];

    let ended = get(&agent, &format!("{}/v1", peer.origin()));
    assert_eq!(sent(&peer.requests()[0]).as_deref(), Some(VALUE));
    let answer = ended.result();
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let stars = |count: usize| "*".repeat(count);
    assert_eq!(body["raw"], stars(VALUE.len()));
    assert_eq!(body["hex"], stars(VALUE.len() * 2));
    assert_eq!(body["percent"], stars(VALUE.len() * 3));
    let shown = answer["headers"].to_string();
    assert!(shown.contains(&format!("\"{}\"", stars(VALUE.len()))), "{shown}");
    said.push(ended.said());

    // A model that was told the token passes it on: as an argument, in a URL, as the name of a tool, in a path.
    let url = format!("{}/v1?token={VALUE}", peer.origin());
    said.push(request(&agent, &url, &json!([["x-note", VALUE]])).said());
    for (skill, tool, arguments) in [
        ("probe", "echo-string", json!({"value": VALUE})),
        ("probe", "print-text", json!({"text": VALUE, "to": "out"})),
        ("probe", "log-text", json!({"text": STANDARD.encode(VALUE)})),
        ("probe", "fail", json!({"message": VALUE})),
        ("probe", "panic", json!({"message": VALUE})),
        ("probe", "read", json!({"path": format!("/drafts/{VALUE}")})),
        ("probe", "echo-u32", json!({VALUE: 1})),
        ("probe", VALUE, json!({})),
        (VALUE, "tool", json!({"a": [VALUE]})),
    ] {
        let words = ["call", "--json", "--log", ECHO, skill, tool, "-"];
        let ended = agent.program().words(&words).input(arguments.to_string()).run();
        assert!(matches!(ended.code, Some(0..=2)), "{ended:?}");
        said.push(ended.stdout);
    }
    let mut mcp = gateway.mcp(ECHO, &gateway.token(ECHO));
    for (tool, arguments) in [
        ("probe__echo-string", json!({"value": VALUE})),
        ("probe__fail", json!({"message": VALUE})),
        ("probe__read", json!({"path": format!("/drafts/{VALUE}")})),
        ("probe-web__request", json!({"method": "GET", "url": url, "headers": [], "body": null})),
    ] {
        said.push(mcp.call(tool, arguments).to_string());
    }
    said.push(mcp.ask("tools/call", json!({"name": VALUE, "arguments": {VALUE: VALUE}})).body);
    let token = agent.run(&["gateway", "token"]);
    let bearer = format!("Bearer {}", token.stdout.trim());
    let metrics = gateway.request("GET", "/metrics", &[("authorization", &bearer)], "");
    assert_eq!(metrics.status, 200);
    said.push(metrics.body);
    for words in [
        &["secrets", "list"][..],
        &["secrets", "--json"],
        &["agents", "show", ECHO],
        &["agents", "show", ECHO, "--json"],
        &["audit", "show", ECHO],
        &["audit", "show", ECHO, "--json"],
        &["heartbeat", ECHO],
        &["gateway", "status", "--json"],
        &["doctor"],
    ] {
        said.push(agent.run(words).said());
    }
    for (index, text) in said.iter().enumerate() {
        holds_none(text, &format!("answer {index}"));
    }
    let log = fs::read_to_string(agent.state().join("gateway.log")).unwrap();
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "it logs little:\n{log}");
    agent.run(&["gateway", "stop"]).ends(0);
    for (path, text) in tree(&agent.state()) {
        holds_none(&text, &path.display().to_string());
    }
    let trail = fs::read_to_string(agent.state().join("agents/echo/audit.jsonl")).unwrap();
    assert!(trail.contains("\"event\":\"secret.set\"") && trail.contains("\"name\":\"TOKEN\""), "{trail}");
    assert!(trail.contains("[\"x-note\",\"******"), "{trail}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_redirect_to_another_host_carries_nothing() {
    let authority = Authority::new();
    let thief = authority.peer(|_| reply("200 OK", "", "thanks"));
    let away = format!("location: {}/steal\r\n", thief.origin());
    let peer = authority.peer(move |_| reply("302 Found", &away, ""));
    let agent = agent(&authority, &peer, &[&thief]);
    let _gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    let answer = get(&agent, &peer.origin()).result();
    assert_eq!((answer["status"].as_u64(), thief.requests().len()), (Some(302), 0));
    assert_eq!(get(&agent, &format!("{}/steal", thief.origin())).result()["body"], "thanks");
    assert!(!thief.requests()[0].contains("sk-live") && !thief.requests()[0].contains("authorization"));
}

#[test]
fn without_it_no_request_leaves_and_changes_count_at_once() {
    let (peer, agent) = stage(ok);
    let _gateway = Gateway::with(&agent);
    let missing = get(&agent, &peer.origin());
    assert_eq!(missing.denial(), "secret.missing");
    let hint = missing.json()["denial"]["hint"].as_str().unwrap().to_owned();
    assert_eq!(hint, format!("soulbound secrets set TOKEN --agent echo --for {}", peer.origin()));

    set(&agent, "https://other.example.com", VALUE).ends(0).complains("SOUL.md names");
    let mismatch = get(&agent, &peer.origin());
    assert_eq!(mismatch.denial(), "secret.host");
    let message = mismatch.json()["denial"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("https://other.example.com") && message.contains(&peer.origin()), "{message}");
    assert_eq!(peer.requests().len(), 0);

    set(&agent, &peer.origin(), VALUE).ends(0);
    assert_eq!(get(&agent, &peer.origin()).result()["status"], 200);
    set(&agent, &peer.origin(), "sk-rotated").ends(0);
    assert_eq!(get(&agent, &peer.origin()).result()["status"], 200);
    let sent: Vec<_> = peer.requests().iter().map(|head| sent(head)).collect();
    assert_eq!(sent, [Some(VALUE.to_owned()), Some("sk-rotated".to_owned())]);

    agent.run(&["secrets", "remove", "TOKEN", "--agent", ECHO]).ends(0);
    assert_eq!(get(&agent, &peer.origin()).denial(), "secret.missing");
    assert_eq!(peer.requests().len(), 2);
    agent.run(&["secrets", "remove", "TOKEN", "--agent", ECHO]).ends(2).complains("has no secret");
}

#[test]
fn a_guest_does_not_set_the_header_itself() {
    let (peer, agent) = stage(ok);
    let _gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    let ended = request(&agent, &peer.origin(), &json!([["Authorization", "Bearer own"]]));
    assert_eq!(ended.denial(), "secret.header");
    assert_eq!(peer.requests().len(), 0);
}

#[test]
fn a_call_on_a_soul_md_has_no_secrets() {
    let (peer, agent) = stage(ok);
    add(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    let arguments = json!({"method": "GET", "url": peer.origin(), "headers": [], "body": null});
    let ended = agent.call_json("probe-web", "request", &arguments);
    assert_eq!(ended.denial(), "secret.missing");
    assert!(
        ended.json()["denial"]["message"].as_str().unwrap().contains("a call on a SOUL.md has no secrets")
    );
    assert_eq!(peer.requests().len(), 0);
}

#[test]
fn what_is_missing_is_said_where_an_operator_looks() {
    let (peer, agent) = stage(ok);
    add(&agent);
    let command = format!("soulbound secrets set TOKEN --agent echo --for {}", peer.origin());
    let doctor = agent.run(&["doctor", "--json"]).json();
    let finding = doctor["findings"].as_array().unwrap().iter().find(|one| one["checkId"] == "secrets.set");
    assert_eq!(finding.expect("doctor says so")["fixHint"], command.as_str());
    assert!(agent.run(&["agents", "show", ECHO]).stdout.contains(&command));
    assert_eq!(agent.run(&["secrets", "list", "--json"]).json()["secrets"][0]["soul"], "not-set");
    assert!(agent.run(&["check"]).stdout.contains("TOKEN for https://127.0.0.1"));
    let why = agent.run(&["why", ECHO, "probe-web", "--host", &peer.origin()]);
    assert!(why.ends(0).stdout.contains("adds the secret `TOKEN` as header `authorization`"), "{why:?}");
    let inspected = agent.run(&["inspect", "skills/probe-web", "--against", ECHO]);
    assert!(inspected.stdout.contains("TOKEN for https://127.0.0.1"), "{inspected:?}");

    set(&agent, &peer.origin(), VALUE).ends(0);
    let listed = agent.run(&["secrets", "list", "--agent", ECHO, "--json"]).json()["secrets"][0].clone();
    assert_eq!(
        (&listed["soul"], &listed["host"], &listed["used"]),
        (&json!("named"), &json!(peer.origin()), &json!(null))
    );
    let findings = agent.run(&["doctor", "--json"]).json()["findings"].to_string();
    // Where the key is, it goes on saying; nothing is missing any more.
    assert!(!findings.replace("secrets.key", "").contains("secrets."), "{findings}");
    let _gateway = Gateway::start(&agent);
    get(&agent, &peer.origin()).ends(0);
    let used = || agent.run(&["secrets", "--json"]).json()["secrets"][0]["used"].is_string();
    until(used, "the use to be noted");
}

#[test]
fn after_the_last_secret_is_removed_doctor_does_not_say_that_agents_have_some() {
    let (peer, agent) = stage(ok);
    add(&agent);
    let said = || {
        let doctor = agent.run(&["doctor", "--json"]).json();
        let finding =
            doctor["findings"].as_array().unwrap().iter().find(|one| one["checkId"] == "secrets.key");
        finding.map(|finding| finding["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(said(), None, "there is no key yet");
    set(&agent, &peer.origin(), VALUE).ends(0);
    assert!(said().unwrap().starts_with("agents have secrets; the key that seals them"), "{:?}", said());
    agent.run(&["secrets", "remove", "TOKEN", "--agent", ECHO]).ends(0);
    assert!(
        said().unwrap().starts_with("no agent has a secret now; the key that seals them"),
        "{:?}",
        said()
    );
}

#[test]
fn only_a_fitting_value_from_standard_input_is_taken() {
    let (peer, agent) = stage(ok);
    add(&agent);
    let long = "x".repeat(5_000);
    for (value, complaint) in [
        ("", "empty"),
        ("\n", "empty"),
        ("abc", "fewer than 6"),
        ("two\nlines-of-it", "control character"),
        ("with\ttab", "control character"),
        ("p\u{e4}ssword", "outside ASCII"),
        (&long, "more than 4096"),
    ] {
        let ended = set(&agent, &peer.origin(), value);
        ended.ends(2).complains(complaint);
    }
    for host in [
        "http://127.0.0.1",
        "127.0.0.1",
        "https://*.example.com",
        "https://a.example.com/x",
        "https://u@a.example.com",
    ] {
        let ended = set(&agent, host, VALUE);
        assert_eq!(ended.code, Some(2), "{host}: {ended:?}");
        holds_none(&ended.said(), host);
    }
    let stranger = ["secrets", "set", "TOKEN", "--agent", "nobody", "--for", "https://a.example.com"];
    agent.program().words(&stranger).input(VALUE).run().ends(2);
    assert!(!agent.state().join("agents/echo/secrets.json").exists());
    assert!(!agent.state().join("agents/nobody").exists());
}

#[test]
fn a_terminal_does_not_show_what_is_typed() {
    let (peer, agent) = stage(echo_all);
    add(&agent);
    let words = ["secrets", "set", "TOKEN", "--agent", ECHO, "--for", &peer.origin()];
    let asked = || agent.program().words(&words);
    let (code, shown) = asked().asked_on_terminal("(not shown): ", &format!("wrong\u{15}{VALUE}x\u{7f}\r"));
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("sk-live") && !shown.contains("wrong"), "{shown}");
    let (code, shown) = asked().asked_on_terminal("(not shown): ", "sk-other\u{3}");
    assert!(code == Some(2) && shown.contains("nothing was changed"), "{shown}");
    let _gateway = Gateway::start(&agent);
    get(&agent, &peer.origin()).ends(0);
    assert_eq!(sent(&peer.requests()[0]).as_deref(), Some(VALUE));
}

#[test]
fn what_is_at_rest_is_sealed_kept_to_its_owner_and_bound_to_its_agent() {
    let (peer, agent) = stage(ok);
    let gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    let file = agent.state().join("agents/echo/secrets.json");
    let key = agent.state().join("keys/secrets.key");
    for path in [&file, &key] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.pid)).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");

    let whole: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let refused = |changed: Option<String>, id: &str| {
        match changed {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap(),
        }
        let ended = get(&agent, &peer.origin());
        assert_eq!(ended.denial(), id, "{ended:?}");
        let listed = agent.run(&["secrets", "list"]);
        assert!(listed.code == Some(2) && listed.stderr.contains("hint:"), "{listed:?}");
        assert!(set(&agent, &peer.origin(), VALUE).code == Some(2), "an unreadable file was replaced");
    };
    let with = |pointer: &str, value: Value| {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        Some(changed.to_string())
    };
    // Everything that the seal holds together, one after the other.
    refused(with("/secrets/0/host", json!("https://evil.example.com")), "secret.unreadable");
    refused(with("/secrets/0/name", json!("OTHER")), "secret.unreadable");
    refused(with("/secrets/0/set", json!("2020-01-01T00:00:00.000Z")), "secret.unreadable");
    refused(with("/agent", json!("other")), "secret.unreadable");
    refused(with("/key", json!("0000000000000000")), "secret.unreadable");
    let mut sealed = whole["secrets"][0]["sealed"].as_str().unwrap().to_owned();
    let first = if sealed.starts_with('A') { "B" } else { "A" };
    sealed.replace_range(0..1, first);
    refused(with("/secrets/0/sealed", json!(sealed)), "secret.unreadable");
    refused(Some("{}".to_owned()), "secret.unreadable");
    refused(Some(String::new()), "secret.unreadable");
    refused(None, "secret.unreadable");
    let doctor = agent.run(&["doctor", "--json"]).json()["findings"].to_string();
    assert!(doctor.contains("secrets.readable"), "{doctor}");

    fs::write(&file, whole.to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    get(&agent, &peer.origin()).ends(0);
    // Without the key nothing opens, and no new key is made over what it sealed.
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    agent.run(&["secrets", "list"]).ends(2).complains("key");
    set(&agent, &peer.origin(), VALUE).ends(2).complains("key");
    assert!(!key.exists(), "a new key was made over what the old one sealed");
    fs::write(&key, kept).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    get(&agent, &peer.origin()).ends(0);
}

#[test]
fn entries_of_two_agents_cannot_be_swapped() {
    let (peer, agent) = stage(ok);
    let _gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    let soul = fs::read_to_string(agent.soul()).unwrap().replace("Name: Echo", "Name: Other");
    let folder = agent.outside("other");
    fs::create_dir_all(folder.join("drafts")).unwrap();
    fs::write(folder.join("SOUL.md"), soul).unwrap();
    std::process::Command::new("cp").arg("-r").arg(agent.path("skills")).arg(&folder).status().unwrap();
    add_folder(&agent, &folder);
    let call = || {
        let arguments = json!({"method": "GET", "url": peer.origin(), "headers": [], "body": null});
        let words = ["call", "--json", "other", "probe-web", "request", "-"];
        agent.program().words(&words).input(arguments.to_string()).run()
    };
    assert_eq!(call().denial(), "secret.missing");
    let from = agent.state().join("agents/echo/secrets.json");
    let to = agent.state().join("agents/other/secrets.json");
    fs::copy(&from, &to).unwrap();
    assert_eq!(call().denial(), "secret.unreadable");
    // Also as an entry of a file that says that it is the other's.
    let text = fs::read_to_string(&from).unwrap().replace("\"agent\": \"echo\"", "\"agent\": \"other\"");
    fs::write(&to, text).unwrap();
    assert_eq!(call().denial(), "secret.unreadable");
    assert_eq!(peer.requests().len(), 0);
}

#[test]
fn the_operators_own_key_seals_and_another_does_not_open() {
    let (peer, agent) = stage(ok);
    let key = agent.outside("operators.key");
    fs::write(&key, [7_u8; 48]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let settings = fs::read_to_string(agent.state().join("gateway.toml")).unwrap();
    let agent = agent.gateway(&format!("{settings}[secrets]\nkey_file = \"{}\"\n", key.display()));
    let _gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    assert!(!agent.state().join("keys/secrets.key").exists());
    get(&agent, &peer.origin()).ends(0);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).unwrap();
    agent.run(&["secrets", "list"]).ends(2).complains("open to others");
    fs::write(&key, [8_u8; 48]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    agent.run(&["secrets", "list"]).ends(2).complains("sealed with another key");
}

#[test]
fn an_agent_that_was_removed_leaves_no_secrets_to_the_next_of_its_name() {
    let (peer, agent) = stage(ok);
    let _gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    get(&agent, &peer.origin()).ends(0);
    agent.run(&["agents", "remove", ECHO]).ends(0);
    assert!(!agent.state().join("agents/echo/secrets.json").exists());
    add(&agent);
    assert_eq!(get(&agent, &peer.origin()).denial(), "secret.missing");
}

#[test]
fn a_secret_that_soul_md_names_no_more_is_not_sent_any_more() {
    let (peer, agent) = stage(ok);
    let _gateway = Gateway::with(&agent);
    set(&agent, &peer.origin(), VALUE).ends(0);
    get(&agent, &peer.origin()).ends(0);
    let soul = fs::read_to_string(agent.soul()).unwrap();
    let without: Vec<&str> = soul.lines().filter(|line| !line.contains("secrets:")).collect();
    agent.write("SOUL.md", without.join("\n"));
    get(&agent, &peer.origin()).ends(0);
    let sent: Vec<_> = peer.requests().iter().map(|head| sent(head)).collect();
    assert_eq!(sent, [Some(VALUE.to_owned()), None]);
    trust(&agent, ECHO);
    let listed = agent.run(&["secrets", "--json"]).json()["secrets"][0].clone();
    assert_eq!(listed["soul"], "not-named");
}

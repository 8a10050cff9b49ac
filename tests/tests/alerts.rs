//! Alerts: who is told, of what, how often; that telling holds up nothing; and that no credential shows anywhere.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soulbound_tests::agent::tree;
use soulbound_tests::gateway::{ECHO, is_running, until};
use soulbound_tests::{Agent, Gateway, Peer};

/// Stands in every URL of these tests, and nowhere else.
const CREDENTIAL: &str = "T0AAAA-s3cr3t-path";

fn agent(toml: &str) -> Agent {
    Agent::new("- probe: Try\n  - read: ./docs").guest("probe").directory("docs").gateway(toml)
}

fn hook(peer: &Peer) -> String {
    format!("{}/services/{CREDENTIAL}", peer.origin())
}

fn slack(peer: &Peer, more: &str) -> String {
    format!("[[alerts]]\nname = \"ops\"\nslack = \"{}\"\n{more}\n", hook(peer))
}

fn accepting() -> Peer {
    Peer::answering("200 OK", "", "ok")
}

fn texts(peer: &Peer) -> Vec<String> {
    let text =
        |body: &String| serde_json::from_str::<Value>(body).unwrap()["text"].as_str().unwrap().to_owned();
    peer.bodies().iter().map(text).collect()
}

fn denied(gateway: &Gateway<'_>, path: &str) {
    assert_eq!(gateway.call("probe", "read", &[&format!("path={path}")]).denial(), "path.outside");
}

fn records(agent: &Agent, event: &str) -> Vec<Value> {
    let shown = agent.run(&["audit", "show", "--event", event, "--json"]).json();
    shown["records"].as_array().unwrap().clone()
}

/// Nothing that the program wrote or said holds the URL's path.
fn shows_no_credential(agent: &Agent) {
    for (path, content) in tree(&agent.state()) {
        if !path.ends_with("gateway.toml") {
            assert!(!content.contains("s3cr3t"), "{} tells it: {content}", path.display());
        }
    }
    for words in
        [&["gateway", "status", "--json"][..], &["alerts", "list", "--json"], &["alerts"], &["audit", "show"]]
    {
        let said = agent.run(words).said();
        assert!(!said.contains("s3cr3t"), "{words:?}: {said}");
    }
}

#[test]
fn what_an_alert_is_about_is_told_and_recorded_without_the_url() {
    let peer = accepting();
    let agent = agent(&slack(&peer, "on = [\"denial\", \"stop\"]"));
    let gateway = Gateway::with(&agent);
    denied(&gateway, "/etc/passwd");
    until(|| peer.bodies().len() == 1, "the alert");
    let text = &texts(&peer)[0];
    for part in
        ["Soulbound: denial, agent echo", "path.outside", "/etc/passwd", "skill: probe", "record: echo#"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    until(|| records(&agent, "alert.sent").len() == 1, "its record");
    let note = &records(&agent, "alert.sent")[0];
    assert!(note.to_string().contains(&peer.origin()), "{note}");
    // An operator's act on the agent, and the end of everything.
    agent.run(&["agents", "disable", ECHO]).ends(0);
    until(|| peer.bodies().len() == 2, "the alert of the disabled agent");
    agent.run(&["gateway", "stop"]).ends(0);
    let all = texts(&peer);
    assert!(
        all[1].contains("Agent stopped by the operator") && all[2].contains("Gateway stopped"),
        "{all:?}"
    );
    shows_no_credential(&agent);
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn changes_that_nobody_made_through_the_program_are_anomalies() {
    let peer = accepting();
    let agent = agent(&slack(&peer, "cooldown = \"0s\""));
    let gateway = Gateway::with(&agent);
    let _ = gateway.call("probe", "who", &[]);
    let soul = fs::read_to_string(agent.soul()).unwrap();
    fs::write(agent.soul(), soul.replace("Try", "Try harder")).unwrap();
    until(
        || texts(&peer).iter().any(|text| text.contains("SOUL.md changed since it was trusted")),
        "the changed SOUL.md",
    );
    fs::write(agent.skill("probe").join("SKILL.md"), "---\nname: probe\ndescription: Obey.\n---\n").unwrap();
    until(|| texts(&peer).iter().any(|text| text.contains("skill's files changed")), "the changed skill");
    let toml = agent.state().join("gateway.toml");
    let good = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, good.replace("slack = ", "slack = oops ")).unwrap();
    until(
        || texts(&peer).iter().any(|text| text.contains("gateway.toml cannot be read")),
        "the broken settings",
    );
    shows_no_credential(&agent);
    drop(gateway);
}

#[test]
fn a_place_that_fails_is_asked_again_a_few_times_and_each_end_is_recorded() {
    let asked = AtomicUsize::new(0);
    let peer = Peer::start(move |_, stream| {
        let status = if asked.fetch_add(1, Ordering::SeqCst) == 0 { "500 Oops" } else { "200 OK" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    let elsewhere = accepting();
    let redirect = format!("location: {}/\r\n", elsewhere.origin()).leak();
    let moved = Peer::answering("307 Moved", redirect, "");
    let toml = [&peer, &moved].map(|peer| slack(peer, "on = [\"denial\"]")).join("").replacen(
        "\"ops\"",
        "\"first\"",
        1,
    );
    let agent = agent(&toml);
    let gateway = Gateway::with(&agent);
    denied(&gateway, "/etc/passwd");
    until(|| records(&agent, "alert.sent").len() == 1, "the second attempt");
    let sent = records(&agent, "alert.sent").remove(0).to_string();
    assert!(sent.contains("first") && sent.contains("attempts") && peer.requests().len() == 2, "{sent}");
    until(|| records(&agent, "alert.failed").len() == 1, "the redirect's end");
    let failed = records(&agent, "alert.failed").remove(0).to_string();
    assert!(failed.contains("307") && failed.contains("redirect"), "{failed}");
    assert_eq!((moved.requests().len(), elsewhere.requests().len()), (1, 0));
    shows_no_credential(&agent);
    drop(gateway);
}

#[test]
fn a_cool_down_counts_what_it_holds_back() {
    let peer = accepting();
    let agent = agent(&slack(&peer, "on = [\"denial\"]\ncooldown = \"3s\""));
    let gateway = Gateway::with(&agent);
    for _ in 0..5 {
        denied(&gateway, "/etc/passwd");
    }
    until(|| peer.bodies().len() >= 2, "the count");
    let all = texts(&peer);
    assert!(!all[0].contains("held back"), "{all:?}");
    let counted: u64 = all[1..].iter().map(|text| 1 + held(text)).sum();
    assert!(counted <= 4, "{all:?}");
    // What is still held back is told when the gateway leaves.
    agent.run(&["gateway", "stop"]).ends(0);
    let told: u64 = texts(&peer).iter().map(|text| 1 + held(text)).sum();
    assert_eq!(told, 5, "{:?}", texts(&peer));
}

fn held(text: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix("and ")?.split(' ').next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_place_that_hangs_holds_up_no_call_and_no_stop() {
    let peer = Peer::silent();
    let agent = agent(&slack(&peer, "on = [\"denial\", \"stop\"]\ncooldown = \"0s\""));
    let gateway = Gateway::with(&agent);
    let started = Instant::now();
    for _ in 0..10 {
        denied(&gateway, "/etc/passwd");
    }
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    until(|| !peer.requests().is_empty(), "the first attempt");
    let call = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(1);
    let stopped = agent.run(&["gateway", "stop", "--json"]);
    let document = stopped.ends(0).json();
    assert_eq!(
        (&document["gateway"]["calls"], &document["gateway"]["killed"]),
        (&json!(1), &json!(false)),
        "{document}"
    );
    assert!(stopped.took < Duration::from_secs(5), "{:?}", stopped.took);
    assert!(!is_running(gateway.pid));
    let _ = call.wait_with_output();
    // What nobody was told is counted.
    let failed = records(&agent, "alert.failed");
    assert!(failed.iter().any(|record| record.to_string().contains("undelivered")), "{failed:?}");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn an_alert_may_disable_the_agent_whether_or_not_it_arrives() {
    let peer = Peer::silent();
    let agent = agent(&slack(&peer, "on = [\"denial\"]\naction = \"disable\""));
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "sleep", &["milliseconds=600000"]);
    gateway.until_live(1);
    denied(&gateway, "/etc/passwd");
    let output = call.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("agent.stopped"), "{output:?}");
    until(|| !records(&agent, "agent.disabled").is_empty(), "the record");
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "agent.stopped");
    let record = &records(&agent, "agent.disabled")[0];
    assert_eq!(record["who"], "alert ops", "{record}");
}

#[test]
fn a_webhook_is_signed_and_a_command_gets_the_document_on_its_input() {
    let peer = accepting();
    let agent = agent("");
    let secret = agent.outside("secret");
    fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    let got = agent.outside("got");
    let toml = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        format!(
            "[[alerts]]\nwebhook = \"{}\"\nsecret = {{ file = {:?} }}\non = [\"denial\"]\n[[alerts]]\non = [\"denial\"]\ncommand = [\"/bin/sh\", \"-c\", \"cat > {}; env >> {}\"]\n",
            hook(&peer),
            secret.display().to_string(),
            got.display(),
            got.display()
        )
    };
    let agent = agent.gateway(&toml(0o644));
    agent.run(&["alerts"]).ends(2).complains("chmod 600");
    let agent = agent.gateway(&toml(0o600));
    let gateway = Gateway::with(&agent);
    denied(&gateway, "/etc/\u{202e}<!channel>`");
    until(|| records(&agent, "alert.sent").len() == 2, "both");
    let body = peer.bodies().remove(0);
    let document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&document["kind"], &document["agent"], &document["v"]),
        (&json!("denial"), &json!(ECHO), &json!(1))
    );
    assert!(!document["detail"].as_str().unwrap().contains('\u{202e}'), "{document}");
    let head = peer.requests().remove(0);
    let signature = head.lines().find_map(|line| line.strip_prefix("soulbound-signature: ")).unwrap();
    let (time, digest) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(digest, hmac(&format!("{time}.{body}")));
    let got = fs::read_to_string(got).unwrap();
    let (document, environment) = got.split_at(got.find("}").unwrap() + 1);
    assert_eq!(serde_json::from_str::<Value>(document).unwrap()["kind"], "denial");
    assert!(!environment.contains("HOME") && !environment.contains("SOULBOUND"), "{environment}");
}

/// As any receiver would compute it.
fn hmac(text: &str) -> String {
    use std::process::{Command, Stdio};
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", "0123456789abcdef0123456789abcdef"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = openssl.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_test_tells_whether_each_arrives_with_or_without_a_gateway() {
    let (good, bad) = (accepting(), Peer::answering("404 Not Found", "", "no_service"));
    let (token, discord) = (accepting(), accepting());
    let toml = format!(
        "{}[[alerts]]\nname = \"broken\"\nslack = \"{}\"\n[[alerts]]\ntelegram = {{ token = \"123:{CREDENTIAL}\", chat = \"-1001\", api = \"{}\" }}\n[[alerts]]\ndiscord = \"{}\"\n",
        slack(&good, ""),
        hook(&bad),
        token.origin(),
        hook(&discord)
    );
    let agent = agent(&toml);
    for words in
        [&["alerts", "test", "ops"][..], &["alerts", "test", "telegram"], &["alerts", "test", "discord"]]
    {
        agent.run(words).ends(0);
    }
    let failed = agent.run(&["alerts", "test", "--json"]);
    let document = failed.ends(1).json();
    assert_eq!(document["alerts"][1]["error"], "it answered 404: no_service", "{document}");
    assert_eq!(document["alerts"][0]["ok"], true);
    agent.run(&["alerts", "test", "opps"]).ends(2).complains("did you mean `ops`?");
    assert!(token.requests()[0].starts_with(&format!("POST /bot123:{CREDENTIAL}/sendMessage ")));
    let telegram: Value = serde_json::from_str(&token.bodies()[0]).unwrap();
    assert_eq!((&telegram["chat_id"], &telegram["entities"][0]["type"]), (&json!("-1001"), &json!("pre")));
    let content: Value = serde_json::from_str(&discord.bodies()[0]).unwrap();
    assert_eq!(content["allowed_mentions"], json!({"parse": []}));
    assert!(!failed.said().contains("s3cr3t"));
    // A running gateway changes nothing about it.
    let gateway = Gateway::with(&agent);
    agent.run(&["alerts", "test", "ops"]).ends(0);
    shows_no_credential(&agent);
    drop(gateway);
}

#[test]
fn what_an_agent_chose_marks_nothing_up() {
    let (peer, discord) = (accepting(), accepting());
    let toml = format!(
        "{}[[alerts]]\ndiscord = \"{}\"\non = [\"denial\"]\n",
        slack(&peer, "on = [\"denial\"]"),
        hook(&discord)
    );
    let agent = agent(&toml);
    let gateway = Gateway::with(&agent);
    denied(&gateway, "/<!channel>```@everyone[a](https://evil.test)");
    until(|| peer.bodies().len() == 1 && discord.bodies().len() == 1, "both");
    let text = texts(&peer).remove(0);
    assert!(!text.contains('<') && text.matches("```").count() == 2, "{text}");
    let content: Value = serde_json::from_str(&discord.bodies()[0]).unwrap();
    assert_eq!(content["content"].as_str().unwrap().matches("```").count(), 2, "{content}");
}

#[test]
fn what_an_entry_says_wrongly_is_an_error_without_its_credential() {
    for (toml, named) in [
        ("[[alerts]]\nslack = \"http://hooks.example.com/s3cr3t\"\n", "plain http"),
        ("[[alerts]]\nslack = \"https://u:s3cr3t@example.com/x\"\n", "user name"),
        ("[[alerts]]\nslack = \"s3cr3t\"\n", "`slack`"),
        ("[[alerts]]\nslack = [\"s3cr3t\"]\n", "line 2"),
        ("[[alerts]]\nslck = \"https://example.com/s3cr3t\"\n", "did you mean `slack`?"),
        (
            "[[alerts]]\nslack = \"https://example.com/s3cr3t\"\non = [\"anomly\"]\n",
            "did you mean `anomaly`?",
        ),
        ("[[alerts]]\nslack = \"https://example.com/s3cr3t\"\non = []\n", "`on` is empty"),
        ("[[alerts]]\nslack = \"https://example.com/s3cr3t\"\ncommand = [\"/bin/true\"]\n", "exactly one"),
        ("[[alerts]]\non = [\"stop\"]\n", "exactly one"),
        ("[[alerts]]\nwebhook = \"https://example.com/s3cr3t\"\n", "needs a `secret`"),
        ("[[alerts]]\nwebhook = \"https://example.com/s3cr3t\"\nsecret = \"s3cr3t\"\n", "fewer than 16"),
        ("[[alerts]]\ncommand = [\"notify\"]\n", "whole path"),
        ("[[alerts]]\ncommand = []\n", "empty"),
        ("[[alerts]]\ncommand = [\"/bin/true\"]\naction = \"dance\"\n", "disable"),
        ("[[alerts]]\ncommand = [\"/bin/true\"]\ncooldown = \"forever\"\n", "cooldown"),
        ("[[alerts]]\ncommand = [\"/bin/true\"]\nagents = []\n", "`agents` is empty"),
        ("[[alerts]]\ntelegram = { token = \"123:s3cr3t\", chat = \"team\" }\n", "chat"),
        ("[[alerts]]\ntelegram = { token = \"1/../s3cr3t\", chat = \"1\" }\n", "token"),
        (
            "[[alerts]]\nname = \"a\"\ncommand = [\"/bin/true\"]\n[[alerts]]\nname = \"a\"\ncommand = [\"/bin/true\"]\n",
            "two",
        ),
    ] {
        let ended = agent(toml).run(&["alerts"]);
        ended.ends(2).complains("gateway.toml").complains(named);
        assert!(!ended.said().contains("s3cr3t"), "{}", ended.said());
    }
}

#[test]
fn other_targets_count_from_the_next_alert_on() {
    let (first, second) = (accepting(), accepting());
    let agent = agent(&slack(&first, "on = [\"denial\"]"));
    let gateway = Gateway::with(&agent);
    denied(&gateway, "/etc/passwd");
    until(|| first.bodies().len() == 1, "the first alert");
    let toml = format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{}", slack(&second, "on = [\"denial\"]"));
    fs::write(agent.state().join("gateway.toml"), toml).unwrap();
    until(|| !records(&agent, "settings.changed").is_empty(), "the new settings");
    denied(&gateway, "/etc/passwd");
    until(|| second.bodies().len() == 1, "the second alert");
    assert_eq!(first.bodies().len(), 1);
}

#[test]
fn a_wrong_token_a_kill_and_a_changed_trail_are_told() {
    let peer = accepting();
    let agent = agent(&slack(&peer, "cooldown = \"0s\""));
    let told = |part: &str| until(|| texts(&peer).iter().any(|text| text.contains(part)), part);
    let gateway = Gateway::with(&agent);
    let path = format!("/agents/{ECHO}/mcp");
    assert_eq!(gateway.request("POST", &path, &[], "").status, 401);
    assert_eq!(gateway.request("POST", &path, &[("authorization", "Bearer wrong")], "").status, 401);
    told("token");
    assert_eq!(texts(&peer).len(), 1, "a request without any token is no attack: {:?}", texts(&peer));
    gateway.call("probe", "nothing", &[]).ends(0);
    gateway.kill();
    let trail = agent.state().join(format!("agents/{ECHO}/audit.jsonl"));
    let text = fs::read_to_string(&trail).unwrap();
    let kept: Vec<&str> = text.lines().take(text.lines().count() - 2).collect();
    fs::write(&trail, format!("{}\n", kept.join("\n"))).unwrap();
    let gateway = Gateway::start(&agent);
    told("the last gateway did not leave by itself");
    let _ = gateway.call("probe", "nothing", &[]);
    told("WAS CHANGED");
    // One that was asked to leave has left by itself.
    agent.run(&["gateway", "stop"]).ends(0);
    let before = texts(&peer).iter().filter(|text| text.contains("did not leave")).count();
    let _again = Gateway::start(&agent);
    agent.run(&["gateway", "stop"]).ends(0);
    assert_eq!(texts(&peer).iter().filter(|text| text.contains("did not leave")).count(), before);
}

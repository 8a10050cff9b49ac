//! Approvals under attack, and at the edges: secrets that look alike, a person at a real terminal, webhooks that do not behave,
//! a kill in the worst moment, much split into little.

use std::fs;

use serde_json::json;
use soulbound_tests::approvals::{agent, decide, ended, events, until_waiting, waiting};
use soulbound_tests::gateway::{ECHO, trust, until};
use soulbound_tests::terminal::Terminal;
use soulbound_tests::{Agent, Gateway, Peer};

/// Of one length: masked, both are the same stars.
const SECRETS: [(&str, &str); 2] = [("ONE", "first-secret-value-1"), ("TWO", "other-secret-value-2")];

#[test]
fn an_approval_of_one_secret_is_none_of_another_that_looks_the_same_and_neither_is_shown() {
    let agent = Agent::new(
        "- probe: Try\n  - write: ./ws\n  - approve: writes\n- probe-web: Ask\n  - hosts: https://api.example.com\n  \
         - secrets: ONE for https://api.example.com as header X-One: {}, TWO for https://api.example.com as header X-Two: {}",
    );
    let agent = agent.guest("probe").guest("probe-web").directory("ws");
    let agent = agent.gateway("[approvals]\ntimeout = \"20s\"\n");
    let gateway = Gateway::with(&agent);
    for (name, value) in SECRETS {
        let words = ["secrets", "set", name, "--agent", ECHO, "--for", "https://api.example.com"];
        agent.program().words(&words).input(value).run().ends(0);
    }
    let path = |value: &str| format!("path=/ws/{value}");
    let [(_, one), (_, two)] = SECRETS;
    let call = gateway.calling("probe", "mkdir", &[&path(one)]);
    let name = until_waiting(&agent, 1).remove(0);
    let mut shown = decide(&agent, &["show", &name, "--full"]).stdout;
    shown.push_str(&waiting(&agent)[0].to_string());
    decide(&agent, &["approve", &name, "--always"]).ends(0);
    assert_eq!(ended(call)["ok"], true);
    fs::remove_dir(agent.path("ws").join(one)).unwrap();
    assert_eq!(gateway.call("probe", "mkdir", &[&path(one)]).json()["ok"], true, "exactly this again");
    let call = gateway.calling("probe", "mkdir", &[&path(two)]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["deny", &name]).ends(0);
    assert_eq!(ended(call)["denial"]["id"], "approval.denied", "the other secret was asked about");
    assert!(!agent.path("ws").join(two).exists());
    let clear = |text: &str| text.contains(one) || text.contains(two);
    assert!(!clear(&shown), "a value stands in the clear:\n{shown}");
    for (path, content) in soulbound_tests::agent::tree(&agent.state()) {
        assert!(!clear(&content), "a value stands in the clear in {}", path.display());
    }
}

#[test]
fn no_part_of_an_effect_shows_a_secret_to_whoever_decides_about_it() {
    let peer = Peer::answering("200 OK", "", "x");
    let agent = Agent::new(&format!(
        "- probe: Try\n  - write: ./ws\n  - approve: writes\n- probe-web: Ask\n  - hosts: POST {}, https://api.example.com\n  \
         - approve: POST\n  - secrets: ONE for https://api.example.com as header X-One: {{}}",
        peer.origin()
    ));
    let agent = agent.guest("probe").guest("probe-web").file("ws/a", "a");
    let agent = agent.gateway("[approvals]\ntimeout = \"60s\"\n");
    let gateway = Gateway::with(&agent);
    let (_, value) = SECRETS[0];
    let words = ["secrets", "set", "ONE", "--agent", ECHO, "--for", "https://api.example.com"];
    agent.program().words(&words).input(value).run().ends(0);
    let url = format!("url={}/{value}?q={value}", peer.origin());
    let body = format!("body={value}");
    let headers = |name: &str, text: &str| format!("headers=[[\"{name}\",\"{text}\"]]");
    let (named, valued) = (headers(value, "x"), headers("x-a", value));
    let to = format!("destination=/ws/{value}");
    let from = format!("source=/ws/{value}");
    fs::write(agent.path("ws").join(value), "x").unwrap();
    let plain = format!("url={}/", peer.origin());
    let cases: [(&str, &str, &[&str]); 6] = [
        ("probe-web", "request", &["method=POST", &url, "headers=[]"]),
        ("probe-web", "request", &["method=POST", &plain, &named]),
        ("probe-web", "request", &["method=POST", &plain, &valued]),
        ("probe-web", "request", &["method=POST", &plain, "headers=[]", &body]),
        ("probe", "rename", &["source=/ws/a", &to]),
        ("probe", "rename", &[&from, "destination=/ws/b"]),
    ];
    for (skill, tool, words) in cases {
        let call = gateway.calling(skill, tool, words);
        let name = until_waiting(&agent, 1).remove(0);
        let shown =
            [decide(&agent, &["show", &name, "--full"]).stdout, waiting(&agent)[0].to_string()].concat();
        assert!(shown.contains("****"), "{shown}");
        decide(&agent, &["deny", &name]).ends(0);
        assert_eq!(ended(call)["denial"]["id"], "approval.denied");
        let trail = fs::read_to_string(agent.state().join("agents/echo/audit.jsonl")).unwrap();
        assert!(!shown.contains(value) && !trail.contains(value), "{words:?} stands in the clear:\n{shown}");
    }
    assert_eq!(peer.requests().len(), 0);
}

#[test]
fn a_person_at_a_terminal_sees_what_runs_and_a_key_decides_about_that_alone() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let mut terminal = Terminal::of(agent.program().variable("TERM", "xterm").words(&["approvals", "watch"]));
    terminal.until_shows("nothing waits");
    assert!(!terminal.echoes(), "keys are keys here");
    // Typed before there was a question: none decides about what comes then.
    terminal.types("aaaaaaaaaa");
    let denied = gateway.calling("probe", "mkdir", &["path=/ws/\u{1b}]0;owned\u{7}\u{202e}x"]);
    terminal.until_shows("1 of 1 that wait");
    terminal.until_shows("probe");
    let picture = terminal.picture();
    for raw in ['\u{7}', '\u{202e}'] {
        assert!(!terminal.shown().contains(raw), "{picture}");
    }
    assert_eq!(waiting(&agent).len(), 1, "what was typed before decided nothing");
    // Keys are deaf for a moment after a question came.
    until(
        || {
            terminal.types("d");
            waiting(&agent).is_empty()
        },
        "the denial",
    );
    assert_eq!(ended(denied)["denial"]["id"], "approval.denied");
    terminal.until_shows("nothing waits");
    let approved = gateway.calling("probe", "who", &[]);
    terminal.until_shows("1 of 1 that wait");
    until(
        || {
            terminal.types("a");
            waiting(&agent).is_empty()
        },
        "the approval",
    );
    assert_eq!(ended(approved)["ok"], true);
    terminal.types("q");
    assert_eq!(terminal.ends(), Some(0));
    assert!(terminal.echoes(), "the terminal is as it was");
    let ways: Vec<_> = ["approval.denied", "approval.granted"]
        .iter()
        .map(|event| events(&agent, event)[0]["note"]["way"].clone())
        .collect();
    assert_eq!(ways, [json!("cli"), json!("cli")]);
}

#[test]
fn a_webhook_that_hangs_fails_or_redirects_holds_up_no_question_and_gets_nothing_decided() {
    let elsewhere = Peer::answering("200 OK", "", "ok");
    let location: &'static str = format!("location: {}/\r\n", elsewhere.origin()).leak();
    for (kind, peer) in [
        ("hangs", Peer::silent()),
        ("fails", Peer::answering("500 Oops", "", "")),
        ("redirects", Peer::answering("307 Moved", location, "")),
    ] {
        let toml = "[approvals]\nways = [\"cli\", \"webhook\"]\n";
        let agent = agent(&format!("{toml}webhook = \"{}/hook\"\n", peer.origin()));
        let gateway = Gateway::with(&agent);
        let call = gateway.calling("probe", "who", &[]);
        let name = until_waiting(&agent, 1).remove(0);
        until(|| !peer.requests().is_empty(), kind);
        decide(&agent, &["approve", &name]).ends(0);
        assert_eq!(ended(call)["ok"], true, "{kind}");
        agent.run(&["gateway", "stop"]).ends(0);
        agent.run(&["audit", "verify"]).ends(0);
    }
    assert_eq!(elsewhere.requests().len(), 0, "the link went where nobody said");
}

#[test]
fn a_kill_between_approval_and_effect_does_it_once_or_not_at_all_and_says_so() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let call = gateway.calling("probe", "write", &["path=/ws/new", "text=x"]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["approve", &name]).ends(0);
    gateway.kill();
    drop(call.wait_with_output());
    let written = fs::read_to_string(agent.path("ws/new")).ok();
    assert!(written.as_deref().is_none_or(|text| text == "x"), "half of it: {written:?}");
    let again = Gateway::start(&agent);
    assert_eq!(fs::read_to_string(agent.path("ws/new")).ok(), written, "nothing runs again by itself");
    assert!(waiting(&agent).is_empty());
    decide(&agent, &["approve", &name]).ends(1).complains("nothing waits");
    // What became of it is on record: the call has an end, whichever.
    let _ = again.call("probe", "nothing", &[]);
    let asked = events(&agent, "approval.requested")[0]["note"]["call"].clone();
    let outcomes = events(&agent, "outcome");
    let outcome = outcomes.iter().find(|one| one["call"] == asked);
    let outcome = outcome.unwrap_or_else(|| panic!("no outcome of {asked}: {outcomes:#?}"));
    assert!(outcome["decision"] == "interrupted" || written.is_some(), "{outcome}");
    // The approval was for once: the same is asked for anew.
    fs::write(agent.path("ws/new"), "").unwrap();
    let call = again.calling("probe", "write", &["path=/ws/new", "text=x"]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["deny", &name]).ends(0);
    assert_eq!(ended(call)["denial"]["id"], "approval.denied");
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn what_is_split_into_many_small_writes_is_counted_together() {
    let agent = Agent::new("- probe: Try\n  - write: ./ws").guest("probe").directory("ws");
    let agent = agent.gateway("[anomalies]\nwritten = \"10KiB/hour\"\n");
    let gateway = Gateway::with(&agent);
    let part = format!("text={}", "x".repeat(1_000));
    let write = |number: u32| gateway.call("probe", "write", &[&format!("path=/ws/{number}"), &part]);
    let refused = (0..30).find(|number| {
        let ended = write(*number);
        ended.json()["ok"] == false && ended.denial() == "breaker.open"
    });
    let refused = refused.expect("thirty parts were let through");
    // Files are counted by what they take on a disk, so it is fewer than ten of them.
    assert!((1..=11).contains(&refused), "after {refused} parts of 1,000 bytes");
    assert_eq!(events(&agent, "anomaly")[0]["note"]["kind"], "volume-out");
    // Trusting it anew does not make room.
    let soul = fs::read_to_string(agent.soul()).unwrap();
    fs::write(agent.soul(), soul.replace("Try", "Try again")).unwrap();
    trust(&agent, ECHO);
    assert_eq!(write(99).denial(), "breaker.open");
}

#[test]
fn changes_that_cost_nothing_but_their_records_are_counted_too() {
    let agent = Agent::new("- probe: Try\n  - write: ./ws").guest("probe").directory("ws");
    let agent = agent.gateway("[anomalies]\nwritten = \"16KiB/hour\"\n");
    let gateway = Gateway::with(&agent);
    let names = ["a", "b"].map(|name| format!("/ws/{}", name.repeat(200)));
    gateway.call("probe", "write", &[&format!("path={}", names[0]), "text=x"]).ends(0);
    let renamed = |round: usize| {
        let (source, destination) = (&names[round % 2], &names[(round + 1) % 2]);
        let words = [format!("source={source}"), format!("destination={destination}")];
        gateway.call("probe", "rename", &words.each_ref().map(String::as_str))
    };
    let ended =
        (0..40).map(renamed).find(|ended| ended.json()["ok"] == false).expect("forty were let through");
    assert_eq!(ended.denial(), "breaker.open");
    assert_eq!(events(&agent, "anomaly")[0]["note"]["kind"], "volume-out");
    // Whoever asks for one skill's records sees what it changed, and what was refused before it ran.
    gateway.call("probe", "nothing", &[]).ends(1);
    let shown = |words: &[&str]| {
        let asked = [&["audit", "show", ECHO, "--json", "--skill", "probe"], words].concat();
        agent.run(&asked).json()["records"].as_array().unwrap().len()
    };
    assert!(shown(&["--event", "effect"]) > 10);
    assert_eq!(shown(&["--event", "refused", "--decision", "denied"]), 1);
}

#[test]
fn a_skill_that_asks_on_and_on_trips_its_breaker_and_bothers_nobody_any_more() {
    let agent = agent("[approvals]\nrate = \"1000/minute\"\n[anomalies]\napprovals_denied = \"3/hour\"\n");
    let gateway = Gateway::with(&agent);
    let mut ids = Vec::new();
    for _ in 0..4 {
        let call = gateway.calling("probe", "who", &[]);
        let name = until_waiting(&agent, 1).remove(0);
        decide(&agent, &["deny", &name]).ends(0);
        ids.push(ended(call)["denial"]["id"].clone());
    }
    assert_eq!(ids[0], "approval.denied");
    assert_eq!(gateway.call("probe", "who", &[]).denial(), "breaker.open");
    assert_eq!(gateway.call("probe", "mkdir", &["path=/ws/x"]).denial(), "breaker.open");
    assert!(waiting(&agent).is_empty() && events(&agent, "approval.requested").len() == 4);
    assert_eq!(events(&agent, "anomaly")[0]["note"]["kind"], "approval-spam");
    agent.run(&["agents", "reset", ECHO]).ends(0);
    let call = gateway.calling("probe", "who", &[]);
    let name = until_waiting(&agent, 1).remove(0);
    decide(&agent, &["approve", &name]).ends(0);
    assert_eq!(ended(call)["ok"], true);
}

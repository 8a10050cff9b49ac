//! What `soulbound call` says while it waits: for whom, until when, and the command that decides it; on standard error alone.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr};

use serde_json::{Value, json};
use soulbound_tests::approvals::{agent, decide, until_waiting, waiting};
use soulbound_tests::gateway::{ECHO, Gateway};
use soulbound_tests::{Agent, Program};

/// What a call says while it runs, line by line as it comes.
struct Said(BufReader<ChildStderr>);

impl Said {
    fn of(call: &mut Child) -> Self {
        Self(BufReader::new(call.stderr.take().unwrap()))
    }

    /// The next so many lines, waited for.
    fn lines(&mut self, count: usize) -> String {
        let mut text = String::new();
        for _ in 0..count {
            assert!(self.0.read_line(&mut text).unwrap() > 0, "nothing more after `{text}`");
        }
        text
    }

    fn rest(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

fn call(agent: &Agent, words: &[&str]) -> Program {
    agent.program().words(&["call", ECHO, "probe"]).words(words)
}

fn stdout(call: Child) -> Value {
    let output = call.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn a_call_that_waits_for_a_person_says_so_with_the_command_that_decides_it() {
    let agent = agent("");
    let _gateway = Gateway::with(&agent);
    for json in [false, true] {
        let mut waits = call(&agent, if json { &["who", "--json"] } else { &["who"] }).start();
        let mut said = Said::of(&mut waits);
        // Before anybody decided: reading these lines is what this waits for.
        let told = said.lines(4);
        let name = until_waiting(&agent, 1).remove(0);
        let what = waiting(&agent)[0]["what"].as_str().unwrap().to_owned();
        assert!(told.starts_with(&format!("waiting for a person: {what}\n")), "{told}");
        assert!(told.contains("SOUL.md:7 `approve: who, writes`"), "{told}");
        let until = told.lines().find_map(|line| line.trim().strip_prefix("until:")).unwrap().trim();
        let (moment, left) = until.split_once(", in ").unwrap();
        let seconds: u64 = left.split_once(" s; no answer is no").unwrap().0.parse().unwrap();
        assert!(moment.ends_with('Z') && (1..=120).contains(&seconds), "{until}");
        // The very command that it names.
        let hint = told.split_once("soulbound approvals ").unwrap().1;
        let words: Vec<&str> = hint.split_whitespace().take(2).collect();
        assert_eq!(words, ["approve", &name]);
        decide(&agent, &words).ends(0);
        assert_eq!(said.rest(), "", "once");
        let answer = stdout(waits);
        assert_eq!(if json { &answer["result"][0] } else { &answer[0] }, ECHO);
    }
}

#[test]
fn a_call_that_waits_several_times_says_each() {
    let agent = agent("");
    let _gateway = Gateway::with(&agent);
    let mut waits = call(&agent, &["write", "path=/ws/new", "text=hello", "--json"]).start();
    let mut said = Said::of(&mut waits);
    let mut names = Vec::new();
    while waits.try_wait().unwrap().is_none() {
        let mut told = String::new();
        if said.0.read_line(&mut told).unwrap() == 0 {
            break;
        }
        told += &said.lines(3);
        assert!(told.starts_with("waiting for a person: probe write wants to "), "{told}");
        assert!(told.contains("/ws/new"), "{told}");
        let name = told.split_once("approvals approve ").unwrap().1.split_whitespace().next().unwrap();
        assert!(!names.contains(&name.to_owned()), "{name} twice");
        decide(&agent, &["approve", name]).ends(0);
        names.push(name.to_owned());
    }
    assert!(!names.is_empty());
    assert_eq!(stdout(waits)["ok"], true);
}

#[test]
fn what_does_not_wait_says_nothing() {
    let agent = agent("");
    let gateway = Gateway::with(&agent);
    let quiet = gateway.call("probe", "nothing", &[]);
    quiet.ends(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_call_that_waits_in_line_for_a_slot_says_so() {
    let soul = "- probe: Try\n  - limit: time 10m, rate 1000000/second";
    let agent = Agent::new(soul).guest("probe").gateway("[limits]\nrate = \"1000000/second\"\n");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    // One agent's share of the slots, taken by calls that sleep.
    let sleepers: Vec<_> = (0..32)
        .map(|_| {
            let mut client = gateway.mcp(ECHO, &token);
            let sleep = json!({"name": "probe__sleep", "arguments": {"milliseconds": 600_000}});
            client.begin("tools/call", sleep);
            client
        })
        .collect();
    gateway.until_live(32);
    let mut waits = call(&agent, &["nothing", "--json"]).start();
    let mut said = Said::of(&mut waits);
    let told = said.lines(2);
    assert!(told.starts_with("waiting in line: as many calls as may run at once are running\n"), "{told}");
    // They hang up, and there is room.
    drop(sleepers);
    assert_eq!(stdout(waits)["ok"], true);
    assert_eq!(said.rest(), "");
}

//! `schemas/<tool>.json` from outside: what `inspect` shows, what `call` refuses, and what becomes of a file that is wrong.

use std::time::Duration;

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, Gateway, trust};
use soulbound_tests::{Agent, Ended};

/// Refusing a file, or an argument, takes no longer than starting the program, reading a component and a little.
const LONGEST: Duration = Duration::from_secs(25);

/// An agent with the probe, and this in the probe's `schemas/`.
fn agent(file: &str, content: &str) -> Agent {
    Agent::new("- probe: Try").guest("probe").file(&format!("skills/probe/schemas/{file}"), content)
}

fn inspected(agent: &Agent) -> Ended {
    agent.run(&["inspect", "./skills/probe", "--json"])
}

fn tool(inspected: &Ended, name: &str) -> Value {
    let document = inspected.json();
    let tools = document["tools"].as_array().cloned().unwrap_or_default();
    tools.into_iter().find(|tool| tool["name"] == name).unwrap_or_default()
}

const BOUNDED: &str = r#"{"type": "object", "properties": {
    "value": {"pattern": "^https://", "description": "A page's URL."}
}}"#;

#[test]
fn what_a_file_says_is_shown_by_inspect() {
    let agent = agent("echo-string.json", BOUNDED);
    let shown = tool(inspected(&agent).ends(0), "echo-string");
    let value = json!({"type": "string", "pattern": "^https://", "description": "A page's URL."});
    assert_eq!(shown["inputSchema"]["properties"]["value"], value);
    assert_eq!(shown["inputSchema"]["additionalProperties"], false);
}

#[test]
fn a_violation_ends_as_bad_arguments_do() {
    let agent = agent("echo-string.json", BOUNDED);
    agent.call("probe", "echo-string", &["value=https://example.com"]).ends(0);
    let expected = r#"args.value: the value does not match "^https://", found "ftp://example.com" (`schemas/echo-string.json` in the skill)"#;
    for violated in [
        agent.call("probe", "echo-string", &["value=ftp://example.com"]),
        agent.call_json("probe", "echo-string", &json!({"value": "ftp://example.com"})),
    ] {
        let error = &violated.ends(2).json()["error"];
        assert_eq!((&error["kind"], &error["message"]), (&json!("arguments"), &json!(expected)));
    }
    let words = ["call", "./SOUL.md", "probe", "echo-string", "value=ftp://example.com"];
    assert!(agent.run(&words).ends(2).stderr.contains(expected));
}

#[test]
fn pairs_are_read_by_the_tool_s_types_as_before() {
    let file = r#"{"type": "object", "properties": {"value": {"type": ["string", "null"], "maxLength": 9}}}"#;
    let agent = agent("echo-option.json", file);
    assert_eq!(agent.call("probe", "echo-option", &["value=7"]).result(), "7");
}

#[test]
fn a_file_that_is_wrong_is_named_with_its_place() {
    let cases = [
        ("echo-sting.json", BOUNDED, "did you mean `echo-string.json`?"),
        ("echo-string.json", "{", "it does not parse"),
        (
            "echo-string.json",
            r#"{"type": "object", "properties": {"valu": {}}}"#,
            "at `/properties/valu`: WIT has no \"valu\" here; did you mean `value`?",
        ),
        (
            "echo-string.json",
            r#"{"type": "object", "properties": {"value": {"$ref": "file:///etc/passwd"}}}"#,
            "nothing is ever fetched",
        ),
        (
            "echo-string.json",
            r#"{"type": "object", "properties": {"value": {"maxLenght": 3}}}"#,
            "did you mean `maxLength`?",
        ),
    ];
    for (file, content, message) in cases {
        let agent = agent(file, content);
        let runs = [inspected(&agent), agent.call("probe", "echo-string", &["value=x"])];
        for ended in &runs {
            ended.ends(2);
            let said = ended.said().replace("\\\"", "\"");
            assert!(said.contains(file) && said.contains(message), "{ended:?}");
        }
        let checked = agent.run(&["check"]);
        checked.ends(1);
        assert!(checked.said().contains(message), "{checked:?}");
    }
}

#[test]
fn a_bomb_hangs_neither_inspect_nor_bind_nor_a_call() {
    let definitions: Vec<String> = (0..40)
        .map(|at| {
            format!(
                r##""d{at}": {{"anyOf": [{{"$ref": "#/$defs/d{}"}}, {{"$ref": "#/$defs/d{}"}}]}}"##,
                at + 1,
                at + 1
            )
        })
        .collect();
    let exponential = format!(
        r##"{{"type": "object", "$defs": {{{}, "d40": {{}}}}, "allOf": [{{"$ref": "#/$defs/d0"}}]}}"##,
        definitions.join(",")
    );
    let circle = r##"{"type": "object", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "allOf": [{"$ref": "#/$defs/a"}]}"##;
    let deep = format!("{{\"type\": \"object\", \"default\": {}", "[".repeat(60_000));
    let large = format!(r#"{{"type": "object", "title": "{}"}}"#, "x".repeat(70_000));
    let pattern = r#"{"type": "object", "properties": {"value": {"pattern": "((a{100}){100}){100}"}}}"#;
    for bomb in [&exponential, circle, &deep, &large, pattern] {
        let agent = agent("echo-string.json", bomb);
        for ended in [inspected(&agent), agent.call("probe", "echo-string", &["value=x"])] {
            ended.ends(2);
            assert!(ended.took < LONGEST, "{bomb:.60}: {:?}", ended.took);
        }
    }
    // One that is taken, and that a backtracking engine would not finish with.
    let slow = r#"{"type": "object", "properties": {"value": {"pattern": "^(x+x+)+(x+x+)+y$"}}}"#;
    let agent = agent("echo-string.json", slow);
    let ended = agent.call("probe", "echo-string", &[&format!("value={}", "x".repeat(100_000))]);
    ended.ends(2);
    assert!(ended.took < LONGEST, "{:?}", ended.took);
}

#[test]
fn a_new_file_waits_for_trust_and_then_holds_from_the_first_call() {
    let agent = Agent::new("- probe: Try").guest("probe");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut client = gateway.mcp(ECHO, &token);
    let echo = |word: &str| json!({"name": "probe__echo-string", "arguments": {"value": word}});
    assert_eq!(client.ask("tools/call", echo("long")).status, 200);
    let file = r#"{"type": "object", "properties": {"value": {"type": "string", "maxLength": 3, "x-mcp-header": "Word"}}}"#;
    agent.write("skills/probe/schemas/echo-string.json", file);
    let diff = agent.run(&["agents", "diff", ECHO]);
    assert!(diff.said().contains("probe"), "{diff:?}");
    // What was trusted goes on.
    let told = client.result("tools/call", echo("long"));
    assert_eq!(told["structuredContent"], json!({"result": "long"}), "{told}");
    trust(&agent, ECHO);
    // The header is missing.
    let refused = client.ask("tools/call", echo("abc"));
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(-32_020)), "{refused:?}");
    // By the other door there are no headers, and the schema holds.
    gateway.call("probe", "echo-string", &["value=abc"]).ends(0);
    let long = gateway.call("probe", "echo-string", &["value=long"]);
    assert!(long.ends(2).said().contains("args.value: the value is longer than 3"), "{long:?}");
}

#[test]
fn the_very_first_request_is_held_against_its_headers() {
    let agent = Agent::new("- conformance: Try").guest("conformance");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let call = json!({"name": "conformance__routed", "arguments": {"region": "eu"}});
    let first = gateway.mcp(ECHO, &token).ask("tools/call", call);
    assert_eq!(first.status, 400, "{first:?}");
}

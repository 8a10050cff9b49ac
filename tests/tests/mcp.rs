//! MCP with the real program: the stdio shim before a gateway that comes and goes, both eras, and what to paste.

#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout};
use std::time::Instant;

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, Gateway, SOON, add, until};
use soulbound_tests::{Agent, program};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

fn agent() -> Agent {
    Agent::new("- conformance: Does what the suite expects\n- probe: Misbehaves")
        .guest("conformance")
        .guest("probe")
}

/// Stops the gateway that a shim started, also when the test fails.
struct Stopped<'a>(&'a Agent);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = self.0.run(&["gateway", "stop"]);
    }
}

/// A client with the real shim as its stdio server.
struct Client {
    shim: Child,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Client {
    fn start(agent: &Agent) -> Self {
        let mut shim = agent.program().words(&["mcp", "serve", "--agent", ECHO]).talk();
        let output = BufReader::new(shim.stdout.take().unwrap());
        Self { shim, output, next: 0 }
    }

    fn open(agent: &Agent) -> Self {
        let mut client = Self::start(agent);
        let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let opened = client.ask("initialize", params);
        assert_eq!(opened["result"]["protocolVersion"], LEGACY, "{opened}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    fn send(&mut self, message: &Value) {
        self.shim.stdin.as_mut().unwrap().write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    /// Sends a request and leaves it open. Its id.
    fn request(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}));
        self.next
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let answer = self.line();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }

    /// Closes the input: the shim ends by itself, and has nothing more to say.
    fn end(mut self) {
        drop(self.shim.stdin.take());
        let mut rest = String::new();
        assert_eq!(self.output.read_line(&mut rest).unwrap(), 0, "{rest}");
        assert!(self.shim.wait().unwrap().success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.shim.kill();
        let _ = self.shim.wait();
    }
}

#[test]
fn the_shim_starts_a_gateway_and_serves_both_eras() {
    let agent = agent().gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n");
    add(&agent);
    let _stopped = Stopped(&agent);
    let mut client = Client::open(&agent);
    let result = client.call("conformance__test-simple-text", json!({}));
    assert_eq!(result["content"][0]["text"], result["structuredContent"]["result"]);
    assert_eq!(result["_meta"]["soulbound/record"].as_str().map(|id| id.starts_with("echo#")), Some(true));
    client.end();
    let mut client = Client::start(&agent);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}});
    let discover = client.ask("server/discover", json!({"_meta": meta}));
    assert!(
        discover["result"]["instructions"].as_str().unwrap().contains("- probe: Misbehaves"),
        "{discover}"
    );
    let read = client.ask("resources/read", json!({"uri": "skill://conformance/SKILL.md", "_meta": meta}));
    assert!(read["result"]["contents"][0]["text"].as_str().unwrap().contains("# Conformance"), "{read}");
    client.end();
}

#[test]
fn a_stop_answers_what_is_under_way_and_everything_after_it_until_the_gateway_starts_again() {
    let agent = agent();
    let gateway = Gateway::with(&agent);
    let mut client = Client::open(&agent);
    let spinning = client.request("tools/call", json!({"name": "probe__spin"}));
    gateway.until_live(1);
    let stopped = Instant::now();
    agent.run(&["gateway", "stop"]).ends(0);
    let answer = client.line();
    assert_eq!(answer["id"], spinning);
    // The gateway's own last word, or the shim's: either says that it was stopped.
    assert!(answer.to_string().contains("denied[gateway.stopped]"), "{answer}");
    for method in ["tools/list", "tools/call", "ping"] {
        let error = client.ask(method, json!({"name": "probe__nothing"}))["error"].clone();
        assert_eq!(error["data"]["id"], "gateway.stopped", "{error}");
    }
    assert!(stopped.elapsed() < SOON);
    let _again = Gateway::start(&agent);
    assert_eq!(client.call("probe__echo-bool", json!({"value": true}))["structuredContent"]["result"], true);
    client.end();
}

#[test]
fn a_killed_gateway_leaves_no_request_open_and_is_started_again() {
    let agent = agent();
    let _stopped = Stopped(&agent);
    let gateway = Gateway::with(&agent);
    let mut client = Client::open(&agent);
    let spinning = client.request("tools/call", json!({"name": "probe__spin"}));
    gateway.until_live(1);
    gateway.kill();
    let answer = client.line();
    assert_eq!(
        (&answer["id"], &answer["error"]["data"]["id"]),
        (&json!(spinning), &json!("gateway.stopped"))
    );
    // The kernel may still be taking the killed one apart: its socket connects, and hangs up.
    until(|| client.ask("ping", json!({}))["result"].is_object(), "a new gateway to be there");
    assert_eq!(client.call("probe__echo-bool", json!({"value": true}))["structuredContent"]["result"], true);
    client.end();
}

#[test]
fn a_request_that_is_taken_back_and_a_client_that_goes_end_their_guests() {
    let agent = agent();
    let gateway = Gateway::with(&agent);
    let mut client = Client::open(&agent);
    let spinning = client.request("tools/call", json!({"name": "probe__spin"}));
    gateway.until_live(1);
    client.send(
        &json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": spinning}}),
    );
    gateway.until_live(0);
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}), "a cancelled request is not answered");
    client.request("tools/call", json!({"name": "probe__spin"}));
    gateway.until_live(1);
    drop(client);
    gateway.until_live(0);
}

#[test]
fn progress_comes_before_the_answer_and_a_guest_s_words_are_escaped() {
    let agent = agent();
    let _gateway = Gateway::with(&agent);
    let mut client = Client::open(&agent);
    let params = json!({"name": "conformance__test-tool-with-progress", "_meta": {"progressToken": 7}});
    client.request("tools/call", params);
    for done in [0.0, 50.0, 100.0] {
        let report = client.line();
        assert_eq!(
            (&report["params"]["progressToken"], report["params"]["progress"].as_f64()),
            (&json!(7), Some(done))
        );
    }
    assert_eq!(client.line()["result"]["isError"], Value::Bool(false));
    let denied = client.call("probe__read", json!({"path": "/etc/\u{1b}[2Jpasswd"}));
    let text = denied["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("denied[path.outside]: ") && !text.contains('\u{1b}'), "{text:?}");
    client.end();
}

#[test]
fn an_agent_that_there_is_not_is_told_so() {
    let agent = agent();
    let _gateway = Gateway::with(&agent);
    agent.run(&["mcp", "serve", "--agent", "nobody"]).ends(2).complains("there is no agent `nobody`");
}

#[test]
fn what_is_printed_is_exactly_what_to_paste() {
    let agent = agent();
    let config = |words: &[&str]| agent.run(&[&["mcp", "config"], words].concat());
    let printed = config(&["--client", "claude-desktop", "--agent", ECHO]);
    let server = printed.ends(0).json()["mcpServers"]["echo"].clone();
    // A client passes few variables on: the state folder of now stands in the command.
    let home = format!("SOULBOUND_HOME={}", agent.state().display());
    let program = program::path().display().to_string();
    assert_eq!(server["command"], "env");
    assert_eq!(server["args"], json!([home, program, "mcp", "serve", "--agent", "echo"]));
    assert!(config(&[]).ends(0).stdout.contains("openclaw"));
    config(&["--client", "openclaw", "--agent", "../x"]).ends(2);
    config(&["--client", "openclaw", "--agent", ECHO, "--only"]).ends(0);
    config(&["--client", "cursor", "--agent", ECHO, "--only"]).ends(1).complains("a way around Soulbound");
}

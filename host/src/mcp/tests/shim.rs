//! The stdio shim between a client and a gateway that comes and goes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use tokio::io::AsyncBufReadExt;
use tokio_util::sync::CancellationToken;

use super::stage::{LEGACY, MODERN, Stage};
use crate::mcp::serve_connection;
use crate::mcp::shim;

/// A client's two ends, with the shim running between them.
struct Client {
    input: UnixStream,
    output: BufReader<UnixStream>,
    shim: JoinHandle<anyhow::Result<()>>,
    next: u64,
}

impl Client {
    /// With a shim that finds its gateway at this socket, while `stopped` does not say otherwise.
    fn start(socket: PathBuf, stopped: &Arc<Mutex<bool>>) -> Self {
        let (input, theirs) = UnixStream::pair().unwrap();
        let (output, our_output) = UnixStream::pair().unwrap();
        our_output.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let stopped = Arc::clone(stopped);
        let ensure = move || {
            if *stopped.lock().unwrap() { bail!("stopped by an operator\n  hint: start it") } else { Ok(()) }
        };
        let output: shim::Output = Arc::new(Mutex::new(output));
        let shim =
            std::thread::spawn(move || shim::serve("echo", &socket, ensure, BufReader::new(theirs), output));
        Self { input, output: BufReader::new(our_output), shim, next: 100 }
    }

    fn send(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The answer, which is the next line: nothing comes before it.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}));
        let answer = self.line();
        assert_eq!(answer["id"], self.next, "{answer}");
        answer
    }

    fn open(&mut self) {
        let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        assert_eq!(self.ask("initialize", params)["result"]["protocolVersion"], LEGACY);
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    }

    fn end(self) {
        drop(self.input);
        self.shim.join().unwrap().unwrap();
        assert_eq!(BufReader::new(self.output).lines().count(), 0, "nothing is left to be read");
    }
}

/// A gateway's socket, until it is told to end.
struct Gateway {
    runtime: tokio::runtime::Runtime,
    end: CancellationToken,
}

impl Gateway {
    fn start(stage: &Arc<Stage>, socket: &PathBuf) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (end, stage) = (CancellationToken::new(), Arc::clone(stage));
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let over = end.clone();
        runtime.spawn(async move {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (reader, mut writer) = stream.into_split();
                let mut reader = tokio::io::BufReader::new(reader);
                let mut line = String::new();
                reader.read_line(&mut line).await.unwrap();
                assert_eq!(line, "{\"mcp\":{\"agent\":\"echo\"}}\n");
                tokio::io::AsyncWriteExt::write_all(&mut writer, b"{\"ok\":true}\n").await.unwrap();
                tokio::spawn(serve_connection(Arc::clone(&stage), reader, writer, over.clone()));
            }
        });
        Self { runtime, end }
    }

    /// As a killed one: everything closed, nothing said.
    fn kill(self) {
        self.end.cancel();
        self.runtime.shutdown_background();
    }
}

fn place() -> (tempfile::TempDir, PathBuf, Arc<Mutex<bool>>) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("gateway.sock");
    (folder, socket, Arc::default())
}

#[test]
fn lines_pass_both_ways_in_both_eras() {
    let (_folder, socket, stopped) = place();
    let _gateway = Gateway::start(&Stage::new(), &socket);
    let mut client = Client::start(socket.clone(), &stopped);
    client.open();
    let answer =
        client.ask("tools/call", json!({"name": "probe__echo-string", "arguments": {"value": "é\n"}}));
    assert_eq!(answer["result"]["structuredContent"]["result"], "é\n");
    client.end();
    let mut client = Client::start(socket, &stopped);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}});
    assert!(client.ask("server/discover", json!({"_meta": meta}))["result"]["supportedVersions"].is_array());
    let answer = client.ask("tools/call", json!({"name": "probe__nothing", "arguments": {}, "_meta": meta}));
    assert_eq!(answer["result"]["resultType"], "complete");
    client.end();
}

#[test]
fn with_the_gateway_stopped_each_request_is_answered_at_once_and_nothing_else() {
    let (_folder, socket, stopped) = place();
    *stopped.lock().unwrap() = true;
    let mut client = Client::start(socket, &stopped);
    for method in ["initialize", "tools/list", "tools/call"] {
        let error = client.ask(method, json!({}))["error"].clone();
        assert_eq!(error["data"]["id"], "gateway.stopped");
        assert_eq!(error["message"], "denied[gateway.stopped]: stopped by an operator");
    }
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    client.send(&json!({"jsonrpc": "2.0", "id": "t", "method": "ping"}));
    assert_eq!(client.line()["id"], "t");
    client.end();
}

#[test]
fn a_gateway_that_goes_away_in_the_middle_leaves_no_request_open_and_the_next_one_finds_the_new_gateway() {
    let (_folder, socket, stopped) = place();
    let stage = Stage::new();
    let gateway = Gateway::start(&stage, &socket);
    let mut client = Client::start(socket.clone(), &stopped);
    client.open();
    for id in [1, 2] {
        client.send(
            &json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "probe__spin"}}),
        );
    }
    gateway.runtime.block_on(stage.until_running(2));
    gateway.kill();
    let mut ids: Vec<_> = (0..2)
        .map(|_| client.line())
        .map(|answer| {
            // A call that the dying gateway still told the end of is answered too.
            let told = answer["result"]["isError"] == true;
            assert!(told || answer["error"]["data"]["id"] == "gateway.stopped", "{answer}");
            answer["id"].as_u64().unwrap()
        })
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
    *stopped.lock().unwrap() = true;
    assert_eq!(client.ask("ping", json!({}))["error"]["data"]["id"], "gateway.stopped");
    *stopped.lock().unwrap() = false;
    let _gateway = Gateway::start(&stage, &socket);
    // The client opened its session with the gateway before, and need not know.
    let answer = client.ask("tools/call", json!({"name": "probe__echo-bool", "arguments": {"value": true}}));
    assert_eq!(answer["result"]["structuredContent"]["result"], true);
    client.end();
}

#[test]
fn only_whole_messages_reach_the_client() {
    let (_folder, socket, stopped) = place();
    let listener = UnixListener::bind(&socket).unwrap();
    let gateway = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        writer.write_all(b"{\"ok\":true}\n").unwrap();
        reader.read_line(&mut line).unwrap();
        writer.write_all(b"thread 'x' panicked\n\n[1]\n{\"half\": \n{\"jsonrpc\":\"2.0\",\"method\":\"a\"}\n{\"jsonrpc\":").unwrap();
    });
    let mut client = Client::start(socket, &stopped);
    client.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
    assert_eq!(client.line()["method"], "a");
    assert_eq!(client.line()["error"]["data"]["id"], "gateway.stopped");
    gateway.join().unwrap();
    client.end();
}

#[test]
fn an_agent_that_is_not_let_in_is_told_why() {
    let (_folder, socket, stopped) = place();
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let message = "denied[agent.stopped]: agent `echo` was disabled";
            let welcome =
                json!({"ok": false, "error": {"message": message, "hint": "soulbound agents enable echo"}});
            stream.write_all(format!("{welcome}\n").as_bytes()).unwrap();
            let _ = BufReader::new(stream).read_line(&mut String::new());
        }
    });
    let mut client = Client::start(socket, &stopped);
    let error = client.ask("tools/list", json!({}))["error"].clone();
    assert_eq!(error["data"]["id"], "agent.stopped");
    assert_eq!(error["message"], "denied[agent.stopped]: agent `echo` was disabled");
    client.end();
}

#[test]
fn a_line_that_is_too_long_or_no_message_is_answered() {
    let (_folder, socket, stopped) = place();
    let _gateway = Gateway::start(&Stage::new(), &socket);
    let mut client = Client::start(socket, &stopped);
    client.open();
    let answer = client.ask(
        "tools/call",
        json!({"name": "probe__echo-string", "arguments": {"value": "x".repeat(4 << 20)}}),
    );
    assert_eq!(answer["error"]["message"], "a message has at most 4194304 bytes");
    client.input.write_all(b"hello\n[{\"id\":1,\"method\":\"ping\"}]\n").unwrap();
    for _ in 0..2 {
        assert_eq!(client.line()["error"]["code"], -32_600);
    }
    assert_eq!(client.ask("ping", json!({}))["result"], json!({}));
    client.end();
}

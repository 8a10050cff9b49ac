//! An agent with the probe and what else a test wants, and clients of both eras that speak bare JSON.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use http_body_util::{BodyExt, Full};
use serde_json::{Map, Value, json};
use soulbound_runtime::compile::Compiler;
use soulbound_runtime::sandbox::{
    AgentIdentity, BoxFuture, Outcome, Overseer, Progress, Runtime, RuntimeConfig, tool_name,
};
use soulbound_runtime::skill::{Digest, SkillFolder};
use soulbound_runtime::{Denial, DenialId, Soul};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::gateway::offer::{Offer, OfferedSkill, OfferedTool, SkillFile};
use crate::gateway::request::{Answer, CallRequest, ProgressSink};
use crate::mcp::{HttpDoor, Served, http_service, serve_connection};

pub(super) const MODERN: &str = "2026-07-28";
pub(super) const LEGACY: &str = "2025-11-25";

/// An agent without a gateway: its calls go straight to the sandbox.
pub(super) struct Stage {
    pub(super) offer: Mutex<Result<Arc<Offer>, Denial>>,
    /// What somebody saw who looked before that was so.
    pub(super) seen: Mutex<Option<Arc<Offer>>>,
    files: Vec<(Digest, Vec<u8>)>,
    pub(super) changed: watch::Sender<u64>,
    /// Calls that are in the sandbox now.
    pub(super) running: watch::Sender<usize>,
    records: AtomicU64,
}

/// The folder of a built guest.
pub(super) fn guest(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests").join(name);
    assert!(path.is_dir(), "{} is not built; `cargo xtask guests` builds it", path.display());
    path.canonicalize().unwrap()
}

impl Stage {
    /// The probe, which may only compute.
    pub(super) fn new() -> Arc<Self> {
        Self::of(&["probe"])
    }

    pub(super) fn of(skills: &[&str]) -> Arc<Self> {
        let compiler = Compiler::in_process_for_trusted_components();
        let runtime = Runtime::new(RuntimeConfig::new(compiler)).unwrap();
        let lines: String = skills.iter().map(|name| format!("- {name}: Does as it is told\n")).collect();
        let text = format!("# Agent\n## Identity\n- Name: Echo\n- Role: Tester\n## Skills\n{lines}");
        let soul = Soul::parse("SOUL.md", text.as_bytes()).unwrap();
        let folder = std::env::temp_dir();
        let identity = AgentIdentity { id: soul.id().to_owned(), named: "SOUL.md".to_owned(), folder };
        let (mut offer, mut bytes) = (Offer::default(), Vec::new());
        for name in skills {
            let path = guest(name);
            let skill = SkillFolder::read(&path).unwrap();
            let bound = runtime.bind(&identity, soul.skill(name).unwrap(), &skill).unwrap();
            let files = files(&path, &mut bytes);
            let tools = bound.tools().to_vec();
            let skill = Arc::new(OfferedSkill {
                reaches_hosts: false,
                name: (*name).to_owned(),
                purpose: "Does as it is told".to_owned(),
                files,
                bound,
            });
            offer.tools.extend(tools.into_iter().map(|tool| OfferedTool {
                name: tool_name(name, &tool),
                skill: Arc::clone(&skill),
                tool,
            }));
            offer.skills.push(skill);
        }
        Arc::new(Self {
            offer: Mutex::new(Ok(Arc::new(offer))),
            seen: Mutex::default(),
            files: bytes,
            changed: watch::Sender::new(0),
            running: watch::Sender::new(0),
            records: AtomicU64::new(1),
        })
    }

    /// From now on nothing runs.
    pub(super) async fn stop(&self) {
        let denial = Denial::new(DenialId::AgentStopped, "agent `echo` is stopped")
            .hint("soulbound agents enable echo");
        *self.offer.lock().await = Err(denial);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Returns when so many calls are in the sandbox. Waits less than the 30 s after which the sandbox itself ends a call.
    pub(super) async fn until_running(&self, count: usize) {
        let mut running = self.running.subscribe();
        let reached = running.wait_for(|now| *now == count);
        let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(reached.is_ok(), "{} calls run, not {count}", *self.running.borrow());
    }
}

fn files(folder: &Path, bytes: &mut Vec<(Digest, Vec<u8>)>) -> Vec<SkillFile> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(below) = folders.pop() {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let content = std::fs::read(&path).unwrap();
            let digest = Digest::of(&content);
            let shown = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            found.push(SkillFile { path: shown, digest, bytes: content.len() as u64 });
            bytes.push((digest, content));
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Passes progress on, and nothing else.
struct Passing(Option<ProgressSink>);

impl Overseer for Passing {
    fn before_effect<'a>(
        &'a self,
        _: &'a soulbound_runtime::sandbox::Effect,
    ) -> BoxFuture<'a, Result<soulbound_runtime::sandbox::Permit, Denial>> {
        Box::pin(std::future::ready(Ok(soulbound_runtime::sandbox::Permit::Unchanged)))
    }

    fn record(&self, _: &soulbound_runtime::sandbox::Access) {}

    fn progress(&self, progress: &Progress) {
        if let Some(sink) = &self.0 {
            sink(progress.done as f64, progress.total.map(|total| total as f64), progress.message.clone());
        }
    }
}

struct Running<'a>(&'a watch::Sender<usize>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Served for Stage {
    fn title(&self) -> String {
        "Echo (Tester)".to_owned()
    }

    async fn offer(&self) -> Result<Arc<Offer>, Denial> {
        self.offer.lock().await.clone()
    }

    async fn glance(&self) -> Result<Arc<Offer>, Denial> {
        match &*self.seen.lock().await {
            Some(seen) => Ok(Arc::clone(seen)),
            None => self.offer().await,
        }
    }

    fn seen(&self) -> Option<Arc<Offer>> {
        self.offer.try_lock().ok()?.clone().ok()
    }

    async fn call(&self, request: CallRequest) -> Answer {
        let offer = self.offer().await.unwrap();
        let skill = offer.skills.iter().find(|skill| skill.name == request.skill).unwrap();
        let record = self.records.fetch_add(1, Ordering::SeqCst);
        self.running.send_modify(|count| *count += 1);
        let running = Running(&self.running);
        let call = skill.bound.call(&request.tool, request.arguments, Arc::new(Passing(request.progress)));
        let outcome = request.cancel.run_until_cancelled(call).await;
        drop(running);
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => cancelled(),
        };
        Answer { record: Some(format!("echo#{record}")), outcome }
    }

    async fn unknown(&self, _: &str, _: Map<String, Value>, _: &'static str) -> Answer {
        self.records.fetch_add(1, Ordering::SeqCst);
        let denial = Denial::new(DenialId::SkillNotListed, "the agent has no such tool");
        Answer { record: None, outcome: Outcome::refused(denial) }
    }

    fn file(&self, digest: &Digest) -> Result<Vec<u8>> {
        let found = self.files.iter().find(|(other, _)| other == digest);
        found.map(|(_, bytes)| bytes.clone()).ok_or_else(|| anyhow::anyhow!("no such file"))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

fn cancelled() -> Outcome {
    Outcome::refused(Denial::new(DenialId::AgentStopped, "the caller went away"))
}

/// A client over HTTP: one request, one body of answers.
pub(super) struct Http {
    pub(super) door: HttpDoor,
    service: rmcp::transport::streamable_http_server::StreamableHttpService<
        crate::mcp::handler::Handler<Stage>,
        crate::mcp::sessions::BoundedSessions,
    >,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) session: Option<String>,
    pub(super) messages: Vec<Value>,
}

impl Reply {
    /// The last message: the answer itself.
    pub(super) fn answer(&self) -> &Value {
        self.messages.last().unwrap_or_else(|| panic!("no message: {self:?}"))
    }

    pub(super) fn result(&self) -> &Value {
        &self.answer()["result"]
    }
}

impl Http {
    pub(super) fn new(stage: &Arc<Stage>) -> Self {
        let door = HttpDoor::default();
        Self { service: http_service(Arc::clone(stage), door.clone()), door }
    }

    pub(super) async fn send(&self, headers: &[(&str, &str)], body: impl Into<String>) -> Reply {
        let mut request = http::Request::post("/mcp")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", "127.0.0.1:7685");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(tokio_util::bytes::Bytes::from(body.into()));
        let response = self.service.handle(request.body(body).unwrap()).await;
        let session = response.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let lines = text.lines().map(|line| line.strip_prefix("data:").unwrap_or(line).trim());
        Reply {
            status,
            session,
            messages: lines.filter_map(|line| serde_json::from_str(line).ok()).collect(),
        }
    }

    /// A request of the new era.
    pub(super) async fn modern(&self, method: &str, params: Value) -> Reply {
        let mut params = params;
        let meta = &mut params["_meta"];
        meta["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let mut headers = vec![("mcp-protocol-version", MODERN), ("mcp-method", method)];
        let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or_default().to_owned();
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        self.send(
            &headers,
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string(),
        )
        .await
    }

    /// A tool's result, called in the new era.
    pub(super) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let reply = self.modern("tools/call", json!({"name": tool, "arguments": arguments})).await;
        reply.result().clone()
    }
}

/// A client of the old era on a connection of lines.
pub(super) struct Lines {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    pub(super) end: CancellationToken,
    pub(super) serving: tokio::task::JoinHandle<()>,
}

impl Lines {
    /// Connected, and past `initialize`.
    pub(super) async fn open(stage: &Arc<Stage>) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(theirs);
        let end = CancellationToken::new();
        let serving = tokio::spawn(serve_connection(Arc::clone(stage), reader, writer, end.clone()));
        let (reader, writer) = tokio::io::split(ours);
        let mut lines = Self { reader: BufReader::new(reader), writer, end, serving };
        let params = json!({"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        lines.send(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})).await;
        assert_eq!(lines.next().await["result"]["protocolVersion"], LEGACY);
        lines.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        lines
    }

    pub(super) async fn send(&mut self, message: Value) {
        self.writer.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    pub(super) async fn request(&mut self, id: u64, method: &str, params: Value) {
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
    }

    pub(super) async fn next(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

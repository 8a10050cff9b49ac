//! A running gateway of one test: started as an operator starts it, on a port of its own, and gone with the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Connection, Response};
use crate::{Agent, Ended, program};

/// How long something that should happen at once may take on a loaded machine.
pub const SOON: Duration = Duration::from_secs(20);

/// The id of the agent that [`Agent::new`] makes.
pub const ECHO: &str = "echo";

/// A gateway that runs, with the test's agent added and trusted.
#[derive(Debug)]
pub struct Gateway<'a> {
    agent: &'a Agent,
    /// Its process.
    pub pid: i32,
    /// Where it listens.
    pub address: String,
}

impl<'a> Gateway<'a> {
    /// Adds the agent and starts the gateway.
    #[must_use]
    pub fn with(agent: &'a Agent) -> Self {
        add(agent);
        Self::start(agent)
    }

    /// Starts the gateway of the agent's state folder.
    #[must_use]
    pub fn start(agent: &'a Agent) -> Self {
        listen_anywhere(agent);
        let started = agent.run(&["gateway", "start", "--json"]);
        started.ends(0);
        let started = started.json();
        let pid = i32::try_from(started["pid"].as_i64().unwrap()).unwrap();
        Self { agent, pid, address: started["listen"].as_str().unwrap().to_owned() }
    }

    /// A new token of the agent, by command.
    #[must_use]
    pub fn token(&self, id: &str) -> String {
        let made = self.agent.run(&["agents", "token", id]);
        made.ends(0);
        made.stdout.trim().to_owned()
    }

    /// A connection to the HTTP door.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::to(&self.address)
    }

    /// One request on a connection of its own.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.connect().request(method, path, headers, body)
    }

    /// A connection that speaks MCP for an agent.
    #[must_use]
    pub fn mcp(&self, id: &str, token: &str) -> Mcp {
        Mcp::at(&self.address, id, token)
    }

    /// `soulbound gateway status --json`.
    #[must_use]
    pub fn status(&self) -> Value {
        self.agent.run(&["gateway", "status", "--json"]).json()
    }

    /// `soulbound call AGENT SKILL TOOL … --json`.
    #[must_use]
    pub fn call(&self, skill: &str, tool: &str, arguments: &[&str]) -> Ended {
        self.agent.program().words(&["call", "--json", ECHO, skill, tool]).words(arguments).run()
    }

    /// A call that goes on while the test does something else.
    #[must_use]
    pub fn calling(&self, skill: &str, tool: &str, arguments: &[&str]) -> Child {
        self.agent.program().words(&["call", "--json", ECHO, skill, tool]).words(arguments).start()
    }

    /// Waits until as many calls are live.
    pub fn until_live(&self, calls: u64) {
        until(|| self.status()["calls"]["live"] == calls, "the calls to be live");
    }

    /// Kills the process as the kernel would.
    pub fn kill(&self) {
        signal(self.pid, "-KILL");
        until(|| !is_running(self.pid), "the killed gateway to be gone");
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        signal(self.pid, "-KILL");
    }
}

/// MCP over HTTP in the stateless era, as a client speaks it: one request, one answer.
#[derive(Debug)]
pub struct Mcp {
    connection: Connection,
    path: String,
    token: String,
    next: u64,
}

impl Mcp {
    /// A connection to whatever serves an agent there.
    #[must_use]
    pub fn at(address: &str, id: &str, token: &str) -> Self {
        let path = format!("/agents/{id}/mcp");
        Self { connection: Connection::to(address), path, token: token.to_owned(), next: 0 }
    }

    /// A request of a method with these parameters.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Response {
        let request = self.prepared(method, parameters);
        self.send_prepared(&request)
    }

    /// Asks, and leaves the answer for later.
    pub fn begin(&mut self, method: &str, parameters: Value) {
        let request = self.prepared(method, parameters);
        self.connection.send_text(&request);
    }

    /// Waits for the answer to what was begun, or for the end of the connection.
    pub fn until_over(&mut self) {
        self.connection.until_anything();
    }

    /// Sends what was prepared, and reads the answer.
    pub fn send_prepared(&mut self, request: &str) -> Response {
        self.connection.send_text(request);
        self.connection.answer()
    }

    /// The text of a request, to be sent as often as one likes.
    pub fn prepared(&mut self, method: &str, mut parameters: Value) -> String {
        self.next += 1;
        for (name, value) in [
            ("protocolVersion", json!("2026-07-28")),
            ("clientInfo", json!({"name": "a test", "version": "1"})),
            ("clientCapabilities", json!({})),
        ] {
            let said = &mut parameters["_meta"][format!("io.modelcontextprotocol/{name}")];
            if said.is_null() {
                *said = value;
            }
        }
        let name = parameters["name"].as_str().map(str::to_owned);
        let body =
            json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": parameters}).to_string();
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        if let Some(name) = &name {
            headers.push(("mcp-name", name));
        }
        self.connection.text("POST", &self.path, &headers, &body)
    }

    /// The result of a request that has one.
    pub fn result(&mut self, method: &str, parameters: Value) -> Value {
        let response = self.ask(method, parameters);
        assert_eq!(response.status, 200, "{response:?}");
        let answer = response.json();
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.result("tools/call", json!({"name": tool, "arguments": arguments}))
    }
}

/// `soulbound agents add`, with the digest that the card shows.
pub fn add(agent: &Agent) {
    add_folder(agent, Path::new("."));
}

/// Adds another folder's agent to the same state folder.
pub fn add_folder(agent: &Agent, folder: &Path) {
    let add = |words: &[&str]| agent.program().words(&["agents", "add"]).words(&[folder]).words(words).run();
    let card = add(&["--json"]).json();
    let digest = card["digest"].as_str().unwrap_or_else(|| panic!("no digest: {card}"));
    add(&["--yes", "--digest", digest]).ends(0);
}

/// `soulbound agents trust`, with the digest that it asks for.
pub fn trust(agent: &Agent, id: &str) {
    let shown = agent.run(&["agents", "trust", id, "--json"]).json();
    let digest = shown["card"]["digest"].as_str().unwrap_or_else(|| panic!("no digest: {shown}"));
    agent.run(&["agents", "trust", id, "--yes", "--digest", digest]).ends(0);
}

/// Waits for something that the program does by itself.
pub fn until(mut holds: impl FnMut() -> bool, what: &str) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < SOON, "still waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process of this number runs and is no zombie.
#[must_use]
pub fn is_running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Sends a signal, `-KILL` or `-TERM`, `-STOP`.
pub fn signal(pid: i32, signal: &str) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

/// A port of the system's choice, unless the test's settings say another.
fn listen_anywhere(agent: &Agent) {
    let path: PathBuf = agent.state().join("gateway.toml");
    let settings = std::fs::read_to_string(&path).unwrap_or_default();
    if !settings.contains("listen") {
        let settings = format!("[gateway]\nlisten = \"127.0.0.1:0\"\n{settings}");
        std::fs::write(path, settings).unwrap();
    }
    assert!(program::path().is_file());
}

//! Whoever takes the HTTP door's connections: one agent with many, and somebody without any token. Others, and the operator,
//! get in all the same, through the real gateway.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;
use soulbound_tests::gateway::{ECHO, add, add_folder, is_running, until};
use soulbound_tests::guest::{core, write};
use soulbound_tests::http::{Connection, Response};
use soulbound_tests::{Agent, Gateway};

/// Two agents of one gateway: the test's own, and a quiet one.
fn two_agents() -> Agent {
    let agent = Agent::new("- probe: Try").guest("probe");
    add(&agent);
    let quiet = agent.outside("quiet");
    write(&quiet.join("skills/tiny"), "tiny", &core(r#"(func (export "run"))"#));
    let soul = "# Quiet\n## Identity\n- Name: Quiet\n## Skills\n- tiny: Nothing\n";
    std::fs::write(quiet.join("SOUL.md"), soul).unwrap();
    add_folder(&agent, &quiet);
    agent
}

/// The others: the quiet agent, whoever looks whether the gateway lives, and the operator.
struct Others<'a> {
    gateway: &'a Gateway<'a>,
    quiet: String,
    operator: String,
}

impl<'a> Others<'a> {
    fn of(agent: &Agent, gateway: &'a Gateway<'a>) -> Self {
        let made = agent.run(&["gateway", "token"]);
        made.ends(0);
        let operator = format!("Bearer {}", made.stdout.trim());
        Self { gateway, quiet: gateway.token("quiet"), operator }
    }

    /// Each of them connects and is answered.
    fn get_in(&self) {
        let result = self.gateway.mcp("quiet", &self.quiet).call("tiny__run", json!({}));
        assert_ne!(result["isError"], true, "{result}");
        assert_eq!(self.gateway.request("GET", "/healthz", &[], "").status, 200);
        assert_eq!(self.as_operator("GET", "/status").status, 200);
    }

    fn as_operator(&self, method: &str, path: &str) -> Response {
        self.gateway.request(method, path, &[("authorization", &self.operator)], "")
    }
}

/// A session of the old era.
fn session(gateway: &Gateway<'_>, bearer: &str) -> String {
    let asked = json!({
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    });
    let headers = [
        ("authorization", bearer),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    let answer = gateway.request("POST", "/agents/echo/mcp", &headers, &asked.to_string());
    let session = answer.headers.iter().find(|(name, _)| name == "mcp-session-id");
    session.unwrap_or_else(|| panic!("no session: {answer:?}")).1.clone()
}

/// Opens a session's event stream: the connection, once its head is there, and what the head says.
fn stream(gateway: &Gateway<'_>, bearer: &str, session: &str) -> (Connection, Response) {
    let mut connection = gateway.connect();
    let headers = [("authorization", bearer), ("accept", "text/event-stream"), ("mcp-session-id", session)];
    connection.send("GET", "/agents/echo/mcp", &headers, "");
    let head = connection.head();
    (connection, head)
}

#[test]
fn one_agent_s_streams_and_connections_leave_the_door_to_others() {
    let agent = two_agents();
    let gateway = Gateway::start(&agent);
    let others = Others::of(&agent, &gateway);
    let token = gateway.token(ECHO);
    let bearer = format!("Bearer {token}");

    let mut open = Vec::new();
    let mut of = session(&gateway, &bearer);
    let refused = loop {
        assert!(open.len() < 600, "no stream was one too many");
        if open.len() % 8 == 7 {
            of = session(&gateway, &bearer);
        }
        let (connection, head) = stream(&gateway, &bearer, &of);
        if head.status != 200 {
            break head;
        }
        open.push(connection);
    };
    assert_eq!((open.len(), refused.status), (32, 429), "{refused:?}");

    // Connections that only call are counted with those of the streams.
    let mut calling = Vec::new();
    let refused = loop {
        assert!(calling.len() < 600, "no connection was one too many");
        let mut client = gateway.mcp(ECHO, &token);
        let answer = client.ask("server/discover", json!({}));
        if answer.status != 200 {
            break answer;
        }
        calling.push(client);
    };
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!(refused.body.contains(" connections, as many as others leave it\n  hint: "), "{refused:?}");
    assert!((128..=256).contains(&(open.len() + calling.len())), "{}", calling.len());
    others.get_in();
    // Who was in before goes on.
    assert_eq!(calling[0].ask("server/discover", json!({})).status, 200);

    drop((open, calling));
    until(
        || stream(&gateway, &bearer, &session(&gateway, &bearer)).1.status == 200,
        "a stream to be free again",
    );
}

/// Asks what needs no token, or comes again when it was shown out. So none of its connections ever runs out of time.
fn stays(connection: &mut TcpStream, address: &str) {
    let asked = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let answered =
        connection.write_all(asked.as_bytes()).and_then(|()| connection.read(&mut [0; 1024])).unwrap_or(0);
    if answered == 0 {
        *connection = TcpStream::connect(address).unwrap();
    }
}

#[test]
fn connections_that_show_no_token_make_room_for_those_that_do() {
    let agent = two_agents();
    let gateway = Gateway::start(&agent);
    let others = Others::of(&agent, &gateway);
    let connect = || TcpStream::connect(&gateway.address).unwrap();
    // As many as there are, and all of them stay or come again.
    let mut all: Vec<TcpStream> = (0..512).map(|_| connect()).collect();
    let (over, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    let got_in = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                all.iter_mut().for_each(|connection| stays(connection, &gateway.address));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        until(|| rounds.load(Ordering::Relaxed) > 0, "all to have a place");
        let got_in = std::panic::catch_unwind(|| others.get_in());
        over.store(true, Ordering::Relaxed);
        got_in
    });
    assert!(got_in.is_ok());
    drop(all);

    // Some say nothing, the others do not come to an end.
    let idle: Vec<TcpStream> = (0..540)
        .map(|number| {
            let mut connection = connect();
            let say = if number % 2 == 0 { "" } else { "GET /healthz HTTP/1.1\r\nhost: " };
            // Those that came first are gone by now, maybe.
            let _ = connection.write_all(say.as_bytes());
            connection
        })
        .collect();
    others.get_in();
    let mut first = &idle[0];
    assert!(matches!(first.read(&mut [0; 64]), Ok(0) | Err(_)), "the oldest is ended");
    assert_eq!(others.as_operator("POST", "/stop").status, 200);
    until(|| !is_running(gateway.pid), "the stopped gateway to be gone");
}

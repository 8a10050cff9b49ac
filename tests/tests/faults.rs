//! What breaks around a gateway: no descriptors left, a state folder that cannot be written, servers that are half there.
//!
//! The rule for each: the call is refused or ended within its own limits, it is on record, its slot is free again, and the
//! stop works meanwhile. The full disk is in `full_disk.rs`, kills are in `kill_anywhere.rs` and `crash.rs`.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, is_running, until};
use soulbound_tests::program::computed;
use soulbound_tests::{Agent, Gateway, namespace};

/// Sets a process's limit of descriptors, and gives the one before.
fn descriptors(pid: i32, soft: u64) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    let (before, maximum) = (numbers.next().unwrap(), numbers.next());
    prlimit(Pid::from_raw(pid), Resource::Nofile, Rlimit { current: Some(soft), maximum }).unwrap();
    before
}

fn open_descriptors(pid: i32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64
}

#[test]
fn without_descriptors_the_gateway_refuses_waits_and_goes_on_and_the_stop_works() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe").file("docs/x", "content");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut client = gateway.mcp(ECHO, &token);
    let read = json!({"path": "/docs/x"});
    assert_eq!(client.call("probe__read", read.clone())["structuredContent"]["result"], "content");

    let before = descriptors(gateway.pid, open_descriptors(gateway.pid));
    // They are in the kernel's queue, and nobody can take them out of it.
    let waiting: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&gateway.address).unwrap()).collect();
    let commands: Vec<UnixStream> =
        (0..4).map(|_| UnixStream::connect(agent.state().join("gateway.sock")).unwrap()).collect();
    // Whoever is connected is answered, and not with what could not be opened.
    let refused = client.call("probe__read", read.clone());
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(refused["content"][0]["text"].as_str().unwrap().starts_with("denied[busy]"), "{refused}");
    let (spent, started) = (computed(gateway.pid), std::time::Instant::now());
    thread::sleep(Duration::from_secs(2));
    let wall = started.elapsed();
    let spent = computed(gateway.pid) - spent;
    assert!(spent < wall / 4, "waiting for descriptors took {spent:?} of {wall:?}");

    descriptors(gateway.pid, before);
    assert_eq!(client.call("probe__read", read.clone())["structuredContent"]["result"], "content");
    gateway.call("probe", "nothing", &[]).ends(0);
    drop((waiting, commands));

    // The same again, and now the operator stops everything.
    descriptors(gateway.pid, open_descriptors(gateway.pid));
    let _held: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(&gateway.address).unwrap()).collect();
    agent.run(&["gateway", "stop"]).ends(0);
    until(|| !is_running(gateway.pid), "the gateway to be gone");
    assert!(agent.state().join("stopped").exists());
    agent.run(&["audit", "verify"]).ends(0);
}

#[test]
fn a_state_folder_that_cannot_be_written_starts_nothing_changes_nothing_and_is_still_read() {
    let agent = Agent::new("- probe: Try").guest("probe");
    drop(Gateway::with(&agent));
    let Some(said) = namespace::read_only(
        &agent,
        &[
            "gateway start",
            "agents disable echo",
            "agents token echo",
            "gateway stop",
            "agents",
            "audit verify",
        ],
    ) else {
        return;
    };
    let of = |words: &str| {
        let (_, rest) = said.split_once(&format!("== {words}\n")).unwrap();
        rest.split("== ").next().unwrap().to_owned()
    };
    for words in ["gateway start", "agents disable echo", "agents token echo", "gateway stop"] {
        let said = of(words);
        assert!(!said.contains("exit 0") && said.contains("Read-only file system"), "{words}: {said}");
    }
    assert!(of("agents").contains("enabled"), "{said}");
    assert!(of("audit verify").contains("exit"), "{said}");
    // What was said to have failed was not done.
    let gateway = Gateway::start(&agent);
    gateway.call("probe", "nothing", &[]).ends(0);
    assert!(agent.state().join("armed").exists() && !agent.state().join("stopped").exists());
}

/// A server that does this with each connection.
fn half_there(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let serve = serve.clone();
            thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Sends a byte, again and again, as slowly as keeps a connection alive. What comes before anything was asked is no answer, and
/// would end the connection.
fn trickle(mut stream: TcpStream, first: &str) {
    let _ = stream.read(&mut [0; 4_096]);
    let _ = stream.write_all(first.as_bytes());
    while stream.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(300));
    }
}

/// Answers with this once something was asked, and closes.
fn cut(answer: &'static str) -> impl Fn(TcpStream) + Send + Sync + Clone {
    move |mut stream| {
        let _ = stream.read(&mut [0; 4_096]);
        let _ = stream.write_all(answer.as_bytes());
    }
}

#[test]
fn servers_that_are_half_there_cost_a_call_its_time_and_nobody_anything_else() {
    let silent = |stream: TcpStream| {
        thread::sleep(Duration::from_secs(300));
        drop(stream);
    };
    // Never taken out of the kernel's queue: connected, and nobody there.
    let untaken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (timed, broken) = ("limit.time", "");
    let peers = [
        ("accepts and never answers", "http", half_there(silent), timed),
        ("is connected to and never accepts", "http", untaken.local_addr().unwrap().port(), timed),
        ("never ends the TLS handshake", "https", half_there(silent), timed),
        (
            "trickles a TLS handshake",
            "https",
            half_there(|stream| trickle(stream, "\x16\x03\x03\x0f\x7f")),
            timed,
        ),
        ("trickles a head", "http", half_there(|stream| trickle(stream, "HTTP/1.1 200 OK\r\nx: ")), timed),
        (
            "trickles a body",
            "http",
            half_there(|stream| trickle(stream, "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")),
            timed,
        ),
        ("closes at once", "http", half_there(drop), broken),
        ("closes in a head", "http", half_there(cut("HTTP/1.1 200 OK\r\ncontent-le")), broken),
        (
            "closes in a body",
            "http",
            half_there(cut("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc")),
            broken,
        ),
        (
            "closes in a chunk",
            "http",
            half_there(cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nabc")),
            broken,
        ),
        ("closes a TLS handshake", "https", half_there(cut("\x16\x03\x03")), broken),
    ];
    let hosts: Vec<String> =
        peers.iter().map(|(_, scheme, port, _)| format!("{scheme}://127.0.0.1:{port}")).collect();
    let agent = Agent::new(&format!("- probe-web: Ask\n  - hosts: {}\n  - limit: time 2s", hosts.join(", ")))
        .guest("probe-web");
    let gateway = Gateway::with(&agent);
    for ((name, _, _, id), host) in peers.iter().zip(&hosts) {
        let ended =
            gateway.call("probe-web", "request", &["method=GET", &format!("url={host}/"), "headers=[]"]);
        ended.ends(1);
        let document = ended.json();
        assert_eq!(document["denial"]["id"].as_str().unwrap_or_default(), *id, "{name}: {document}");
        assert!(!id.is_empty() || document["error"]["kind"] == "tool", "{name}: {document}");
        assert_eq!(document["accesses"][0]["decision"], "allowed", "{name}: {document}");
        let took = Duration::from_micros(document["duration_us"].as_u64().unwrap());
        assert!(took < Duration::from_secs(20), "{name}: {took:?} of 2 s");
    }
    gateway.until_live(0);
    let recorded = |event: &str| {
        let shown = agent.run(&["audit", "show", ECHO, "--event", event, "--limit", "1000", "--json"]).json();
        shown["records"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((recorded("intent"), recorded("outcome")), (peers.len(), peers.len()));
    assert_ne!(gateway.status(), Value::Null);
    agent.run(&["gateway", "stop"]).ends(0);
    agent.run(&["audit", "verify"]).ends(0);
}

//! What the gateway costs, measured from outside with a client beside it. Ignored by `cargo test`: `cargo xtask bench` runs
//! them against an optimised build and `docs/figures.md` holds what they said. Ratios are of one run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use soulbound_tests::gateway::{ECHO, Mcp, add, add_folder};
use soulbound_tests::guest::core;
use soulbound_tests::{Agent, Gateway, Peer};

/// A component that does nothing, called as often as we like.
fn tiny(more: &str) -> Agent {
    Agent::new("- tiny: Nothing\n  - limit: rate 1000000/second")
        .component("tiny", &core(r#"(func (export "run"))"#))
        .gateway(&format!("[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"1000000/second\"\n{more}"))
}

/// The second agent's id.
const TWIN: &str = "twin";

/// An agent with the same skills and grants, under another name.
fn add_twin(agent: &Agent) {
    let folder = agent.outside("twin");
    let copied = Command::new("cp").arg("-r").arg(agent.path(".")).arg(&folder).status().unwrap();
    assert!(copied.success());
    let soul = std::fs::read_to_string(agent.soul()).unwrap();
    assert!(soul.contains("- Name: Echo"), "{soul}");
    std::fs::write(folder.join("SOUL.md"), soul.replace("- Name: Echo", "- Name: Twin")).unwrap();
    add_folder(agent, &folder);
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() - 1) * percent / 100]
}

#[test]
#[ignore = "a measurement"]
fn a_call_against_a_discover_on_one_connection() {
    let agent = tiny("");
    let gateway = Gateway::with(&agent);
    let token = gateway.token(ECHO);
    let mut client = gateway.mcp(ECHO, &token);
    let (mut calls, mut discovers) = (Vec::new(), Vec::new());
    for round in 0..6_000 {
        let started = Instant::now();
        assert_eq!(client.ask("server/discover", json!({})).status, 200);
        let discovered = started.elapsed();
        let started = Instant::now();
        assert_eq!(client.ask("tools/call", json!({"name": "tiny__run", "arguments": {}})).status, 200);
        if round >= 1_000 {
            discovers.push(discovered);
            calls.push(started.elapsed());
        }
    }
    let (calls, discovers) = (sorted(calls), sorted(discovers));
    let (call, discover) = (percentile(&calls, 50), percentile(&discovers, 50));
    println!(
        "tools/call p50 {call:?} p99 {:?}; server/discover p50 {discover:?} p99 {:?}; ratio {:.2}",
        percentile(&calls, 99),
        percentile(&discovers, 99),
        call.as_secs_f64() / discover.as_secs_f64()
    );
}

/// A process that answers each line with a line, or several in a row that do.
struct Lines {
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    processes: Vec<Child>,
}

impl Lines {
    fn of(mut first: Child, more: impl IntoIterator<Item = fn(Stdio) -> Child>) -> Self {
        let to = first.stdin.take().unwrap();
        let mut processes = vec![first];
        for next in more {
            let from = processes.last_mut().unwrap().stdout.take().unwrap();
            processes.push(next(from.into()));
        }
        let from = BufReader::new(processes.last_mut().unwrap().stdout.take().unwrap());
        Self { to, from, processes }
    }

    /// `cat | cat | …`: what so many wake-ups and copies of a line cost, and nothing else.
    fn cats(count: usize) -> Self {
        let cat = |input: Stdio| Command::new("cat").stdin(input).stdout(Stdio::piped()).spawn().unwrap();
        Self::of(cat(Stdio::piped()), std::iter::repeat_n(cat as fn(Stdio) -> Child, count - 1))
    }

    /// How long one line takes to be answered.
    fn ask(&mut self, line: &str) -> (Duration, String) {
        let mut answer = String::new();
        let started = Instant::now();
        self.to.write_all(line.as_bytes()).unwrap();
        self.from.read_line(&mut answer).unwrap();
        (started.elapsed(), answer)
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The way of a line through the shim: the client wakes the shim, the shim the gateway, the gateway the shim's other thread,
/// and that one the client. `cat | cat` has one wake-up less, `cat | cat | cat` has as many.
#[test]
#[ignore = "a measurement"]
fn a_call_through_the_stdio_shim_against_an_echo() {
    let agent = tiny("");
    let _gateway = Gateway::with(&agent);
    let mut shim = Lines::of(agent.program().words(&["mcp", "serve", "--agent", ECHO]).talk(), []);
    let about = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "figures", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let line = |id: u32, method: &str, params: serde_json::Value| {
        let mut params = params;
        params["_meta"] = about.clone();
        format!("{}\n", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    };
    let (mut two, mut three) = (Lines::cats(2), Lines::cats(3));
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..6_000 {
        let call = line(round, "tools/call", json!({"name": "tiny__run", "arguments": {}}));
        let discover = line(round, "server/discover", json!({}));
        let (called, answer) = shim.ask(&call);
        assert!(answer.contains("\"result\"") && !answer.contains("isError\":true"), "{answer}");
        let (discovered, answer) = shim.ask(&discover);
        assert!(answer.contains("\"result\""), "{answer}");
        if round >= 1_000 {
            let all = [called, discovered, two.ask(&call).0, three.ask(&call).0];
            times.iter_mut().zip(all).for_each(|(times, time)| times.push(time));
        }
    }
    let [call, discover, two, three] = times.map(|times| percentile(&sorted(times), 50));
    println!(
        "p50: call {call:?}; discover {discover:?}; cat | cat {two:?}; cat | cat | cat {three:?}; ratio {:.2} and {:.2}",
        call.as_secs_f64() / two.as_secs_f64(),
        call.as_secs_f64() / three.as_secs_f64()
    );
}

/// Calls a second with so many connections, each with one call in flight.
fn throughput(address: &str, token: &str, connections: usize, lasting: Duration) -> f64 {
    let done = AtomicU64::new(0);
    let ready = Barrier::new(connections);
    let elapsed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Mcp::at(address, ECHO, token);
                    let request =
                        client.prepared("tools/call", json!({"name": "tiny__run", "arguments": {}}));
                    client.send_prepared(&request);
                    ready.wait();
                    let started = Instant::now();
                    while started.elapsed() < lasting {
                        client.send_prepared(&request);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    started.elapsed()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
    });
    #[expect(clippy::cast_precision_loss, reason = "a figure")]
    let calls = done.load(Ordering::Relaxed) as f64;
    calls / elapsed.as_secs_f64()
}

/// `host/examples/nothing_behind.rs`, built beside the program: what the library takes that the gateway is made with.
struct NothingBehind {
    process: Child,
    address: String,
}

impl NothingBehind {
    fn start() -> Self {
        let built = soulbound_tests::program::path().parent().unwrap().join("examples/nothing_behind");
        let mut process = Command::new(built).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { process, address: address.trim().to_owned() }
    }
}

impl Drop for NothingBehind {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "a measurement"]
fn calls_a_second() {
    for (durability, connections) in [("process", 32), ("power", 64)] {
        let agent = tiny(&format!("[audit]\ndurability = \"{durability}\"\n"));
        let gateway = Gateway::with(&agent);
        let token = gateway.token(ECHO);
        let nothing = NothingBehind::start();
        // In turns: what else the machine does is in both.
        for _ in 0..3 {
            let lasting = Duration::from_secs(3);
            let rate = throughput(&gateway.address, &token, connections, lasting);
            let most = throughput(&nothing.address, &token, connections, lasting);
            println!(
                "{connections} in flight, durability {durability}: {rate:.0} calls/s; with nothing behind it {most:.0}: {:.2}",
                rate / most
            );
        }
        agent.run(&["gateway", "stop"]).ends(0);
        agent.run(&["audit", "verify"]).ends(0);
    }
}

#[test]
#[ignore = "a measurement"]
fn from_the_stop_to_the_last_of_two_hundred_calls() {
    let mut times = Vec::new();
    for _ in 0..20 {
        let server = Peer::silent();
        let skills = format!(
            "- probe: Try\n  - limit: time 10m\n- probe-web: Ask\n  - hosts: {}\n  - limit: time 10m",
            server.origin()
        );
        let agent = Agent::new(&skills)
            .guest("probe")
            .guest("probe-web")
            .gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"1000000/second\"\n");
        add_twin(&agent);
        let gateway = Gateway::with(&agent);
        // Of one agent's clients, 128 requests are served at once.
        let tokens = [ECHO, TWIN].map(|id| (id, gateway.token(id)));
        let mut clients: Vec<_> = (0..200)
            .map(|number| {
                let (id, token) = &tokens[number % 2];
                let mut client = gateway.mcp(id, token);
                let (tool, arguments) = match number % 3 {
                    0 => ("probe__spin", json!({})),
                    1 => ("probe__sleep", json!({"milliseconds": 600_000})),
                    _ => (
                        "probe-web__request",
                        json!({"method": "GET", "url": format!("{}/", server.origin()), "headers": []}),
                    ),
                };
                client.begin("tools/call", json!({"name": tool, "arguments": arguments}));
                client
            })
            .collect();
        gateway.until_live(200);
        let started = Instant::now();
        let stopping = agent.program().words(&["gateway", "stop"]).start();
        // An answer, or the end of the connection: either way the call is over.
        clients.iter_mut().for_each(|client| client.until_over());
        times.push(started.elapsed());
        assert!(stopping.wait_with_output().unwrap().status.success());
        agent.run(&["audit", "verify"]).ends(0);
    }
    let times = sorted(times);
    println!(
        "200 calls, from the command to the last one's end: p50 {:?}, worst of 20 {:?}",
        percentile(&times, 50),
        times.last().unwrap()
    );
}

#[test]
#[ignore = "a measurement"]
fn a_start_with_a_hundred_bound_skills_against_an_empty_one() {
    let lines: Vec<String> = (0..100).map(|number| format!("- tiny-{number}: Nothing")).collect();
    let mut full = Agent::new(&lines.join("\n"));
    for number in 0..100 {
        // Each its own component: a custom section with its number.
        let name = format!("n{number:03}");
        let mut component = core(r#"(func (export "run"))"#);
        component.extend([0, 5, 4]);
        component.extend(name.bytes());
        full = full.component(&format!("tiny-{number}"), &component);
    }
    let empty = Agent::new("");
    add(&full);
    add(&empty);
    let start = |agent: &Agent, skills: usize| {
        let started = Instant::now();
        let gateway = Gateway::start(agent);
        if skills > 0 {
            let token = gateway.token(ECHO);
            let listed = gateway.mcp(ECHO, &token).result("tools/list", json!({}));
            assert_eq!(listed["tools"].as_array().unwrap().len(), skills, "{listed}");
        }
        let took = started.elapsed();
        agent.run(&["gateway", "stop"]).ends(0);
        took
    };
    start(&full, 100);
    let (mut bound, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        bare.push(start(&empty, 0));
        bound.push(start(&full, 100));
    }
    println!(
        "start of an empty gateway p50 {:?}; until 100 skills are bound and listed p50 {:?}",
        percentile(&sorted(bare), 50),
        percentile(&sorted(bound), 50)
    );
}

/// Turn by turn, so that whatever else the machine does is in both.
#[test]
#[ignore = "a measurement"]
fn a_call_in_a_process_against_one_in_a_thread() {
    for (what, body, arguments) in
        [("nothing", None, json!({})), ("a file of 4 KiB", Some("/docs/a"), json!({"path": "/docs/a"}))]
    {
        let agents = ["thread", "process"].map(|isolation| {
            let more = format!("[sandbox]\nisolation = \"{isolation}\"\n");
            match body {
                None => tiny(&more),
                Some(_) => Agent::new("- probe: Read\n  - read: ./docs\n  - limit: rate 1000000/second")
                    .guest("probe")
                    .file("docs/a", "x".repeat(4_096))
                    .gateway(&format!(
                        "[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"1000000/second\"\n{more}"
                    )),
            }
        });
        let tool = if body.is_some() { "probe__read" } else { "tiny__run" };
        let gateways = agents.each_ref().map(Gateway::with);
        let mut clients = gateways.each_ref().map(|gateway| gateway.mcp(ECHO, &gateway.token(ECHO)));
        let mut times = [Vec::new(), Vec::new()];
        let mut first = [Duration::ZERO; 2];
        for round in 0..6_000 {
            for (index, client) in clients.iter_mut().enumerate() {
                let started = Instant::now();
                let answer = client.ask("tools/call", json!({"name": tool, "arguments": arguments}));
                let took = started.elapsed();
                assert_eq!(answer.status, 200);
                assert!(answer.json()["result"]["isError"] != true, "{}", answer.json());
                match round {
                    0 => first[index] = took,
                    1_000.. => times[index].push(took),
                    _ => {}
                }
            }
        }
        let [thread, process] = times.map(sorted);
        let ratio = |percent| {
            percentile(&process, percent).as_secs_f64() / percentile(&thread, percent).as_secs_f64()
        };
        println!(
            "{what}: thread p50 {:?} p99 {:?}, process p50 {:?} p99 {:?}; ratios {:.2} and {:.2}; first call {:?} and {:?}",
            percentile(&thread, 50),
            percentile(&thread, 99),
            percentile(&process, 50),
            percentile(&process, 99),
            ratio(50),
            ratio(99),
            first[0],
            first[1]
        );
    }
}

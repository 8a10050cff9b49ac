//! kill -9 in the middle of everything: what was acknowledged is on record, and the trail verifies.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use soulbound_tests::gateway::ECHO;
use soulbound_tests::guest::core;
use soulbound_tests::{Agent, Gateway};

/// The numbers of the calls in an agent's trail that have this event.
fn calls(agent: &Agent, event: &str) -> HashSet<u64> {
    let text = std::fs::read_to_string(agent.state().join("agents/echo/audit.jsonl")).unwrap();
    // A kill can tear the line that is being written: that one was acknowledged to nobody.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let records = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of = records.filter(|record| record["event"] == event);
    of.map(|record| record["call"].as_u64().or(record["seq"].as_u64()).unwrap()).collect()
}

/// Kills a gateway that eight clients keep busy, so many times, each time a little later.
fn rounds(count: u64) {
    let agent = Agent::new("- tiny: Nothing\n  - limit: rate 1000000/second")
        .component("tiny", &core(r#"(func (export "run"))"#))
        .gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"1000000/second\"\n");
    soulbound_tests::gateway::add(&agent);
    let mut token = None;
    for round in 0..count {
        let gateway = Gateway::start(&agent);
        let token = token.get_or_insert_with(|| gateway.token(ECHO));
        let acknowledged = Mutex::new(HashSet::new());
        let dead = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let request = gateway
                        .mcp(ECHO, token)
                        .prepared("tools/call", json!({"name": "tiny__run", "arguments": {}}));
                    while !dead.load(Ordering::Relaxed) {
                        // A connection that the kernel cuts is no acknowledgement.
                        let Ok(mut stream) = TcpStream::connect(&gateway.address) else { return };
                        while let Some(call) = ask(&mut stream, &request) {
                            acknowledged.lock().unwrap().insert(call);
                        }
                    }
                });
            }
            // Not before work is done, and then at another moment each time.
            soulbound_tests::gateway::until(
                || acknowledged.lock().unwrap().len() > 20,
                "calls to be answered",
            );
            std::thread::sleep(Duration::from_micros(700 * (round % 23)));
            gateway.kill();
            dead.store(true, Ordering::Relaxed);
        });
        let outcomes = calls(&agent, "outcome");
        let missing: Vec<_> = acknowledged.lock().unwrap().difference(&outcomes).copied().collect();
        assert!(missing.is_empty(), "round {round}: acknowledged and not on record: {missing:?}");
        agent.run(&["audit", "verify"]).ends(0);
    }
    let last = Gateway::start(&agent);
    last.call("tiny", "run", &[]).ends(0);
    agent.run(&["gateway", "stop"]).ends(0);
    agent.run(&["audit", "verify"]).ends(0);
    assert_eq!(calls(&agent, "intent"), calls(&agent, "outcome"), "each call that began has an end");
}

/// The call that an answer acknowledges; none when the connection ended before its last byte.
fn ask(stream: &mut TcpStream, request: &str) -> Option<u64> {
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        text.extend_from_slice(&buffer[..count]);
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n")
            && let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: "))
            && body.len() >= length.parse().unwrap()
        {
            let answer: Value = serde_json::from_str(body).unwrap();
            let record = answer["result"]["_meta"]["soulbound/record"].as_str()?.to_owned();
            return record.strip_prefix("echo#")?.parse().ok();
        }
    }
}

#[test]
fn no_acknowledged_call_is_missing_after_a_kill_under_load() {
    rounds(12);
}

#[test]
#[ignore = "takes minutes; `cargo xtask bench` runs it"]
fn no_acknowledged_call_is_missing_after_two_hundred_kills() {
    rounds(200);
}

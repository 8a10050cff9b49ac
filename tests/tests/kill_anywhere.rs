//! `kill -9` at any moment of keeping compiled code and of going on in a new trail file: afterwards there is the old or the
//! new, the trail verifies, and the next start works. Killed trusting is in `rollback.rs`.
//!
//! Each round kills a little later than the one before, over the whole time that the command takes unharmed, so that the
//! rounds meet its steps without knowing them. The kill of a rotation is timed by the file that it makes.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use soulbound_tests::gateway::ECHO;
use soulbound_tests::guest::core;
use soulbound_tests::{Agent, Gateway};

/// Kills over one command's time.
const ROUNDS: u32 = 24;

/// Waits so long and kills; whether it was still running.
fn kill_after(mut child: Child, wait: Duration) -> bool {
    std::thread::sleep(wait);
    let running = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    child.wait().unwrap();
    running
}

#[test]
fn a_kill_while_code_is_compiled_and_kept_leaves_nothing_that_runs_wrong() {
    let agent = Agent::new("- probe: Try\n  - limit: rate 100000/minute").guest("probe");
    let cache = agent.state().join("cache");
    let call = || agent.program().words(&["call", "--json", "./SOUL.md", "probe", "echo-u32", "value=7"]);
    let started = Instant::now();
    assert_eq!(call().run().result(), 7);
    let whole = started.elapsed();
    let mut cut_short = 0;
    for round in 0..ROUNDS {
        for entry in std::fs::read_dir(&cache).unwrap().map(Result::unwrap) {
            if entry.file_name() != "key" {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
        // The last third of it: that is where the entry is written.
        let wait = whole * 2 / 3 + whole * round / (3 * ROUNDS);
        cut_short += u32::from(kill_after(call().start(), wait));
        assert_eq!(call().run().result(), 7, "round {round}");
    }
    println!("{ROUNDS} kills, {cut_short} in time");
    // What is there now is whole: an entry that was cut is no entry.
    let entry = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path());
    let entry =
        entry.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with(['.', 'k'])).last();
    let entry = entry.unwrap();
    let bytes = std::fs::read(&entry).unwrap();
    for length in [0, 31, 32, 40, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&entry, &bytes[..length]).unwrap();
        assert_eq!(call().run().result(), 7, "an entry of {length} bytes");
        assert_eq!(std::fs::read(&entry).unwrap().len(), bytes.len(), "it was made anew");
    }
}

/// The finished files of the agent's trail, and the next one while it is made.
fn trail_files(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("audit.")).count()
}

#[test]
fn a_kill_in_the_middle_of_a_rotation_loses_nothing() {
    let agent = Agent::new("- tiny: Nothing\n  - limit: rate 1000000/second")
        .component("tiny", &core(r#"(func (export "run"))"#))
        .gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"1000000/second\"\n[audit]\nrotate = \"1MiB\"\n");
    soulbound_tests::gateway::add(&agent);
    let folder = agent.state().join("agents/echo");
    let padding = "x".repeat(3_500);
    for round in 0..6_u32 {
        let gateway = Gateway::start(&agent);
        let token = gateway.token(ECHO);
        gateway.call("tiny", "run", &[]).ends(0);
        let before = trail_files(&folder);
        let dead = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let request = gateway.mcp(ECHO, &token).prepared(
                        "tools/call",
                        json!({"name": "tiny__run", "arguments": {"padding": padding}}),
                    );
                    while !dead.load(Ordering::Relaxed) {
                        // The kernel cuts the connection at the kill.
                        let Ok(mut stream) = std::net::TcpStream::connect(&gateway.address) else { return };
                        let mut answer = [0; 4_096];
                        while std::io::Write::write_all(&mut stream, request.as_bytes()).is_ok()
                            && std::io::Read::read(&mut stream, &mut answer).is_ok_and(|count| count > 0)
                        {
                        }
                    }
                });
            }
            let started = Instant::now();
            while trail_files(&folder) == before {
                assert!(started.elapsed() < Duration::from_secs(120), "no rotation came");
                std::hint::spin_loop();
            }
            std::thread::sleep(Duration::from_micros(60 * u64::from(round)));
            gateway.kill();
            dead.store(true, Ordering::Relaxed);
        });
        agent.run(&["audit", "verify"]).ends(0);
    }
    let last = Gateway::start(&agent);
    last.call("tiny", "run", &[]).ends(0);
    agent.run(&["gateway", "stop"]).ends(0);
    agent.run(&["audit", "verify"]).ends(0);
}

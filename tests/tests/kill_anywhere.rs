//! `kill -9` at any moment of keeping compiled code and of going on in a new trail file: afterwards there is the old or the
//! new, the trail verifies, and the next start works. Killed trusting is in `rollback.rs`.
//!
//! Each kill waits for the file that is being made, and comes a little later in each round.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use soulbound_tests::gateway::ECHO;
use soulbound_tests::guest::core;
use soulbound_tests::{Agent, Gateway};

/// Kills while an entry of the cache is written.
const ROUNDS: u64 = 12;

/// What lies in the cache beside its key.
fn entries(cache: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| !path.ends_with("key")).collect()
}

#[test]
fn a_kill_while_code_is_compiled_and_kept_leaves_nothing_that_runs_wrong() {
    let agent = Agent::new("- probe: Try\n  - limit: rate 100000/minute").guest("probe");
    let cache = agent.state().join("cache");
    let call = || agent.program().words(&["call", "--json", "./SOUL.md", "probe", "echo-u32", "value=7"]);
    assert_eq!(call().run().result(), 7);
    let mut half_written = 0;
    for round in 0..ROUNDS {
        for entry in entries(&cache) {
            std::fs::remove_file(entry).unwrap();
        }
        let mut child = call().start();
        let started = Instant::now();
        while entries(&cache).is_empty() {
            assert!(started.elapsed() < Duration::from_secs(120), "nothing was kept");
            std::hint::spin_loop();
        }
        // From the moment that the file is there to a little after it was put in place.
        let found = Instant::now();
        while found.elapsed() < Duration::from_micros(80 * round) {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        child.wait().unwrap();
        let left = entries(&cache);
        half_written +=
            usize::from(left.iter().any(|path| path.file_name().unwrap().to_string_lossy().starts_with('.')));
        assert_eq!(call().run().result(), 7, "round {round}");
    }
    println!("{ROUNDS} kills, {half_written} of them left half an entry");
    // What is there now is whole: an entry that was cut is no entry.
    let whole = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with('.');
    let entry = entries(&cache).into_iter().find(whole).unwrap();
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

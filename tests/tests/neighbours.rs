//! One agent at its limits beside another: whatever it uses up, the other is answered, through the real gateway.
//!
//! Always run: each kind of neighbour is at work, and every call of the quiet agent still comes to its result. That holds
//! however slow the machine is. Ignored, a measurement: how much later they are answered (`docs/figures.md`).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use soulbound_tests::gateway::{ECHO, Mcp, add, add_folder, until};
use soulbound_tests::guest::{core, write};
use soulbound_tests::{Agent, Gateway, Peer};

/// A way to use something up.
struct Kind {
    name: &'static str,
    /// Calls at once.
    calls: usize,
    tool: &'static str,
    arguments: Value,
    /// They never return, so that they are begun once and stay.
    endless: bool,
}

fn kinds(silent: &Peer) -> Vec<Kind> {
    let kind = |name, calls, tool, arguments| Kind { name, calls, tool, arguments, endless: true };
    let request = json!({"method": "GET", "url": format!("{}/", silent.origin()), "headers": []});
    vec![
        kind("spinning", 40, "probe__spin", json!({})),
        kind("sleeping", 100, "probe__sleep", json!({"milliseconds": 600_000})),
        kind("host calls without end", 40, "probe__log-flood", json!({"count": 4_000_000_000_u32})),
        kind("waiting for a server", 100, "probe-web__request", request),
        Kind { endless: false, ..kind("memory", 8, "probe__alloc-touch", json!({"mib": 60})) },
        Kind {
            endless: false,
            ..kind("answers of 1 MB", 8, "probe__big-result", json!({"bytes": 1_000_000}))
        },
        Kind { endless: false, ..kind("handles", 8, "probe__handles", json!({"count": 1_000_000})) },
        Kind {
            endless: false,
            ..kind("open files", 8, "probe__open-many", json!({"path": "/docs/x", "count": 100_000}))
        },
        Kind {
            endless: false,
            ..kind("files of 8 MiB", 8, "probe__fill", json!({"path": "/ws/big", "bytes": 8 << 20}))
        },
    ]
}

/// The noisy agent's folder, with the gateway's settings.
fn noisy(silent: &Peer) -> Agent {
    Agent::new(&format!(
        "- probe: Try\n  - read: ./docs\n  - write: ./ws\n  - limit: time 10m, rate 1000000/second, memory 64MiB\n\
         - probe-web: Ask\n  - hosts: {}\n  - limit: time 10m",
        silent.origin()
    ))
    .guest("probe")
    .guest("probe-web")
    .file("docs/x", "x")
    .directory("ws")
    .gateway("[gateway]\nlisten = \"127.0.0.1:0\"\n[limits]\nrate = \"1000000/second\"\n")
}

/// The noisy agent and the quiet one, added.
fn both(silent: &Peer) -> Agent {
    let agent = noisy(silent);
    add(&agent);
    add_quiet(&agent);
    agent
}

/// A second agent in the same gateway: one skill, which does nothing.
fn add_quiet(agent: &Agent) {
    let folder = agent.outside("quiet");
    write(&folder.join("skills/tiny"), "tiny", &core(r#"(func (export "run"))"#));
    let soul =
        "# Quiet\n## Identity\n- Name: Quiet\n## Skills\n- tiny: Nothing\n  - limit: rate 1000000/second\n";
    std::fs::write(folder.join("SOUL.md"), soul).unwrap();
    add_folder(agent, &folder);
}

/// One call of the quiet agent, which must succeed.
fn quiet_call(client: &mut Mcp, beside: &str) -> Duration {
    let started = Instant::now();
    let result = client.call("tiny__run", json!({}));
    assert_ne!(result["isError"], true, "beside {beside}: {result}");
    started.elapsed()
}

/// Puts a neighbour to work, runs `meanwhile`, and ends it.
fn beside<T>(gateway: &Gateway<'_>, token: &str, kind: &Kind, meanwhile: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    let connect = || {
        let mut client = gateway.mcp(ECHO, token);
        client.begin("tools/call", json!({"name": kind.tool, "arguments": kind.arguments}));
        client
    };
    if kind.endless {
        // Hanging up at the end ends their calls.
        let clients: Vec<_> = (0..kind.calls).map(|_| connect()).collect();
        gateway.until_live(kind.calls as u64);
        let done = meanwhile();
        assert_eq!(gateway.status()["calls"]["live"], kind.calls, "they were at work to the end");
        drop(clients);
        gateway.until_live(0);
        return done;
    }
    let mut elsewhere = rustix::thread::sched_getaffinity(None).unwrap();
    if elsewhere.count() > 1 {
        let first = (0..).find(|core| elsewhere.is_set(*core)).unwrap();
        elsewhere.unset(first);
    }
    std::thread::scope(|scope| {
        for _ in 0..kind.calls {
            scope.spawn(|| {
                // It stands for a program on another machine: what it computes itself is nothing that the gateway could share out.
                // So it leaves a core to the gateway and the quiet client, where there are two.
                rustix::thread::sched_setaffinity(None, &elsewhere).unwrap();
                let mut client = gateway.mcp(ECHO, token);
                while !over.load(Ordering::Relaxed) {
                    client.ask("tools/call", json!({"name": kind.tool, "arguments": kind.arguments}));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until(|| answered.load(Ordering::Relaxed) > 0, "the neighbour to be at work");
        let done = meanwhile();
        over.store(true, Ordering::Relaxed);
        done
    })
}

#[test]
fn no_neighbour_starves_another_agent_or_holds_its_slots() {
    let silent = Peer::silent();
    let agent = both(&silent);
    let gateway = Gateway::start(&agent);
    let (token, quiets) = (gateway.token(ECHO), gateway.token("quiet"));
    for kind in kinds(&silent) {
        beside(&gateway, &token, &kind, || {
            let mut client = gateway.mcp("quiet", &quiets);
            for _ in 0..20 {
                quiet_call(&mut client, kind.name);
            }
            // A new connection and the operator's socket as well.
            quiet_call(&mut gateway.mcp("quiet", &quiets), kind.name);
            agent.run(&["call", "--json", "quiet", "tiny", "run"]).ends(0);
        });
    }
    agent.run(&["gateway", "stop"]).ends(0);
    agent.run(&["audit", "verify"]).ends(0);
}

fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}

#[test]
#[ignore = "a measurement"]
fn what_each_kind_of_neighbour_does_to_the_p99_of_another() {
    let silent = Peer::silent();
    let agent = both(&silent);
    let gateway = Gateway::start(&agent);
    let (token, quiets) = (gateway.token(ECHO), gateway.token("quiet"));
    let calls = |name: &str| {
        let mut client = gateway.mcp("quiet", &quiets);
        for _ in 0..200 {
            quiet_call(&mut client, name);
        }
        (0..3_000).map(|_| quiet_call(&mut client, name)).collect::<Vec<_>>()
    };
    for kind in kinds(&silent) {
        let mut alone = calls("nobody");
        let mut loaded = beside(&gateway, &token, &kind, || calls(kind.name));
        let (quiet, noise) = (percentile(&mut alone, 99), percentile(&mut loaded, 99));
        println!(
            "{:<24} p50 {:?} to {:?}; p99 {quiet:?} to {noise:?}: {:.2} x",
            kind.name,
            percentile(&mut alone, 50),
            percentile(&mut loaded, 50),
            noise.as_secs_f64() / quiet.as_secs_f64()
        );
    }
}

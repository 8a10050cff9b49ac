//! Many calls: fairness between agents, ending a call from outside, and nothing that grows.
//!
//! The tests take turns: each measures, and would measure the others.

#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

#[path = "shared/mod.rs"]
mod shared;

use std::future::Future;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::{RUNTIME, bind, bind_for, call, denied, guest, none, returned};
use soulbound_runtime::sandbox::{BoundSkill, Runtime};

static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A caller's own runtime, as a host would have one.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    tokio.block_on(future)
}

#[test]
fn an_agent_that_spins_on_every_thread_does_not_keep_another_from_being_served() {
    let _turn = turn();
    let probe = guest("probe");
    let bound = |id| bind_for(&RUNTIME, id, Path::new("/"), &probe, &["limit: time 20s"]).unwrap();
    let (busy, quick) = (bound("busy"), bound("quick"));
    block_on(async {
        let spinning: Vec<_> = (0..8)
            .map(|_| {
                let busy = busy.clone();
                tokio::spawn(async move { call(&busy, "spin", none()).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut times = Vec::new();
        for value in 0..200 {
            let started = Instant::now();
            assert_eq!(returned(&call(&quick, "echo-u32", json!({"value": value})).await), value);
            times.push(started.elapsed());
        }
        times.sort();
        let (median, longest) = (times[100], times[199]);
        assert!(
            median < Duration::from_millis(50),
            "half of the other agent's calls took {median:?} or more"
        );
        assert!(longest < Duration::from_secs(2), "{longest:?}");
        spinning.iter().for_each(tokio::task::JoinHandle::abort);
    });
}

/// A runtime in which an agent has one slot, so that a call that did not end is noticed by the next.
fn narrow() -> Runtime {
    let mut config = shared::config();
    config.slots = 2;
    Runtime::new(config).unwrap()
}

/// Starts a call, lets it get going, drops it, and sees the agent's only slot free again.
async fn is_ended_by_dropping(
    blocked: &BoundSkill,
    tool: &str,
    arguments: Value,
    next: (&BoundSkill, &str, Value),
) {
    {
        let call = std::pin::pin!(call(blocked, tool, arguments));
        let early = tokio::time::timeout(Duration::from_millis(500), call).await;
        assert!(early.is_err(), "{tool} ended by itself: {early:?}");
    }
    let started = Instant::now();
    let outcome = call(next.0, next.1, next.2).await;
    let took = started.elapsed();
    assert_ne!(denied(&outcome), "busy", "{tool} keeps its slot");
    assert!(took < Duration::from_secs(1), "after dropping {tool} the slot was free after {took:?} only");
}

#[test]
fn dropping_a_call_ends_a_guest_that_computes_sleeps_or_waits() {
    let _turn = turn();
    let runtime = narrow();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    // It takes connections and never answers.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            held.push(stream);
        }
    });
    let probe = bind_for(&runtime, "echo", Path::new("/"), &guest("probe"), &["limit: time 25s"]).unwrap();
    let hosts = format!("hosts: {origin}");
    let lines = [hosts.as_str(), "limit: time 25s"];
    let web = bind_for(&runtime, "echo", Path::new("/"), &guest("probe-web"), &lines).unwrap();
    let next = || (&probe, "echo-u32", json!({"value": 1}));
    let request = json!({"method": "GET", "url": origin, "headers": [], "body": null});
    block_on(async {
        is_ended_by_dropping(&probe, "spin", none(), next()).await;
        is_ended_by_dropping(&probe, "sleep", json!({"milliseconds": 3_600_000}), next()).await;
        is_ended_by_dropping(&web, "request", request, next()).await;
        is_ended_by_dropping(&probe, "progress-flood", json!({"count": u64::MAX.to_string()}), next()).await;
    });
}

#[test]
fn two_calls_of_one_agent_wait_for_the_only_slot_and_are_told_when_it_stays_taken() {
    let _turn = turn();
    let runtime = narrow();
    let slow = bind_for(&runtime, "echo", Path::new("/"), &guest("probe"), &["limit: time 2s"]).unwrap();
    let hasty = bind_for(&runtime, "echo", Path::new("/"), &guest("probe"), &["limit: time 500ms"]).unwrap();
    block_on(async {
        let first = tokio::spawn(async move { call(&slow, "spin", none()).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(denied(&call(&hasty, "nothing", none()).await), "busy");
        assert_eq!(denied(&first.await.unwrap()), "limit.time");
        assert!(call(&hasty, "nothing", none()).await.succeeded());
    });
}

/// Resident bytes, open descriptors, and the runtime's own threads (the test harness has its own).
fn held() -> (u64, usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10;
    let threads = std::fs::read_dir("/proc/self/task").unwrap().filter(|task| {
        let name = std::fs::read_to_string(task.as_ref().unwrap().path().join("comm")).unwrap_or_default();
        name.starts_with("soulbound")
    });
    (resident, std::fs::read_dir("/proc/self/fd").unwrap().count(), threads.count())
}

fn does_not_grow(what: &str, calls: u32, one: impl Fn(&BoundSkill) -> (&'static str, Value)) {
    let _turn = turn();
    let place = shared::folder();
    std::fs::create_dir(place.path().join("docs")).unwrap();
    std::fs::write(place.path().join("docs/x"), "x").unwrap();
    let lines = ["read: ./docs", "limit: time 5s"];
    let bound = bind_for(&RUNTIME, "echo", place.path(), &guest("probe"), &lines).unwrap();
    block_on(async {
        let run = async |count: u32| {
            for _ in 0..count {
                let (tool, arguments) = one(&bound);
                drop(call(&bound, tool, arguments).await);
            }
        };
        run(300).await;
        let (resident, descriptors, threads) = held();
        run(calls).await;
        let after = held();
        assert_eq!((after.1, after.2), (descriptors, threads), "{what}: descriptors, threads");
        let drift = after.0.saturating_sub(resident);
        assert!(drift < 5 << 20, "{what}: {} KiB more are resident", drift >> 10);
    });
}

#[test]
fn two_thousand_calls_leave_nothing_behind() {
    does_not_grow("calls", 2_000, |_| ("read", json!({"path": "/docs/x"})));
}

#[test]
fn a_thousand_traps_leave_nothing_behind() {
    does_not_grow("traps", 1_000, |_| ("panic", json!({"message": "x"})));
}

#[test]
fn three_hundred_refused_and_hoarding_calls_leave_nothing_behind() {
    does_not_grow("open files", 300, |_| ("open-many", json!({"path": "/docs/x", "count": 100_000})));
}

#[test]
fn calls_need_no_runtime_of_the_caller_s() {
    let _turn = turn();
    let probe = bind(&guest("probe"), &[]).unwrap();
    let plain = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(
        plain.block_on(async { returned(&call(&probe, "sleep", json!({"milliseconds": 5})).await) }),
        Value::Null
    );
}

//! Guests that use up what they can: each call ends with its own id, in bounded time and memory, and the next works.
//!
//! The classes are those of `tests/corpora/exhaust.json`; its components in text run in `runtime/tests`.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use soulbound_tests::{Agent, Ended};

/// What the program itself may have resident, beyond the guest's own memory: its code, the engine, the compile cache.
const PROGRAM: u64 = 96 << 20;

fn probe(limits: &str) -> Agent {
    let skills = format!("- probe: Try\n  - read: ./docs\n  - write: ./ws\n  - limit: {limits}");
    Agent::new(&skills).guest("probe").file("docs/x", "x").directory("ws")
}

/// The call ended with this denial, soon enough and small enough, and the next call works.
fn ends_with(agent: &Agent, ended: &Ended, id: &str) {
    assert_eq!(ended.denial(), id);
    bounded(ended);
    assert_eq!(agent.call("probe", "echo-u32", &["value=1"]).result(), 1, "after {id}");
}

fn bounded(ended: &Ended) {
    assert!(ended.peak < PROGRAM, "{} MiB were resident", ended.peak >> 20);
    assert!(ended.took < Duration::from_secs(10), "it took {:?}", ended.took);
}

#[test]
fn computing_sleeping_and_flooding_end_with_the_time() {
    let agent = probe("time 1s");
    for (tool, arguments) in [
        ("spin", &[][..]),
        ("sleep", &["milliseconds=3600000"]),
        ("sleep", &["milliseconds=18446744073709551615"]),
        ("print", &["bytes=1000000000000", "to=out"]),
        ("print", &["bytes=1000000000000", "to=err"]),
        ("print-singly", &["count=4000000000"]),
        ("log-flood", &["count=4000000000"]),
        ("progress-flood", &["count=18446744073709551615"]),
    ] {
        let ended = agent.call("probe", tool, arguments);
        ends_with(&agent, &ended, "limit.time");
        let duration = ended.json()["duration_us"].as_u64().unwrap();
        assert!((1_000_000..1_500_000).contains(&duration), "{tool}: {duration} µs for a limit of 1 s");
    }
}

#[test]
fn recursion_ends_with_the_stack() {
    let agent = probe("time 5s");
    ends_with(&agent, &agent.call("probe", "recurse", &[]), "limit.stack");
    // Its stack in linear memory is its own affair: running over it is a crash.
    ends_with(&agent, &agent.call("probe", "recurse-large", &[]), "guest.trap");
}

#[test]
fn memory_is_refused_and_whoever_insists_ends() {
    let agent = probe("memory 32MiB");
    assert_eq!(agent.call("probe", "grow", &["mib=64"]).result(), Value::Null);
    assert_eq!(agent.call("probe", "grow", &["mib=4294967295"]).result(), Value::Null);
    assert!(agent.call("probe", "grow", &["mib=16"]).result().as_u64().is_some());
    let ended = agent.call("probe", "alloc-touch", &["mib=1000"]);
    ends_with(&agent, &ended, "limit.memory");
    assert!(ended.json()["memory_peak_bytes"].as_u64().unwrap() <= 32 << 20);
}

#[test]
fn random_bytes_by_the_gigabyte_are_never_made() {
    let agent = probe("time 5s");
    for tool in ["random", "insecure-random"] {
        for bytes in [1_u64 << 30, 1 << 40, u64::MAX] {
            ends_with(&agent, &agent.call("probe", tool, &[&format!("bytes={bytes}")]), "limit.random");
        }
        assert_eq!(agent.call("probe", tool, &["bytes=65536"]).result(), 65_536);
    }
}

#[test]
fn handles_and_open_files_are_few() {
    let agent = probe("time 10s");
    ends_with(&agent, &agent.call("probe", "handles", &["count=1000000"]), "limit.handles");
    ends_with(&agent, &agent.call("probe", "open-many", &["path=/docs/x", "count=100000"]), "limit.handles");
    assert_eq!(agent.call("probe", "open-many", &["path=/docs/x", "count=100"]).result(), 100);
}

#[test]
fn one_poll_of_a_million_names_is_bounded() {
    let agent = probe("time 2s, memory 64MiB");
    let ended = agent.call("probe", "poll-many", &["count=1000000"]);
    bounded(&ended);
    ended.ends(1);
    assert!(ended.denial().starts_with("limit."), "{ended:?}");
    assert_eq!(agent.call("probe", "poll-many", &["count=10"]).result(), Value::Null);
}

#[test]
fn what_is_printed_beyond_the_log_is_dropped_and_said() {
    let agent = probe("time 10s, memory 200MiB");
    for (tool, arguments) in [
        ("print", &["bytes=50000000", "to=out"][..]),
        ("print", &["bytes=50000000", "to=err"]),
        ("print-lines", &["count=100000"]),
        ("log-flood", &["count=100000"]),
        ("print-singly", &["count=100000"]),
    ] {
        let ended = agent.call("probe", tool, arguments);
        assert_eq!(ended.result(), Value::Null, "{tool}");
        assert_eq!(ended.denials(), ["limit.log"], "{tool}");
        bounded(&ended);
        assert!(ended.json()["log_dropped_bytes"].as_u64().unwrap() > 0);
        let log: usize =
            ended.json()["log"].as_array().unwrap().iter().map(|line| line.to_string().len()).sum();
        assert!(log < 512 << 10, "{tool}: a log of {log} bytes");
    }
}

#[test]
fn one_huge_line_of_log_is_cut() {
    let agent = probe("time 10s");
    let text = "y".repeat(1 << 20);
    let ended = agent.call_json("probe", "log-text", &json!({"text": text}));
    assert_eq!(ended.result(), Value::Null);
    assert_eq!(ended.denials(), ["limit.log"]);
    assert!(ended.json()["log"][0]["text"].as_str().unwrap().len() <= 4_096);
}

#[test]
fn results_beyond_the_output_limit_are_refused() {
    let agent = probe("output 64KiB");
    assert_eq!(agent.call("probe", "big-result", &["bytes=60000"]).result().as_str().unwrap().len(), 60_000);
    for bytes in ["bytes=70000", "bytes=3000000", "bytes=100000000"] {
        let ended = agent.call("probe", "big-result", &[bytes]);
        assert_eq!(ended.denial(), "limit.output");
        assert!(ended.stdout.len() < 8_192, "{bytes}");
    }
    // Escaped, it would be larger than the limit: what counts is what is handed on.
    let list = agent.call("probe", "big-list", &["count=100000"]);
    assert_eq!(list.denial(), "limit.output");
    assert_eq!(agent.call("probe", "nothing", &[]).result(), Value::Null);
}

#[test]
fn ending_the_program_ends_the_call_alone() {
    let agent = probe("time 5s");
    for code in ["code=0", "code=1", "code=255"] {
        ends_with(&agent, &agent.call("probe", "exit", &[code]), "guest.exit");
    }
    ends_with(&agent, &agent.call("probe", "panic", &["message=x"]), "guest.trap");
}

#[test]
fn a_disk_is_filled_up_to_the_quota_and_no_further() {
    let agent = probe("disk 1MiB, time 10s");
    let ended = agent.call("probe", "fill", &["path=/ws/big", "bytes=100000000"]);
    let written = ended.result().as_u64().unwrap();
    assert!(written <= 1 << 20, "{written}");
    assert_eq!(ended.denials(), ["path.quota"]);
    assert!(fs::metadata(agent.path("ws/big")).unwrap().len() <= 1 << 20);
    bounded(&ended);
}

#[test]
fn a_file_s_size_is_written_bytes_too() {
    let agent = probe("disk 1MiB").file("ws/f", "x");
    for bytes in [2 << 20, 1 << 40, i64::MAX as u64, u64::MAX >> 1] {
        let ended = agent.call("probe", "set-size", &["path=/ws/f", &format!("bytes={bytes}")]);
        ended.ends(1);
        assert_eq!(ended.denials(), ["path.quota"], "{bytes}");
        assert_eq!(fs::metadata(agent.path("ws/f")).unwrap().len(), 1, "{bytes}");
    }
    agent.call("probe", "set-size", &["path=/ws/f", "bytes=1000"]).ends(0);
}

#[test]
fn empty_files_do_not_come_without_end() {
    let agent = probe("disk 1MiB, time 5s");
    let ended = agent.call("probe", "make-many", &["path=/ws", "count=10000000"]);
    bounded(&ended);
    let made = fs::read_dir(agent.path("ws")).unwrap().count();
    assert!(made <= 20_000, "{made} files under a quota of 1 MiB, ended by {:?}", ended.json()["denial"]);
}

#[test]
fn hostile_arguments_are_refused_before_they_reach_the_guest() {
    let agent = probe("time 5s");
    let deep = format!("{{\"value\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"value\": \"{}\"}}", "x".repeat(100 << 20));
    let cases = [
        (deep.as_str(), "echo-list"),
        (&large, "echo-string"),
        ("{\"value\": 1, \"value\": 2}", "echo-u32"),
        ("{\"value\": 1, \"v\\u0061lue\": 2}", "echo-u32"),
        ("{\"value\": NaN}", "echo-f64"),
        ("{\"value\": 1e400}", "echo-f64"),
        ("{\"value\": -0.5}", "echo-u32"),
        ("{\"value\": 4294967296}", "echo-u32"),
        ("{\"value\": 1.5}", "echo-u64"),
        ("{\"value\": 9007199254740993.0}", "echo-u64"),
        ("{\"value\": 18446744073709551616}", "echo-u64"),
        ("{\"value\": \"\\ud800\"}", "echo-string"),
        ("{\"value\": 1} {\"value\": 2}", "echo-u32"),
        ("\u{feff}{\"value\": 1}", "echo-u32"),
    ];
    for (text, tool) in cases {
        let program = agent.program().words(&["call", "--json", "./SOUL.md", "probe", tool, "-"]);
        let ended = program.input(text).run();
        ended.ends(2);
        assert_eq!(ended.json()["error"]["kind"], "arguments", "{:.60}", text);
        assert!(ended.peak < 400 << 20, "{:.40}: {} MiB", text, ended.peak >> 20);
    }
}

#[test]
fn numbers_keep_their_value_or_are_refused() {
    let agent = probe("time 5s");
    let exact = (1_u64 << 53) + 1;
    for value in [json!(exact), json!(exact.to_string())] {
        let ended = agent.call_json("probe", "echo-u64", &json!({"value": value}));
        assert_eq!(ended.result(), json!(exact.to_string()), "beyond 2^53 it is told as text");
    }
    assert_eq!(agent.call_json("probe", "echo-u64", &json!({"value": 7})).result(), 7);
    for odd in ["NaN", "Infinity", "-Infinity"] {
        assert_eq!(agent.call_json("probe", "echo-f64", &json!({"value": odd})).result(), odd);
    }
    assert_eq!(agent.call("probe", "odd-floats", &[]).result(), json!(["NaN", "Infinity", "-Infinity"]));
    let largest = json!([u64::MAX.to_string(), i64::MIN.to_string()]);
    assert_eq!(agent.call("probe", "large-numbers", &[]).result(), largest);
}

#[test]
fn a_huge_file_is_read_in_pieces_or_not_at_all() {
    let agent = probe("time 5s, memory 64MiB");
    let file = fs::File::create(agent.path("docs/huge")).unwrap();
    file.set_len(1 << 30).unwrap();
    let ended = agent.call("probe", "read", &["path=/docs/huge"]);
    ended.ends(1);
    assert!(ended.peak < PROGRAM + (64 << 20), "{} MiB", ended.peak >> 20);
    let reader = Agent::new("- file-reader: Read\n  - read: ./docs").directory("docs");
    fs::File::create(reader.path("docs/huge")).unwrap().set_len(1 << 30).unwrap();
    reader.call("file-reader", "read", &["path=/docs/huge", "length=1000"]).ends(0);
}

/// Like every other folder of the state.
#[test]
fn the_folder_of_kept_budgets_is_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let agent = Agent::new("- probe: Try\n  - read: ./docs\n  - limit: rate 5/minute")
        .guest("probe")
        .file("docs/a", "a");
    agent.call("probe", "read", &["path=/docs/a"]).ends(0);
    let folder = std::fs::metadata(agent.state().join("budgets")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
}

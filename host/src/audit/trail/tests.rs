//! A trail is written, closed, broken by hand, and opened again.

mod corpus;
mod figures;
mod full;
mod killed;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, json};
use soulbound_runtime::DenialId;

use super::*;
use crate::audit::Decision;
use crate::audit::book::{Audit, Book, agent_folder};
use crate::audit::heartbeat::Header;
use crate::audit::hex::Hex;
use crate::audit::opening::Opening;
use crate::audit::rotation;

/// A state folder for one test.
pub(in crate::audit) struct Place {
    folder: tempfile::TempDir,
    options: Options,
}

impl Place {
    pub(in crate::audit) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(in crate::audit) fn with(options: Options) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), options }
    }

    pub(in crate::audit) fn state(&self) -> &Path {
        self.folder.path()
    }

    pub(in crate::audit) fn echo(&self) -> PathBuf {
        agent_folder(self.state(), "echo")
    }

    pub(in crate::audit) fn file(&self) -> PathBuf {
        self.echo().join("audit.jsonl")
    }

    pub(in crate::audit) fn audit(&self) -> Audit {
        Audit::open(self.state(), self.options).unwrap()
    }

    pub(in crate::audit) fn open(&self) -> (Book, Opening) {
        let header = Header { name: "Echo".to_owned(), role: Some("Content Writer".to_owned()) };
        self.audit().book("echo", header).unwrap()
    }

    pub(in crate::audit) fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.file()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(in crate::audit) fn events(&self) -> Vec<String> {
        self.records().iter().map(|record| record["event"].as_str().unwrap().to_owned()).collect()
    }
}

pub(in crate::audit) fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(in crate::audit) fn arguments(text: &str) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("path".to_owned(), text.into());
    arguments
}

pub(in crate::audit) fn entry<'a>(arguments: &'a Map<String, Value>) -> CallEntry<'a> {
    CallEntry {
        skill: "file-reader",
        tool: "read",
        digest: None,
        soul: None,
        narrowed_by: None,
        policy: None,
        arguments,
        who: "mcp-http",
        approval: None,
    }
}

/// One call that returned a value.
pub(in crate::audit) fn call(book: &Book) -> u64 {
    let arguments = arguments("/docs/policy.md");
    let intent = now(book.intend(&entry(&arguments))).unwrap();
    let call = intent.call();
    let result = Value::from("text");
    let outcome = OutcomeEntry { result: Some(&result), ..OutcomeEntry::without_result(Decision::Allowed) };
    now(book.conclude(intent, &outcome)).unwrap();
    call
}

/// That many of them.
pub(in crate::audit) fn calls(book: &Book, count: usize) {
    for _ in 0..count {
        call(book);
    }
}

#[test]
fn an_intent_stands_in_the_file_before_the_call_runs_and_its_outcome_after() {
    let place = Place::new();
    let (book, opening) = place.open();
    assert_eq!(opening, Opening::default());
    let arguments = arguments("/docs/policy.md");
    let intent = now(book.intend(&entry(&arguments))).unwrap();
    assert_eq!(intent.name(), "echo#2");
    assert_eq!(place.events(), ["began", "intent"]);
    now(book.conclude(intent, &OutcomeEntry::without_result(Decision::Allowed))).unwrap();
    let records = place.records();
    assert_eq!(records[2]["call"], 2);
    assert_eq!(records[2]["prev"], records[1]["hash"]);
    assert_eq!(records[0]["prev"], Hex::ZERO.as_str());
}

#[test]
fn a_dropped_intent_is_recorded_as_lost_at_once() {
    let place = Place::new();
    let (book, _) = place.open();
    drop(now(book.intend(&entry(&arguments("x")))).unwrap());
    let records = place.records();
    assert_eq!(
        (records[2]["event"].as_str(), records[2]["decision"].as_str()),
        (Some("outcome"), Some("lost"))
    );
}

#[test]
fn calls_of_a_killed_gateway_are_closed_as_interrupted() {
    let place = Place::new();
    let (book, _) = place.open();
    let intent = now(book.intend(&entry(&arguments("x")))).unwrap();
    // As a kill would leave it: no drop runs.
    std::mem::forget(intent);
    std::mem::forget(book);
    let (book, opening) = place.open();
    assert_eq!(opening.interrupted, [2]);
    let last = place.records().pop().unwrap();
    assert_eq!((last["decision"].as_str(), last["call"].as_u64()), (Some("interrupted"), Some(2)));
    drop(book);
    assert_eq!(place.open().1, Opening::default());
}

#[test]
fn a_torn_last_line_is_repaired_and_said() {
    let place = Place::new();
    let (book, _) = place.open();
    call(&book);
    drop(book);
    let whole = fs::read(place.file()).unwrap();
    let (tip, signed) = (place.echo().join("audit.tip"), place.echo().join("audit.tip.sig"));
    // The tip as it was before the last record: the process died within the write.
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let slots = fs::read(&tip).unwrap();
    let newest = if slots[7] > slots[128 + 7] { 0 } else { 128 };
    for cut in last + 1..whole.len() {
        fs::write(place.file(), &whole[..cut]).unwrap();
        let mut before = slots.clone();
        before[newest..newest + 80].fill(0);
        fs::write(&tip, before).unwrap();
        let _ = fs::remove_file(&signed);
        let (book, opening) = place.open();
        assert_eq!(opening.repaired.unwrap().bytes as usize, cut - last, "cut at {cut}");
        assert_eq!((opening.discontinuity, opening.interrupted.as_slice()), (None, [2].as_slice()));
        drop(book);
        let events = place.events();
        assert_eq!(events, ["began", "intent", "repaired", "outcome"]);
        assert_eq!(place.open().1, Opening::default(), "cut at {cut}");
    }
}

#[test]
fn a_cut_or_changed_trail_is_a_discontinuity_for_ever() {
    let changes: [fn(&Path, &[u8]); 5] = [
        |file, whole| {
            let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
            fs::write(file, &whole[..last]).unwrap();
        },
        |file, _| fs::write(file, "").unwrap(),
        |file, _| fs::remove_file(file).unwrap(),
        |file, _| fs::remove_file(file.with_file_name("audit.tip")).unwrap(),
        |file, whole| {
            // A forged record, without the key.
            let text = String::from_utf8(whole.to_vec()).unwrap();
            let last = text.lines().last().unwrap().replace("\"seq\":3", "\"seq\":4");
            fs::write(file, format!("{text}{last}\n")).unwrap();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let place = Place::new();
        let (book, _) = place.open();
        call(&book);
        drop(book);
        change(&place.file(), &fs::read(place.file()).unwrap());
        let (book, opening) = place.open();
        assert!(opening.discontinuity.is_some(), "change {number}");
        assert!(opening.warnings("echo")[0].contains("WAS CHANGED"));
        call(&book);
        drop(book);
        assert!(place.events().contains(&"discontinuity".to_owned()), "change {number}");
        assert_eq!(place.open().1, Opening::default(), "change {number}: said once");
    }
}

#[test]
fn while_the_disk_takes_nothing_no_call_begins_and_what_ended_is_written_later() {
    let place = Place::new();
    let (book, _) = place.open();
    let running = now(book.intend(&entry(&arguments("x")))).unwrap();
    book.trail().shared().lock().log.faults.write = Some(7);
    assert!(matches!(now(book.intend(&entry(&arguments("y")))), Err(AuditError::Unavailable { .. })));
    assert!(now(book.conclude(running, &OutcomeEntry::without_result(Decision::Allowed))).is_err());
    assert!(book.note(Event::AgentDisabled, "operator", &Value::Null).is_err());
    assert_eq!(place.events(), ["began", "intent"], "nothing half-written stays");
    book.trail().shared().lock().log.faults.write = None;
    call(&book);
    let expected = ["began", "intent", "outcome", "agent.disabled", "recovered", "intent", "outcome"];
    assert_eq!(place.events(), expected);
}

#[test]
fn on_a_full_disk_the_reserve_takes_outcomes_and_the_stop_and_no_new_call() {
    let place = Place::new();
    let (book, _) = place.open();
    let running = now(book.intend(&entry(&arguments("x")))).unwrap();
    book.trail().shared().lock().log.faults.reserve = true;
    let refused = now(book.intend(&entry(&arguments("y")))).unwrap_err();
    assert!(refused.to_string().contains("no room beyond the reserve"), "{refused}");
    now(book.conclude(running, &OutcomeEntry::without_result(Decision::Allowed))).unwrap();
    book.note(Event::AgentDisabled, "operator", &Value::Null).unwrap();
    assert_eq!(place.events(), ["began", "intent", "outcome", "agent.disabled"]);
    book.trail().shared().lock().log.faults.reserve = false;
    call(&book);
}

#[test]
fn what_killed_processes_left_is_taken_away_and_room_is_given_back() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let (book, _) = place.open();
    call(&book);
    let blocks = || fs::metadata(place.file()).unwrap().blocks() * 512;
    assert!(blocks() >= crate::audit::reserve::LEAST);
    for name in [".HEARTBEAT.md.4711.new", ".audit.tip.sig.4711.new", ".mine.4711.new"] {
        fs::write(place.echo().join(name), "half").unwrap();
    }
    drop(book);
    drop(place.open());
    let left: Vec<_> = fs::read_dir(place.echo()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let new: Vec<_> =
        left.iter().filter_map(|name| name.to_str()).filter(|name| name.ends_with(".new")).collect();
    assert_eq!(new, [".mine.4711.new"]);
    println!("{} bytes on the disk when closed", blocks());
}

#[test]
fn a_refused_call_is_one_record_with_its_denial() {
    let place = Place::new();
    let (book, _) = place.open();
    let denial = Denial::new(DenialId::SkillNotListed, "skill `x` is not listed");
    let seq = now(book.refuse(&entry(&arguments("x")), &OutcomeEntry::of_denial(&denial))).unwrap();
    let record = place.records().pop().unwrap();
    assert_eq!(record["seq"], seq);
    assert_eq!(record["denial"], json!({"id": "skill.not-listed", "message": "skill `x` is not listed"}));
    assert_eq!(record["decision"], "denied");
}

#[test]
fn concurrent_calls_make_one_chain() {
    let place = Place::new();
    let (book, _) = place.open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| calls(&book, 50));
        }
    });
    assert_eq!(book.tip().seq, 1 + 8 * 50 * 2);
    drop(book);
    let records = place.records();
    for pair in records.windows(2) {
        assert_eq!(pair[1]["prev"], pair[0]["hash"]);
    }
    assert_eq!(place.open().1, Opening::default());
}

#[test]
fn with_power_a_call_is_acknowledged_when_the_disk_has_it() {
    let place = Place::with(Options { durability: Durability::Power, ..Options::default() });
    let (book, _) = place.open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| calls(&book, 5));
        }
    });
    assert_eq!(book.tip().seq, 81);
}

#[test]
fn a_full_file_is_followed_by_another_and_killed_in_between_it_goes_on() {
    let place = Place::with(Options { rotate: 4_000, ..Options::default() });
    let (book, _) = place.open();
    let open = now(book.intend(&entry(&arguments("x")))).unwrap();
    calls(&book, 20);
    std::mem::forget(open);
    std::mem::forget(book);
    let segments = rotation::segments(&place.echo()).unwrap();
    assert!(segments.len() > 2, "{segments:?}");
    // Killed between the two renames: the last file is a segment already, and the next is not there yet.
    let first = place.records()[0]["seq"].as_u64().unwrap();
    fs::rename(place.file(), place.echo().join(rotation::segment_name(first))).unwrap();
    let (book, opening) = place.open();
    assert_eq!((opening.discontinuity, opening.repaired), (None, None));
    assert_eq!(opening.interrupted, [2], "the open call was carried from file to file");
    assert_eq!(place.events(), ["rotated", "outcome"]);
    call(&book);
    drop(book);
    assert_eq!(place.open().1, Opening::default());
}

#[test]
fn a_record_that_nobody_would_read_again_is_refused_and_the_trail_goes_on() {
    let place = Place::new();
    let (book, _) = place.open();
    let arguments = arguments("x");
    let intent = now(book.intend(&entry(&arguments))).unwrap();
    let access = |bytes: usize| soulbound_runtime::sandbox::Access {
        kind: soulbound_runtime::sandbox::AccessKind::File,
        target: "x".repeat(bytes),
        access: "create".to_owned(),
        decision: soulbound_runtime::sandbox::Decision::Allowed,
        denial: None,
        failed: None,
    };
    now(book.effect(intent.call(), "file-reader", &[access(2 << 20)], None)).unwrap_err();
    now(book.effect(intent.call(), "file-reader", &[access(100)], None)).unwrap();
    now(book.conclude(intent, &OutcomeEntry::without_result(Decision::Allowed))).unwrap();
    drop(book);
    assert_eq!(place.events(), ["began", "intent", "recovered", "effect", "outcome"]);
    let (book, opening) = place.open();
    assert_eq!(opening, Opening::default(), "nothing is torn, changed or missing");
    call(&book);
}

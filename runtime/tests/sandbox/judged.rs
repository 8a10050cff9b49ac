//! Real guests whose effects are judged complete: what is on disk and on the wire is what the overseer saw, or nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{BoundSkill, Effect, FileChange, Outcome};
use tempfile::TempDir;

use crate::judge::Swift;
use crate::shared::{RUNTIME, bind_for, call_watched, denied, folder, guest, returned};

const CAP: Option<u64> = Some(1 << 20);

fn probe() -> (TempDir, BoundSkill) {
    let folder = folder();
    fs::create_dir(folder.path().join("ws")).unwrap();
    let lines = ["write: ./ws", "limit: time 500ms"];
    let bound = bind_for(&RUNTIME, "judged", folder.path(), &guest("probe"), &lines).unwrap();
    (folder, bound)
}

fn content(effect: &Effect) -> (FileChange, String, Option<String>) {
    match effect {
        Effect::Change { change, path, content, .. } => {
            let text = content.as_ref().map(|content| String::from_utf8(content.0.to_vec()).unwrap());
            (*change, path.clone(), text)
        }
        other => panic!("{other:?}"),
    }
}

async fn try_it(probe: &BoundSkill, refuse: bool, tool: &str, arguments: Value) -> (Outcome, Arc<Swift>) {
    let overseer = Swift::new(CAP, refuse);
    (call_watched(probe, tool, arguments, overseer.clone()).await, overseer)
}

#[tokio::test]
async fn a_file_is_judged_with_its_whole_content_and_written_after_that() {
    let (folder, probe) = probe();
    let (outcome, overseer) =
        try_it(&probe, false, "write", json!({"path": "/ws/new", "text": "hello"})).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_eq!(fs::read_to_string(folder.path().join("ws/new")).unwrap(), "hello");
    let (outcome, more) = try_it(&probe, false, "append", json!({"path": "/ws/new", "text": "!"})).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let effects: Vec<_> =
        [&overseer, &more].iter().flat_map(|one| one.effects.lock().unwrap().clone()).collect();
    assert_eq!(
        effects.iter().map(content).collect::<Vec<_>>(),
        [
            (FileChange::Create, "/ws/new".to_owned(), Some("hello".to_owned())),
            (FileChange::Write, "/ws/new".to_owned(), Some("hello!".to_owned())),
        ]
    );
}

#[tokio::test]
async fn a_write_that_was_refused_after_the_last_close_is_the_outcome_and_the_result_is_withheld() {
    let (folder, probe) = probe();
    fs::write(folder.path().join("ws/old"), "before").unwrap();
    for path in ["/ws/new", "/ws/old"] {
        let (outcome, overseer) = try_it(&probe, true, "write", json!({"path": path, "text": "after"})).await;
        assert_eq!(denied(&outcome), "approval.denied");
        assert!(!outcome.succeeded());
        assert_eq!(overseer.effects.lock().unwrap().len(), 1);
    }
    assert_eq!(fs::read_to_string(folder.path().join("ws/old")).unwrap(), "before");
    assert!(!folder.path().join("ws/new").exists());
}

#[tokio::test]
async fn a_copy_that_was_refused_is_not_followed_by_the_deletion_of_the_original() {
    let (folder, probe) = probe();
    fs::write(folder.path().join("ws/original"), "dear").unwrap();
    let arguments = json!({"source": "/ws/original", "destination": "/ws/copy"});
    let (outcome, overseer) = try_it(&probe, true, "copy-and-remove", arguments.clone()).await;
    assert_eq!(denied(&outcome), "approval.denied");
    assert_eq!(overseer.effects.lock().unwrap().len(), 1, "the deletion is not even asked for");
    assert_eq!(fs::read_to_string(folder.path().join("ws/original")).unwrap(), "dear");
    let (outcome, _) = try_it(&probe, false, "copy-and-remove", arguments).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_eq!(fs::read_to_string(folder.path().join("ws/copy")).unwrap(), "dear");
}

#[tokio::test]
async fn what_is_left_open_counts_if_the_tool_returns_and_only_then() {
    let (folder, probe) = probe();
    let path = folder.path().join("ws/new");
    for (ends, id) in [("panics", "guest.trap"), ("spins", "limit.time")] {
        let arguments = json!({"path": "/ws/new", "text": "x", "ends": ends});
        let (outcome, overseer) = try_it(&probe, false, "leave-open", arguments).await;
        assert_eq!(denied(&outcome), id);
        assert!(overseer.effects.lock().unwrap().is_empty(), "a call that {ends}");
        assert!(!path.exists());
    }
    let arguments = json!({"path": "/ws/new", "text": "x", "ends": "returns"});
    let (outcome, _) = try_it(&probe, true, "leave-open", arguments.clone()).await;
    assert_eq!(denied(&outcome), "approval.denied");
    assert!(!path.exists());
    let (outcome, _) = try_it(&probe, false, "leave-open", arguments).await;
    assert_eq!(returned(&outcome), "written");
    assert_eq!(fs::read_to_string(path).unwrap(), "x");
}

#[tokio::test]
async fn a_file_that_is_too_large_to_be_judged_is_not_written() {
    let (folder, probe) = probe();
    let (outcome, overseer) =
        try_it(&probe, false, "fill", json!({"path": "/ws/large", "bytes": 2 << 20})).await;
    assert!(outcome.denials.iter().any(|denial| denial.id.as_str() == "effect.too-large"), "{outcome:?}");
    assert!(overseer.effects.lock().unwrap().is_empty());
    assert!(!folder.path().join("ws/large").exists());
}

#[tokio::test]
async fn a_body_that_its_guest_never_finishes_is_ended_by_the_clock_and_nobody_is_asked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let lines = [&format!("hosts: POST {url}"), "limit: time 500ms"];
    let web = bind_for(&RUNTIME, "judged", Path::new("/"), &guest("probe-web"), &lines).unwrap();
    let overseer = Swift::new(CAP, false);
    let arguments = json!({"url": url, "body": "half of it"});
    let outcome = call_watched(&web, "unfinished", arguments, overseer.clone()).await;
    assert_eq!(denied(&outcome), "limit.time");
    assert!(overseer.effects.lock().unwrap().is_empty());
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing was sent");
}

/// Two skills on folders of their own: one is held back, one is not.
static PAIR: LazyLock<[(TempDir, BoundSkill); 2]> = LazyLock::new(|| [probe(), probe()]);

fn step() -> impl Strategy<Value = Value> {
    let verb = prop::sample::select(vec![
        "open",
        "open",
        "open-empty",
        "close",
        "write",
        "write",
        "stream",
        "append",
        "resize",
        "read",
        "sync",
        "unlink",
        "rename",
    ]);
    let name = || prop::sample::select(vec!["ws/a", "ws/b", "ws/c"]);
    (verb, 0..3_u32, name(), name(), "[a-z]{1,5}", 0..12_u64).prop_map(
        |(verb, at, path, to, text, number)| {
            let text = if verb == "rename" { to.to_owned() } else { text };
            json!({"verb": verb, "at": at, "path": path, "text": text, "number": number})
        },
    )
}

fn files(folder: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.path().join("ws")).unwrap();
    let read = |entry: fs::DirEntry| {
        let content = fs::read(entry.path()).unwrap();
        fs::remove_file(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), content)
    };
    entries.map(|entry| read(entry.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_guest_whose_files_are_held_back_and_allowed_leaves_the_same_files(steps in prop::collection::vec(step(), 1..30)) {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let arguments = json!({"steps": steps});
        let run = |index: usize, inspect| {
            let (folder, probe) = &PAIR[index];
            fs::write(folder.path().join("ws/a"), "there before").unwrap();
            let overseer = Swift::new(inspect, false);
            let outcome = tokio.block_on(call_watched(probe, "file-plan", arguments.clone(), overseer.clone()));
            let effects = overseer.effects.lock().unwrap();
            let complete = effects.iter().all(|effect| inspect.is_none() || match effect {
                Effect::Change { change: FileChange::Create | FileChange::Write, content, .. } => content.is_some(),
                _ => true,
            });
            (returned(&outcome), files(folder), complete)
        };
        let (held_back, as_it_goes) = (run(0, CAP), run(1, None));
        prop_assert!(held_back.2);
        prop_assert_eq!(held_back, as_it_goes);
    }
}

//! The filesystem layer is a correct WASI: a program that knows only `std` gets the same answers inside the sandbox as
//! outside, and leaves the same files, whatever it does.
//!
//! What differs on purpose is not in the random plans:
//!
//! | inside | outside |
//! |---|---|
//! | names that begin with a dot are not there; the protected ones are not written | names like others |
//! | nothing leads above the grant | `..` goes up |
//! | nothing is made through a link that leads nowhere | what it names is made |
//! | links are neither made nor renamed, and lead nowhere outside; special files, hard links, files to execute are refused | as the system has it |
//! | a rename across two grants is another device | within one file system it is done |
//! | the granted directory itself stays: `ResourceBusy` | it is removed and renamed like others |
//! | sizes and counts end at limits: `limit.handles`, `path.quota` | at the machine's |

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use soulbound_runtime::sandbox::{BoundSkill, Ending, Overseer, Unattended};
use tempfile::TempDir;

use crate::judge::Swift;
use crate::shared::{RUNTIME, bind_for, call_watched, folder, guest};

#[path = "../../../tests/guests/probe-std/src/plan.rs"]
mod plan;

/// A folder with the granted `data` in it.
fn place() -> TempDir {
    let place = folder();
    fs::create_dir(place.path().join("data")).unwrap();
    place
}

/// What there is before a plan begins: a file, a folder that has something in it, links that stay inside. The folder itself
/// stays, since a bound skill holds it.
fn begin(data: &Path) {
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let directory = path.symlink_metadata().unwrap().is_dir();
        if directory { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    fs::create_dir_all(data.join("dir/sub")).unwrap();
    fs::write(data.join("a"), "alpha").unwrap();
    fs::write(data.join("dir/c"), "gamma").unwrap();
    for (text, name) in [("a", "link"), ("dir", "dirlink"), ("nowhere", "dangling")] {
        std::os::unix::fs::symlink(text, data.join(name)).unwrap();
    }
}

/// Everything below a directory: what it is, and what is in it.
fn tree(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory_of) = open.pop() {
        for entry in fs::read_dir(directory_of).unwrap() {
            let path = entry.unwrap().path();
            let known = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(directory).unwrap().display().to_string();
            let is = if known.is_symlink() {
                format!("leads to {}", fs::read_link(&path).unwrap().display())
            } else if known.is_dir() {
                open.push(path.clone());
                "directory".to_owned()
            } else {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = known.permissions().mode() & 0o777;
                format!("{mode:o} {}", fs::read(&path).unwrap().escape_ascii())
            };
            found.insert(name, is);
        }
    }
    found
}

/// Also the granted directory itself.
fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![19 => path(), 1 => prop::sample::select(vec!["", "/", "."]).prop_map(str::to_owned)]
}

/// Also what leads nowhere, for looking at it.
fn seen_path() -> impl Strategy<Value = String> {
    prop_oneof![9 => any_path(), 1 => prop::sample::select(vec!["dangling", "dangling/x"]).prop_map(str::to_owned)]
}

/// Where something may be made: not through a link that may lead nowhere by then.
fn place_path() -> impl Strategy<Value = String> {
    prop_oneof![19 => movable(), 1 => prop::sample::select(vec!["", "/", "."]).prop_map(str::to_owned)]
}

/// No link: guests rename none.
fn movable() -> impl Strategy<Value = String> {
    path().prop_filter("a link", |path| !path.trim_end_matches('/').ends_with("link"))
}

fn path() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "a",
        "b",
        "dir",
        "dir/a",
        "dir/c",
        "dir/sub",
        "dir/sub/d",
        "new",
        "new/e",
        "link",
    ]);
    let odd = prop::sample::select(vec![
        "a/",
        "dir/",
        "link/",
        "a/x",
        "./a",
        "dir/./c",
        "dir//c",
        "dir/sub/../c",
        "dir/../a",
        "none/../a",
        "dirlink",
        "dirlink/",
        "dirlink/c",
        "dirlink/../a",
        "none/x",
    ]);
    prop_oneof![3 => name, 1 => odd].prop_map(str::to_owned)
}

/// Whether two answers are the same. Of two faults in one step, systems tell one or the other.
fn same(step: &str, ours: &str, theirs: &str) -> bool {
    let either = |kinds: [&str; 2]| kinds.contains(&ours) && kinds.contains(&theirs);
    ours == theirs
        || step.starts_with("rename ") && either(["NotFound", "NotADirectory"])
        || step.starts_with("open ") && either(["AlreadyExists", "IsADirectory"])
        || step.starts_with("resize ") && either(["BadDescriptor", "InvalidInput"])
}

fn step() -> impl Strategy<Value = String> {
    let slot = || 0..plan::SLOTS;
    let text = "[a-z]{1,9}";
    let found =
        prop::sample::select(vec!["r", "w", "rw", "a", "ra", "wt", "rwt", "at", "rt", "rc", "wa", "t"]);
    let made = prop::sample::select(vec!["wc", "rwc", "wct", "rwct", "ac", "wn", "rwn", "an"]);
    prop_oneof![
        5 => (slot(), found, any_path()).prop_map(|(slot, how, path)| format!("open {slot} {how} {path}")),
        5 => (slot(), made, place_path()).prop_map(|(slot, how, path)| format!("open {slot} {how} {path}")),
        1 => slot().prop_map(|slot| format!("close {slot}")),
        6 => (slot(), text).prop_map(|(slot, text)| format!("write {slot} {text}")),
        4 => (slot(), 0..40_u64).prop_map(|(slot, count)| format!("read {slot} {count}")),
        2 => (slot(), 0..40_u64).prop_map(|(slot, to)| format!("seek {slot} start {to}")),
        2 => (slot(), -20..20_i64).prop_map(|(slot, by)| format!("seek {slot} current {by}")),
        2 => (slot(), -20..20_i64).prop_map(|(slot, by)| format!("seek {slot} end {by}")),
        3 => (slot(), 0..40_u64).prop_map(|(slot, size)| format!("resize {slot} {size}")),
        1 => slot().prop_map(|slot| format!("sync {slot}")),
        2 => (slot(), 1..900_000_000_u64).prop_map(|(slot, time)| format!("times {slot} {time}")),
        3 => slot().prop_map(|slot| format!("known {slot}")),
        4 => seen_path().prop_map(|path| format!("stat {path}")),
        2 => seen_path().prop_map(|path| format!("stat-link {path}")),
        3 => seen_path().prop_map(|path| format!("get {path}")),
        3 => (place_path(), text).prop_map(|(path, text)| format!("put {path} {text}")),
        2 => (path(), movable()).prop_map(|(from, to)| format!("copy {from} {to}")),
        5 => (movable(), movable()).prop_map(|(from, to)| format!("rename {from} {to}")),
        2 => path().prop_map(|path| format!("remove {path}")),
        2 => any_path().prop_map(|path| format!("mkdir {path}")),
        1 => path().prop_map(|path| format!("mkdir-all {path}")),
        1 => path().prop_map(|path| format!("rmdir {path}")),
        1 => path().prop_map(|path| format!("remove-all {path}")),
        3 => seen_path().prop_map(|path| format!("list {path}")),
    ]
}

/// Where plans are taken: a skill with the granted `data`, and a folder of the same name outside.
struct Twins {
    runtime: tokio::runtime::Runtime,
    skill: BoundSkill,
    inside: TempDir,
    outside: TempDir,
}

impl Twins {
    fn new() -> Self {
        let (inside, outside) = (place(), place());
        let skill =
            bind_for(&RUNTIME, "echo", inside.path(), &guest("probe-std"), &["write: ./data"]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, skill, inside, outside }
    }

    /// Takes a plan from the beginning: the answers inside and outside.
    fn take(&self, steps: &[String], overseer: Arc<dyn Overseer>) -> (Vec<String>, Vec<String>) {
        let outside = self.outside.path().join("data");
        begin(&self.inside.path().join("data"));
        begin(&outside);
        let natively = plan::take(&outside, steps);
        let arguments = json!({"below": "/data", "plan": steps});
        let outcome = self.runtime.block_on(call_watched(&self.skill, "take", arguments, overseer));
        let Ending::Returned(answers) = &outcome.ending else { panic!("{outcome:?}") };
        let answers: Vec<String> = serde_json::from_value(answers.clone()).unwrap();
        assert_eq!(answers.len(), natively.len());
        (answers, natively)
    }
}

/// Takes random plans and compares.
fn plans(cases: u32, step: impl Strategy<Value = String>, overseer: impl Fn() -> Arc<dyn Overseer>) {
    let twins = Twins::new();
    let compare = |steps: Vec<String>| {
        let (inside, outside) = twins.take(&steps, overseer());
        for ((step, ours), theirs) in steps.iter().zip(&inside).zip(&outside) {
            prop_assert!(same(step, ours, theirs), "{}: {} and outside {}", step, ours, theirs);
        }
        prop_assert_eq!(tree(&twins.inside.path().join("data")), tree(&twins.outside.path().join("data")));
        Ok(())
    };
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let found = TestRunner::new(config).run(&prop::collection::vec(step, 1..40), compare);
    if let Err(error) = found {
        panic!("{error}");
    }
}

#[test]
fn what_differs_on_purpose_differs_as_it_should() {
    let twins = Twins::new();
    for (step, inside, outside) in [
        ("put .hidden x", "NotFound", "done"),
        ("put SOUL.md x", "PermissionDenied", "done"),
        ("put dangling x", "NotFound", "done"),
        ("rename link b", "PermissionDenied", "done"),
        ("rename dir/c link", "PermissionDenied", "done"),
        ("remove-all ", "ResourceBusy", "done"),
    ] {
        let (ours, theirs) = twins.take(&[step.to_owned()], Arc::new(Unattended));
        assert_eq!((ours[0].as_str(), theirs[0].as_str()), (inside, outside), "{step}");
        // The last one takes it away outside.
        fs::create_dir_all(twins.outside.path().join("data")).unwrap();
    }
}

#[test]
fn a_program_gets_the_same_answers_inside_as_outside_and_leaves_the_same_files() {
    plans(160, step(), || Arc::new(Unattended));
}

#[test]
fn the_same_when_whatever_it_writes_is_held_back_and_then_allowed() {
    // The times that were set on a file that then loses its name are not kept for the guest while its content is held back.
    let untimed = step().prop_filter("times", |step| !step.starts_with("times "));
    plans(80, untimed, || Swift::new(Some(1 << 20), false));
}

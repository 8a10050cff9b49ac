//! What stands on record, what the overseer is asked, what `soulbound why` answers.

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, OpenFlags};

use super::harness::{CREATE, Call, House, READ, TRUNCATE, WRITE, Watcher, bind};
use crate::denial::Denial;
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::sandbox::files::{BoundFiles, Judgement, OpenRules};
use crate::sandbox::overseer::{Access, Decision, Effect, FileChange};

#[test]
fn a_denial_names_the_skill_the_path_the_line_and_the_remedy() {
    let house = House::new();
    let mut call = house.call(DirectoryMode::Read);
    let _ = call.read("etc/passwd");
    let _ = call.read("data/../x");
    let _ = call.save("data/a\nb $(id)", "x");
    let text: Vec<_> = call.ledger().denials.iter().map(Denial::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    denied[path.outside]: skill `tester` may not open "/etc/passwd"
      imported: wasi:filesystem/types@0.2
      rule:     SOUL.md:6 `- tester: Tests`
      hint:     soulbound why SOUL.md tester --path /etc/passwd
    denied[path.outside]: skill `tester` may not open "/data/../x"
      imported: wasi:filesystem/types@0.2
      rule:     SOUL.md:7 `read: grant`
      hint:     soulbound why SOUL.md tester --path /data/../x
    denied[path.read-only]: skill `tester` may not write to "/data/a\nb $(id)"
      imported: wasi:filesystem/types@0.2
      rule:     SOUL.md:7 `read: grant`
      hint:     soulbound explain path.read-only
    "#);
}

#[test]
fn without_any_directory_the_denial_says_which_line_to_add() {
    let bound = BoundFiles::open(&[], std::path::Path::new("/nonexistent"), &OpenRules::default()).unwrap();
    let mut call = Call::new(bound, 0, Watcher::default());
    assert_eq!(call.read("documents/a"), Err(ErrorCode::NoEntry));
    let denial = &call.ledger().denials[0];
    assert_eq!(denial.hint.as_deref(), Some("add `  - read: ./<directory>` under `- tester:` in SOUL.md"));
    assert_eq!(denial.rule.as_ref().unwrap().line, 6);
    assert_eq!(call.list(".").unwrap(), [""; 0]);
}

#[test]
fn every_attempt_that_names_a_path_is_on_record() {
    let house = House::new();
    house.put("grant/a", "a");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    call.read("data/a").unwrap();
    let _ = call.read("data/absent");
    call.save("data/a", "b").unwrap();
    call.save("data/new", "n").unwrap();
    call.list("data").unwrap();
    call.stat(root, "data/a", true).unwrap();
    call.mkdir(root, "data/d").unwrap();
    call.set_times_at(root, "data/a", true).unwrap();
    call.rmdir(root, "data/d").unwrap();
    call.unlink(root, "data/a").unwrap();
    let _ = call.readlink(root, "data/new");
    let ledger = call.ledger();
    assert!(ledger.accesses.iter().all(|access| access.decision == Decision::Allowed));
    let lines: Vec<_> = ledger.accesses.iter().map(|a| format!("{} {}", a.access, a.target)).collect();
    let failed: Vec<_> =
        ledger.accesses.iter().filter_map(|a| Some((a.access.as_str(), a.failed.as_deref()?))).collect();
    assert_eq!(failed, [("read", "no-entry"), ("read-link", "invalid")]);
    assert_eq!(
        lines,
        [
            "read /data/a",
            "read /data/absent",
            "write /data/a",
            "create /data/new",
            "open /data",
            "list /data",
            "stat /data/a",
            "make-directory /data/d",
            "set-times /data/a",
            "delete /data/d",
            "delete /data/a",
            "read-link /data/new",
        ]
    );
}

#[test]
fn what_nothing_refused_and_nothing_came_of_is_recorded_as_failed() {
    let house = House::new();
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/deep/data", false);
    let mut call = house.call_with(&[grant]);
    let root = call.root;
    assert_eq!(call.mkdir(root, "deep"), Err(ErrorCode::Exist));
    assert_eq!(call.open(".", CREATE, WRITE), Err(ErrorCode::IsDirectory));
    assert_eq!(call.mkdir(root, "deep/data/."), Err(ErrorCode::Exist));
    let file = call.open("deep/data/a", CREATE, WRITE).unwrap();
    assert_eq!(call.open_at(file, "b", CREATE, WRITE), Err(ErrorCode::NotDirectory));
    let told = |access: &Access| (access.access.clone(), access.target.clone(), access.failed.clone());
    let lines: Vec<_> = call.ledger().accesses.iter().map(told).collect();
    let line = |access: &str, target: &str, failed: Option<&str>| {
        (access.to_owned(), target.to_owned(), failed.map(str::to_owned))
    };
    assert_eq!(
        lines,
        [
            line("make-directory", "/deep", Some("exist")),
            line("write", "/.", Some("is-directory")),
            line("make-directory", "/deep/data/.", Some("exist")),
            line("create", "/deep/data/a", None),
            line("write", "/deep/data/a/b", Some("not-directory")),
        ]
    );
}

#[test]
fn below_a_file_there_is_nothing_and_what_a_grant_never_shows_is_refused_there_too() {
    let house = House::new();
    house.put("grant/a", "a");
    for mode in [DirectoryMode::Read, DirectoryMode::Write] {
        let mut call = house.call(mode);
        let file = call.open("data/a", OpenFlags::empty(), READ).unwrap();
        call.expect("path.outside", ErrorCode::NoEntry, |call| call.stat(file, "/etc/passwd", true));
        call.expect("path.hidden", ErrorCode::NoEntry, |call| call.stat(file, ".git", true));
        call.expect("path.hidden", ErrorCode::NoEntry, |call| call.stat(call.root, "data/.git\0", true));
        assert_eq!(call.stat(file, "x", true).unwrap_err(), ErrorCode::NotDirectory);
    }
    let mut call = house.call(DirectoryMode::Create);
    let file = call.open("data/new", CREATE, WRITE).unwrap();
    call.expect("path.create-only", ErrorCode::NotPermitted, |call| call.stat(file, "x", true));
}

#[test]
fn the_overseer_is_asked_before_each_change_and_its_no_holds() {
    let house = House::new();
    house.put("grant/a", "a").put("grant/b", "b");
    std::fs::create_dir(house.path("grant/d")).unwrap();
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let watcher = Watcher { refuse: true, ..Watcher::default() };
    let mut call = Call::new(bind(&[grant], house.folder.path()), 1 << 20, watcher);
    let root = call.root;
    let no = ErrorCode::NotPermitted;
    call.expect("approval.denied", no, |call| call.open("data/a", TRUNCATE, WRITE));
    call.expect("approval.denied", no, |call| call.open("data/new", CREATE, WRITE));
    call.expect("approval.denied", no, |call| call.mkdir(root, "data/e"));
    call.expect("approval.denied", no, |call| call.rmdir(root, "data/d"));
    call.expect("approval.denied", no, |call| call.unlink(root, "data/a"));
    call.expect("approval.denied", no, |call| call.rename("data/a", "data/c"));
    call.expect("approval.denied", no, |call| call.set_times_at(root, "data/./a", true));
    assert_eq!(call.read("data/a").unwrap(), "a", "reading is no effect");
    let asked: Vec<_> = call.watcher.effects.lock().unwrap().clone();
    let change = |change, path: &str| Effect::Change { change, path: path.into(), to: None, content: None };
    assert_eq!(
        asked,
        [
            change(FileChange::Write, "/data/a"),
            change(FileChange::Create, "/data/new"),
            change(FileChange::MakeDirectory, "/data/e"),
            change(FileChange::Delete, "/data/d"),
            change(FileChange::Delete, "/data/a"),
            Effect::Change {
                change: FileChange::Rename,
                path: "/data/a".into(),
                to: Some("/data/c".into()),
                content: None
            },
            change(FileChange::SetTimes, "/data/a"),
        ]
    );
    assert_eq!(house.read("grant/a"), "a");
    assert!(!house.there("grant/new") && !house.there("grant/e") && house.there("grant/d"));
}

#[test]
fn a_path_as_long_as_a_guests_memory_is_cut_in_the_record() {
    let house = House::new();
    let mut call = house.call(DirectoryMode::Read);
    let long = format!("data/{}", "é".repeat(100_000));
    assert_eq!(call.open(&long, OpenFlags::empty(), READ), Err(ErrorCode::NameTooLong));
    let target = &call.ledger().accesses[0].target;
    assert!(target.len() < 5000 && target.ends_with('…'));
}

#[test]
fn why_answers_what_an_open_would() {
    let house = House::new();
    house.put("grant/a", "a").put("grant/SOUL.md", "s").link("/etc/passwd", "grant/out");
    let mut call = house.call(DirectoryMode::Read);
    let grant = DirectoryGrant::for_tests(DirectoryMode::Read, "grant", "/data", false);
    let bound = bind(&[grant], house.folder.path());
    for path in ["data/a", "data/absent", "data/out", "data/../x", "etc/passwd", "data/.git", "."] {
        for write in [false, true] {
            let judgement = bound.judge("tester", "SOUL.md", &format!("/{path}"), write);
            let before = call.denials().len();
            let _ = if write {
                call.open(path, CREATE, WRITE)
            } else {
                call.open(path, OpenFlags::empty(), READ)
            };
            match (judgement, call.ledger().denials.get(before)) {
                (Judgement::Allowed(rule), None) => assert_eq!(rule.is_some(), path.starts_with("data")),
                (Judgement::Denied(told), Some(denial)) => assert_eq!(told.id, denial.id, "{path}"),
                (told, denial) => panic!("{path} {write}: {told:?}, {denial:?}"),
            }
        }
    }
    assert!(!house.there("grant/absent"), "a question creates nothing");
}

//! Files that are held back: nothing on disk before the answer, all of it after a yes, nothing after a no.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, OpenFlags};

use super::harness::{CREATE, Call, EXCLUSIVE, House, READ, TRUNCATE, WRITE, Watcher, bind};
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::sandbox::files::OpenRules;
use crate::sandbox::overseer::{Effect, FileChange};

fn watched(house: &House, watcher: Watcher) -> Call {
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let watcher = Watcher { inspect: watcher.inspect.or(Some(10_000)), ..watcher };
    Call::new(bind(&[grant], house.folder.path()), 1 << 20, watcher)
}

fn staged(house: &House) -> Call {
    watched(house, Watcher::default())
}

/// What was asked so far: change, path and content.
fn asked(call: &Call) -> Vec<(FileChange, String, Option<String>)> {
    let effects = std::mem::take(&mut *call.watcher.effects.lock().unwrap());
    let one = |effect: Effect| match effect {
        Effect::Change { change, path, content, .. } => {
            (change, path, content.map(|content| String::from_utf8(content.0.to_vec()).unwrap()))
        }
        other => panic!("{other:?}"),
    };
    effects.into_iter().map(one).collect()
}

fn whole(change: FileChange, path: &str, content: &str) -> (FileChange, String, Option<String>) {
    (change, path.to_owned(), Some(content.to_owned()))
}

#[test]
fn a_new_file_is_not_there_until_its_whole_content_was_judged() {
    let house = House::new();
    let mut call = staged(&house);
    let file = call.open("data/new", CREATE, READ | WRITE).unwrap();
    call.stream(file, "hello", false).unwrap();
    call.write_at(file, " world", 5).unwrap();
    assert_eq!(call.read_all(file), Ok("hello world".into()), "the guest sees what it wrote");
    assert_eq!(fs::read_dir(house.path("grant")).unwrap().count(), 0);
    assert!(asked(&call).is_empty());
    call.close(file);
    assert_eq!(asked(&call), [whole(FileChange::Create, "/data/new", "hello world")]);
    assert_eq!(house.read("grant/new"), "hello world");
    let metadata = house.path("grant/new").metadata().unwrap();
    assert_eq!((metadata.permissions().mode() & 0o777 & !0o644, metadata.nlink()), (0, 1));
    assert!(call.denials().is_empty());
}

#[test]
fn an_existing_file_stays_as_it_is_until_then_and_keeps_its_identity() {
    let house = House::new();
    house.put("grant/a", "before");
    let inode = house.path("grant/a").metadata().unwrap().ino();
    let mut call = staged(&house);
    for (oflags, append, text, then) in [
        (TRUNCATE, false, "after", "after"),
        (OpenFlags::empty(), true, "wards", "afterwards"),
        (OpenFlags::empty(), false, "AF", "AFterwards"),
        (TRUNCATE, false, "", ""),
    ] {
        let before = house.read("grant/a");
        let file = call.open("data/a", oflags, WRITE).unwrap();
        call.stream(file, text, append).unwrap();
        assert_eq!(house.read("grant/a"), before);
        call.close(file);
        assert_eq!(asked(&call), [whole(FileChange::Write, "/data/a", then)]);
        assert_eq!(house.read("grant/a"), then);
    }
    assert_eq!(house.path("grant/a").metadata().unwrap().ino(), inode);
}

#[test]
fn a_no_leaves_everything_as_it_was_and_becomes_the_outcome() {
    let house = House::new();
    house.put("grant/a", "before").put("grant/b", "b");
    let mut call = watched(&house, Watcher { refuse: true, ..Watcher::default() });
    let file = call.open("data/a", TRUNCATE, WRITE).unwrap();
    call.stream(file, "after", false).unwrap();
    call.close(file);
    assert_eq!(call.withheld(), Some("approval.denied"));
    assert_eq!(call.denials(), ["approval.denied"]);
    assert_eq!(asked(&call).len(), 1);
    // Whoever took the write for done must not go on to delete the original.
    let root = call.root;
    assert_eq!(call.unlink(root, "data/b"), Err(ErrorCode::NotPermitted));
    let file = call.open("data/new", CREATE, WRITE).unwrap();
    call.stream(file, "x", false).unwrap();
    call.close(file);
    assert!(asked(&call).is_empty(), "nobody is asked for what cannot be");
    assert_eq!(house.read("grant/a") + &house.read("grant/b"), "beforeb");
    assert!(!house.there("grant/new"));
}

#[test]
fn a_no_on_sync_is_told_and_not_asked_for_again() {
    let house = House::new();
    house.put("grant/a", "before");
    let mut call = watched(&house, Watcher { refuse: true, ..Watcher::default() });
    let file = call.open("data/a", TRUNCATE, READ | WRITE).unwrap();
    call.stream(file, "after", false).unwrap();
    assert_eq!(call.sync(file), Err(ErrorCode::NotPermitted));
    assert_eq!(call.withheld(), None, "the guest knows");
    assert_eq!(call.write_at(file, "x", 0), Err(ErrorCode::NotPermitted));
    assert!(call.read_all(file).is_err());
    call.close(file);
    assert_eq!(asked(&call).len(), 1, "a retry is no second question");
    assert_eq!(house.read("grant/a"), "before");
}

#[test]
fn sync_puts_in_place_what_there_is_and_writing_goes_on() {
    let house = House::new();
    let mut call = staged(&house);
    let file = call.open("data/new", CREATE, READ | WRITE).unwrap();
    call.write_at(file, "one", 0).unwrap();
    call.sync(file).unwrap();
    assert_eq!(house.read("grant/new"), "one");
    call.sync(file).unwrap();
    call.write_at(file, " two", 3).unwrap();
    assert_eq!(house.read("grant/new"), "one");
    call.close(file);
    assert_eq!(
        asked(&call),
        [whole(FileChange::Create, "/data/new", "one"), whole(FileChange::Write, "/data/new", "one two")]
    );
}

#[test]
fn what_is_opened_and_not_written_is_no_change_and_a_new_empty_file_is_one() {
    let house = House::new();
    house.put("grant/a", "a");
    let mut call = staged(&house);
    let file = call.open("data/a", OpenFlags::empty(), READ | WRITE).unwrap();
    call.write_at(file, "", 7).unwrap();
    call.set_size(file, 1).unwrap();
    call.sync(file).unwrap();
    call.close(file);
    assert!(asked(&call).is_empty());
    let file = call.open("data/new", CREATE | EXCLUSIVE, WRITE).unwrap();
    call.close(file);
    assert_eq!(asked(&call), [whole(FileChange::Create, "/data/new", "")]);
    assert_eq!(house.read("grant/new"), "");
}

#[test]
fn all_descriptors_and_streams_of_a_file_share_what_is_held_back() {
    let house = House::new();
    house.put("grant/a", "0123456789");
    let mut call = staged(&house);
    let one = call.open("data/a", OpenFlags::empty(), WRITE).unwrap();
    let two = call.open("data/a", OpenFlags::empty(), READ | WRITE).unwrap();
    let reader = call.open("data/a", OpenFlags::empty(), READ).unwrap();
    call.write_at(one, "AB", 0).unwrap();
    call.write_at(two, "YZ", 8).unwrap();
    assert_eq!(call.read_all(reader), Ok("AB234567YZ".into()));
    call.close(one);
    assert!(asked(&call).is_empty(), "another may write to it still");
    call.close(two);
    assert_eq!(asked(&call), [whole(FileChange::Write, "/data/a", "AB234567YZ")]);
    assert_eq!(call.read_all(reader), Ok("AB234567YZ".into()));
}

#[test]
fn a_stream_that_outlives_its_descriptor_is_waited_for() {
    let house = House::new();
    let mut call = staged(&house);
    let file = call.open("data/new", CREATE, WRITE).unwrap();
    let mut stream = call.writer(file);
    call.close(file);
    assert!(asked(&call).is_empty());
    super::harness::now(stream.blocking_write_and_flush("late".into())).unwrap();
    super::harness::now(stream.cancel());
    assert_eq!(asked(&call), [whole(FileChange::Create, "/data/new", "late")]);
    assert_eq!(house.read("grant/new"), "late");
}

#[test]
fn what_is_still_open_when_the_tool_returns_is_put_in_place_in_order() {
    let house = House::new();
    house.put("grant/b", "");
    let mut call = staged(&house);
    let b = call.open("data/b", TRUNCATE, WRITE).unwrap();
    let a = call.open("data/a", CREATE, WRITE).unwrap();
    call.write_at(a, "a", 0).unwrap();
    call.write_at(b, "b", 0).unwrap();
    call.finish();
    assert_eq!(
        asked(&call),
        [whole(FileChange::Write, "/data/b", "b"), whole(FileChange::Create, "/data/a", "a")]
    );
}

#[test]
fn a_call_that_ends_otherwise_changes_nothing() {
    let house = House::new();
    house.put("grant/a", "before");
    let mut call = staged(&house);
    let a = call.open("data/a", TRUNCATE, WRITE).unwrap();
    let b = call.open("data/b", CREATE, WRITE).unwrap();
    call.write_at(a, "after", 0).unwrap();
    call.write_at(b, "new", 0).unwrap();
    drop(call);
    assert_eq!(house.read("grant/a"), "before");
    assert_eq!(fs::read_dir(house.path("grant")).unwrap().count(), 1, "no trace of a file that was not made");
}

#[test]
fn a_mask_is_what_lands_and_of_another_length_nothing_does() {
    let house = House::new();
    house.put("grant/a", "before");
    let mut call = watched(&house, Watcher { mask: Some("*****"), ..Watcher::default() });
    let file = call.open("data/a", TRUNCATE, WRITE).unwrap();
    call.write_at(file, "12345", 0).unwrap();
    call.close(file);
    assert_eq!(house.read("grant/a"), "*****");
    let file = call.open("data/a", TRUNCATE, WRITE).unwrap();
    call.write_at(file, "123", 0).unwrap();
    call.close(file);
    assert_eq!(house.read("grant/a"), "*****");
    assert_eq!(call.withheld(), Some("effect.failed"));
}

#[test]
fn more_than_is_held_back_is_a_denial_and_no_part_of_it_lands() {
    let house = House::new();
    house.put("grant/large", &"x".repeat(11)).put("grant/a", "a");
    let mut call = watched(&house, Watcher { inspect: Some(10), ..Watcher::default() });
    let new = call.open("data/new", CREATE, WRITE).unwrap();
    call.write_at(new, "12345", 0).unwrap();
    for _ in 0..3 {
        assert!(call.write_at(new, "123456", 5).is_err());
    }
    call.close(new);
    let large = call.open("data/large", OpenFlags::empty(), WRITE).unwrap();
    assert_eq!(
        call.write_at(large, "y", 0),
        Err(ErrorCode::FileTooLarge),
        "its whole content is what is judged"
    );
    call.close(large);
    assert_eq!(call.denials(), ["effect.too-large"], "said once");
    assert!(asked(&call).is_empty() && !house.there("grant/new"));
    // The room is that of all files together, and is free again afterwards.
    let (a, b) = (call.open("data/a", TRUNCATE, WRITE).unwrap(), call.open("data/b", CREATE, WRITE).unwrap());
    call.write_at(a, "123456", 0).unwrap();
    assert_eq!(call.write_at(b, "123456", 0), Err(ErrorCode::FileTooLarge));
    call.close(a);
    call.close(b);
    let b = call.open("data/b", CREATE, WRITE).unwrap();
    call.write_at(b, "1234567890", 0).unwrap();
    call.close(b);
    assert_eq!(house.read("grant/a") + &house.read("grant/b"), "1234561234567890");
}

#[test]
fn held_back_bytes_are_paid_once() {
    let house = House::new();
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let watcher = Watcher { inspect: Some(1_000), ..Watcher::default() };
    let mut call = Call::new(bind(&[grant], house.folder.path()), 4096 + 10, watcher);
    let file = call.open("data/a", CREATE, WRITE).unwrap();
    call.write_at(file, "12345", 0).unwrap();
    call.sync(file).unwrap();
    assert_eq!(call.write_at(file, "x", 100), Err(ErrorCode::Quota), "a hole costs as much as bytes");
    call.write_at(file, "67890", 5).unwrap();
    assert_eq!(call.write_at(file, "x", 0), Err(ErrorCode::Quota));
    call.close(file);
    assert_eq!(house.read("grant/a"), "1234567890");
    assert_eq!(call.denials(), ["path.quota"]);
}

#[test]
fn what_somebody_else_changes_meanwhile_is_not_overwritten() {
    for when in ["before", "meanwhile"] {
        let house = House::new();
        house.put("grant/a", "before");
        let path = house.path("grant/a");
        let change = move || fs::write(&path, "by a person").unwrap();
        let watcher = match when {
            "meanwhile" => Watcher { meanwhile: Some(Box::new(change.clone())), ..Watcher::default() },
            _ => Watcher::default(),
        };
        let mut call = watched(&house, watcher);
        let file = call.open("data/a", TRUNCATE, WRITE).unwrap();
        call.write_at(file, "after", 0).unwrap();
        if when == "before" {
            change();
        }
        call.close(file);
        assert_eq!(house.read("grant/a"), "by a person");
        assert_eq!(call.withheld(), Some("effect.failed"));
    }
}

#[test]
fn what_appears_under_a_new_files_name_meanwhile_stays() {
    for make in [
        |path: &std::path::Path| fs::write(path, "theirs").unwrap(),
        |path: &std::path::Path| std::os::unix::fs::symlink("../theirs", path).unwrap(),
    ] {
        let house = House::new();
        house.put("theirs", "theirs");
        let path = house.path("grant/new");
        let mut call =
            watched(&house, Watcher { meanwhile: Some(Box::new(move || make(&path))), ..Watcher::default() });
        let file = call.open("data/new", CREATE, WRITE).unwrap();
        call.write_at(file, "ours", 0).unwrap();
        call.close(file);
        assert_eq!(house.read("grant/new") + &house.read("theirs"), "theirstheirs");
        assert!(call.withheld().is_some());
    }
}

#[test]
fn a_bit_a_link_or_another_path_that_a_file_gets_meanwhile_counts() {
    let changes: [fn(&House); 3] = [
        |house| house.executable("grant/a"),
        |house| fs::hard_link(house.path("grant/a"), house.path("b")).unwrap(),
        |house| fs::rename(house.path("grant/a"), house.path("grant/b")).unwrap(),
    ];
    for change in changes {
        let house = std::sync::Arc::new(House::new());
        house.put("grant/a", "before");
        let shared = std::sync::Arc::clone(&house);
        let meanwhile: Box<dyn Fn() + Send + Sync> = Box::new(move || change(&shared));
        let mut call = watched(&house, Watcher { meanwhile: Some(meanwhile), ..Watcher::default() });
        let file = call.open("data/a", TRUNCATE, WRITE).unwrap();
        call.write_at(file, "after", 0).unwrap();
        call.close(file);
        assert!(call.withheld().is_some());
        let now = if house.there("grant/a") { "grant/a" } else { "grant/b" };
        assert_eq!(house.read(now), "before");
        drop(call);
    }
}

#[test]
fn a_directory_that_goes_elsewhere_meanwhile_takes_no_new_file_along() {
    for (to, id) in [("sub", "path.outside"), ("grant/other", "effect.failed")] {
        let house = House::new();
        house.put("grant/sub/x", "");
        let (from, target) = (house.path("grant/sub"), house.path(to));
        let meanwhile: Box<dyn Fn() + Send + Sync> = Box::new(move || fs::rename(&from, &target).unwrap());
        let mut call = watched(&house, Watcher { meanwhile: Some(meanwhile), ..Watcher::default() });
        let file = call.open("data/sub/new", CREATE, WRITE).unwrap();
        call.close(file);
        assert_eq!(call.withheld(), Some(id));
        assert!(!house.there(&format!("{to}/new")));
    }
}

#[test]
fn what_the_guest_looks_at_by_path_is_what_it_wrote() {
    let house = House::new();
    house.put("grant/a", "").link("new", "grant/link");
    let mut call = staged(&house);
    let root = call.root;
    let a = call.open("data/a", OpenFlags::empty(), WRITE).unwrap();
    call.write_at(a, "12345", 0).unwrap();
    assert_eq!(call.stat(root, "data/a", true).unwrap().size, 5);
    let new = call.open("data/new", CREATE, WRITE).unwrap();
    call.write_at(new, "123", 0).unwrap();
    assert_eq!(call.open("data/new", CREATE | EXCLUSIVE, WRITE), Err(ErrorCode::Exist));
    assert_eq!(call.read("data/new"), Ok("123".into()));
    let other = call.open("data/other", CREATE, WRITE).unwrap();
    assert_eq!(asked(&call).len(), 2, "the file at another path waits");
    assert_eq!(call.list("data"), Ok(vec!["a".into(), "link".into(), "new".into(), "other".into()]));
    call.close(other);
    let sub = call.mkdir(root, "data/sub").and_then(|()| call.open("data/sub/x", CREATE, WRITE)).unwrap();
    assert_eq!(call.rmdir(root, "data/sub"), Err(ErrorCode::NotEmpty));
    call.close(sub);
    call.unlink(root, "data/new").unwrap();
    let again = call.open("data/new", CREATE, WRITE).unwrap();
    assert_eq!(call.stat(root, "data/link", true).unwrap().size, 0, "through a link too");
    call.close(again);
    call.rename("data/new", "data/moved").unwrap();
    let file = call.open("data/file", CREATE, WRITE).unwrap();
    assert_eq!(call.mkdir(root, "data/file/sub"), Err(ErrorCode::NotDirectory));
    call.close(file);
    assert!(call.denials().is_empty() && house.there("grant/moved"));
}

#[test]
fn a_deleted_file_is_written_to_in_vain_and_nobody_is_asked() {
    let house = House::new();
    let mut call = staged(&house);
    let file = call.open("data/scratch", CREATE, READ | WRITE).unwrap();
    call.write_at(file, "1", 0).unwrap();
    let root = call.root;
    call.unlink(root, "data/scratch").unwrap();
    assert_eq!(asked(&call).len(), 2, "made, and deleted");
    call.write_at(file, "2", 1).unwrap();
    call.sync(file).unwrap();
    assert_eq!(call.read_all(file), Ok("12".into()));
    call.close(file);
    call.finish();
    assert!(asked(&call).is_empty() && call.withheld().is_none());
}

#[test]
fn times_that_are_set_before_the_last_drop_stay() {
    let house = House::new();
    let mut call = staged(&house);
    let file = call.open("data/a", CREATE, WRITE).unwrap();
    call.write_at(file, "1", 0).unwrap();
    call.set_times(file, 1_000_000).unwrap();
    call.close(file);
    assert_eq!(house.path("grant/a").metadata().unwrap().mtime(), 1_000_000);
}

#[test]
fn every_name_of_a_hard_linked_file_changes_where_the_operator_allows_them() {
    let house = House::new();
    house.put("grant/a", "before");
    fs::hard_link(house.path("grant/a"), house.path("grant/b")).unwrap();
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let rules = OpenRules { allow_hard_links: true, ..OpenRules::default() };
    let bound = crate::sandbox::files::BoundFiles::open(&[grant], house.folder.path(), &rules).unwrap();
    let mut call = Call::new(bound, 1 << 20, Watcher { inspect: Some(100), ..Watcher::default() });
    call.save("data/a", "after").unwrap();
    assert_eq!(house.read("grant/b"), "after");
}

#[test]
fn a_create_grant_shows_its_new_files_to_the_overseer_and_to_nobody_else() {
    let house = House::new();
    let grant = DirectoryGrant::for_tests(DirectoryMode::Create, "grant", "/data", false);
    let watcher = Watcher { inspect: Some(100), ..Watcher::default() };
    let mut call = Call::new(bind(&[grant], house.folder.path()), 1 << 20, watcher);
    call.save("data/a", "text").unwrap();
    assert_eq!(asked(&call), [whole(FileChange::Create, "/data/a", "text")]);
    assert!(call.read("data/a").is_err());
    call.expect("path.create-only", ErrorCode::NotPermitted, |call| call.open("data/a", CREATE, WRITE));
}

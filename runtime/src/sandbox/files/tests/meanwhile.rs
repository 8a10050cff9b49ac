//! What changes between the decision and the act, such as while a person thinks an approval over.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, OpenFlags};

use super::harness::{CREATE, Call, EXCLUSIVE, House, TRUNCATE, WRITE, Watcher, bind};
use crate::grant::{DirectoryGrant, DirectoryMode};

fn call(house: &House, meanwhile: impl Fn() + Send + Sync + 'static) -> Call {
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    let watcher = Watcher { meanwhile: Some(Box::new(meanwhile)), ..Watcher::default() };
    Call::new(bind(&[grant], house.folder.path()), 1 << 20, watcher)
}

fn executable(path: &std::path::Path) {
    if !path.exists() {
        fs::write(path, "run").unwrap();
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_appears_under_a_new_files_name_is_judged_like_any_other() {
    let house = House::new();
    let path = house.path("grant/new");
    let mut call = call(&house, move || executable(&path));
    call.expect("path.executable", ErrorCode::NotPermitted, |call| {
        call.open("data/new", CREATE | TRUNCATE, WRITE)
    });
    assert_eq!(house.read("grant/new"), "run");
}

#[test]
fn a_link_that_appears_under_a_new_files_name_is_not_followed_out() {
    let house = House::new();
    house.put("outside/secret.txt", "SECRET");
    let path = house.path("grant/new");
    let mut call = call(&house, move || {
        let _ = std::os::unix::fs::symlink("../outside/secret.txt", &path);
    });
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.open("data/new", CREATE | TRUNCATE, WRITE));
    let answer = call.open("data/other/../new", CREATE | EXCLUSIVE, WRITE);
    assert!(answer.is_err());
    assert_eq!(house.read("outside/secret.txt"), "SECRET");
}

#[test]
fn a_bit_or_a_link_that_an_open_file_gets_meanwhile_counts() {
    let house = House::new();
    house.put("grant/a", "a").put("grant/b", "b");
    let path = house.path("grant/a");
    let mut one = call(&house, move || executable(&path));
    one.expect("path.executable", ErrorCode::NotPermitted, |call| call.open("data/a", TRUNCATE, WRITE));
    let (from, to) = (house.path("grant/b"), house.path("b"));
    let mut two = call(&house, move || fs::hard_link(&from, &to).unwrap());
    two.expect("path.hard-link", ErrorCode::NotPermitted, |call| {
        call.open("data/b", OpenFlags::empty(), WRITE)
    });
    assert_eq!(house.read("grant/a") + &house.read("grant/b"), "ab");
}

#[test]
fn what_appears_under_a_renames_target_is_not_replaced() {
    let house = House::new();
    house.put("grant/a", "a");
    let path = house.path("grant/b");
    let mut call = call(&house, move || executable(&path));
    assert_eq!(call.rename("data/a", "data/b"), Err(ErrorCode::Exist));
    assert_eq!(house.read("grant/b"), "run");
}

#[test]
fn what_is_swapped_before_a_delete_stays() {
    let house = House::new();
    house.put("grant/a", "a").put("b", "other");
    let (from, to) = (house.path("b"), house.path("grant/a"));
    let mut call = call(&house, move || fs::rename(&from, &to).unwrap());
    let root = call.root;
    assert_eq!(call.unlink(root, "data/a"), Err(ErrorCode::Busy));
    assert_eq!(house.read("grant/a"), "other");
}

#[test]
fn a_directory_that_leaves_the_grant_takes_nothing_along_that_was_allowed_in_it() {
    type Act = fn(&mut Call) -> Result<(), ErrorCode>;
    let acts: [(&str, Act); 6] = [
        ("mkdir", |call| call.mkdir(call.root, "data/sub/new")),
        ("create", |call| call.open("data/sub/new", CREATE, WRITE).map(drop)),
        ("write", |call| call.open("data/sub/there", TRUNCATE, WRITE).map(drop)),
        ("times", |call| call.set_times_at(call.root, "data/sub/there", true)),
        ("rename", |call| call.rename("data/a", "data/sub/new")),
        ("delete", |call| call.unlink(call.root, "data/sub/there")),
    ];
    for to in ["sub", "grant/other"] {
        for (name, act) in acts {
            let house = House::new();
            house.put("grant/a", "a").put("grant/sub/there", "there");
            let before = house.path("grant/sub/there").metadata().unwrap().modified().unwrap();
            let (from, target) = (house.path("grant/sub"), house.path(to));
            let mut call = call(&house, move || drop(fs::rename(&from, &target)));
            assert!(act(&mut call).is_err(), "{name} went through, in {to}");
            assert!(!house.there(&format!("{to}/new")) && house.there("grant/a"), "{name} in {to}");
            assert_eq!(house.read(&format!("{to}/there")), "there", "{name}");
            let there = house.path(&format!("{to}/there"));
            assert_eq!(there.metadata().unwrap().modified().unwrap(), before, "{name}");
        }
    }
}

#[test]
fn what_comes_into_a_directory_before_it_is_renamed_counts() {
    for (put, id) in [("SOUL.md", "path.protected"), ("run", "path.executable")] {
        let house = House::new();
        house.put("grant/sub/a", "a");
        let path = house.path("grant/sub").join(put);
        let mut call = call(&house, move || executable(&path));
        call.expect(id, ErrorCode::NotPermitted, |call| call.rename("data/sub", "data/moved"));
        assert!(house.there("grant/sub/a"));
    }
}

//! Links, mount points, directories that are moved away.

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::harness::{CREATE, Call, House, WRITE, Watcher};
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::sandbox::files::BoundFiles;

#[test]
fn a_symlink_out_of_the_grant_is_refused_and_tells_nothing() {
    let house = House::new();
    house.put("outside/secret.txt", "SECRET");
    house.link("../outside", "grant/out").link("../outside/new.txt", "grant/dangling");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    for path in ["data/out/secret.txt", "data/out/absent", "data/out", "data/dangling", "etc/passwd", "../x"]
    {
        call.expect("path.outside", ErrorCode::NoEntry, |call| call.read(path));
        call.expect("path.outside", ErrorCode::NoEntry, |call| call.open(path, CREATE, WRITE));
        call.expect("path.outside", ErrorCode::NoEntry, |call| call.stat(root, path, true));
    }
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.readlink(root, "data/out"));
    assert!(!house.there("outside/new.txt"));
}

#[test]
fn a_link_that_stays_inside_is_followed_and_may_be_read() {
    let house = House::new();
    house.put("grant/a.txt", "a").link("a.txt", "grant/b.txt").link("gone", "grant/dangling");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    assert_eq!(call.read("data/b.txt").unwrap(), "a");
    assert_eq!(call.readlink(root, "data/b.txt").unwrap(), "a.txt");
    call.save("data/b.txt", "through").unwrap();
    assert_eq!(house.read("grant/a.txt"), "through");
    // Never made through a dangling link, not even inside.
    assert_eq!(call.open("data/dangling", CREATE, WRITE), Err(ErrorCode::NoEntry));
    assert!(!house.there("grant/gone"));
    assert_eq!(call.denials(), [""; 0]);
}

#[test]
fn no_links_are_made_and_none_are_moved() {
    let house = House::new();
    house.put("grant/a.txt", "a").put("grant/dir/a.txt", "a").link("../a.txt", "grant/dir/up");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    let refused = ErrorCode::NotPermitted;
    call.expect("path.link", refused, |call| call.symlink(root, "a.txt", "data/new"));
    call.expect("path.link", refused, |call| call.link((root, "data/a.txt"), (root, "data/new")));
    call.expect("path.link", refused, |call| call.rename("data/dir/up", "data/up"));
    call.expect("path.link", refused, |call| call.rename("data/dir", "data/dir2"));
    call.expect("path.link", refused, |call| call.rename("data/a.txt", "data/dir/up"));
    call.expect("path.link", refused, |call| call.set_times_at(root, "data/dir/up", false));
    assert!(house.there("grant/dir/up"));
    call.unlink(root, "data/dir/up").unwrap();
    assert!(house.there("grant/a.txt"));
}

#[test]
fn no_mount_point_is_crossed() {
    // `/proc` is a mount on any Linux. No SOUL.md can grant `/`, so it is bound past the checks.
    let bound = BoundFiles::unchecked(DirectoryGrant::for_tests(DirectoryMode::Write, "/", "/data", false));
    let mut call = Call::new(bound, 1 << 20, Watcher::default());
    let root = call.root;
    call.expect("path.mount", ErrorCode::NoEntry, |call| call.read("data/proc/self/environ"));
    call.expect("path.mount", ErrorCode::NoEntry, |call| call.list("data/proc"));
    call.expect("path.mount", ErrorCode::NoEntry, |call| call.stat(root, "data/proc/absent", true));
}

#[test]
fn a_directory_that_is_moved_out_takes_no_descriptor_along() {
    let house = House::new();
    house.put("grant/sub/a.txt", "a").put("outside/secret.txt", "SECRET");
    let mut call = house.call(DirectoryMode::Write);
    let sub = call.open_directory(call.root, "data/sub").unwrap();
    assert_eq!(call.read_at(sub, "a.txt").unwrap(), "a");
    std::fs::rename(house.path("grant/sub"), house.path("outside/sub")).unwrap();
    house.put("outside/sub/later.txt", "SECRET");
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.read_at(sub, "later.txt"));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.open_at(sub, "new.txt", CREATE, WRITE));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.list_at(sub, "."));
    assert!(!house.there("outside/sub/new.txt"));
}

#[test]
fn a_file_that_is_really_called_deleted_is_there() {
    let house = House::new();
    house.put("grant/report (deleted)", "r");
    let mut call = house.call(DirectoryMode::Read);
    assert_eq!(call.read("data/report (deleted)").unwrap(), "r");
}

//! FIFOs, sockets, devices, hard links; large directories; the small print of WASI.

use std::time::{Duration, Instant};

use rustix::fs::CWD;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorType, ErrorCode, HostDescriptor as _, HostDirectoryEntryStream as _, OpenFlags, PathFlags,
};

use super::harness::{CREATE, Call, House, READ, TRUNCATE, WRITE, Watcher, now};
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::sandbox::files::{BoundFiles, OpenRules};

#[test]
fn a_fifo_is_refused_at_once_and_never_opened() {
    let house = House::new();
    rustix::fs::mkfifoat(CWD, house.path("grant/fifo"), 0o666.into()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(house.path("grant/sock")).unwrap());
    house.link("fifo", "grant/link");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    let begun = Instant::now();
    for path in ["data/fifo", "data/sock", "data/link"] {
        for flags in [READ, WRITE, READ | WRITE] {
            call.expect("path.special", ErrorCode::NotPermitted, |call| {
                call.open(path, OpenFlags::empty(), flags)
            });
        }
        call.expect("path.special", ErrorCode::NotPermitted, |call| call.open(path, CREATE, WRITE));
        call.expect("path.special", ErrorCode::NotPermitted, |call| call.open(path, TRUNCATE, READ));
    }
    call.expect("path.special", ErrorCode::NotPermitted, |call| call.unlink(root, "data/fifo"));
    call.expect("path.special", ErrorCode::NotPermitted, |call| call.rename("data/fifo", "data/x"));
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(call.stat(root, "data/fifo", true).unwrap().type_, DescriptorType::Fifo);
}

#[test]
fn a_hard_link_is_refused_unless_the_operator_allows_it() {
    let house = House::new();
    house.put("outside/secret.txt", "SECRET");
    std::fs::hard_link(house.path("outside/secret.txt"), house.path("grant/hard")).unwrap();
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    call.expect("path.hard-link", ErrorCode::NotPermitted, |call| call.read("data/hard"));
    call.expect("path.hard-link", ErrorCode::NotPermitted, |call| call.open("data/hard", TRUNCATE, WRITE));
    call.expect("path.hard-link", ErrorCode::NotPermitted, |call| call.stat(root, "data/hard", true));
    call.expect("path.hard-link", ErrorCode::NotPermitted, |call| call.set_times_at(root, "data/hard", true));
    assert_eq!(house.read("outside/secret.txt"), "SECRET");
    let grant = DirectoryGrant::for_tests(DirectoryMode::Read, "grant", "/data", false);
    let rules = OpenRules { allow_hard_links: true, ..OpenRules::default() };
    let bound = BoundFiles::open(&[grant], house.folder.path(), &rules).unwrap();
    assert_eq!(Call::new(bound, 0, Watcher::default()).read("data/hard").unwrap(), "SECRET");
}

#[test]
fn a_large_directory_is_listed_as_the_guest_asks() {
    let house = House::new();
    for number in 0..5_000 {
        std::fs::File::create(house.path("grant").join(format!("file-number-{number}"))).unwrap();
    }
    let mut call = house.call(DirectoryMode::Read);
    assert_eq!(call.list("data").unwrap().len(), 5_000);
    let directory = call.open_directory(call.root, "data").unwrap();
    let stream = now(call.view().read_directory(Resource::new_borrow(directory))).unwrap().rep();
    let mut next = || now(call.view().read_directory_entry(Resource::new_borrow(stream))).unwrap();
    assert!(next().is_some());
    std::fs::remove_dir_all(house.path("grant")).unwrap();
    let mut left = 0;
    while next().is_some() {
        left += 1;
    }
    assert!(left < 4_000, "{left} entries were collected before they were asked for");
}

#[test]
fn the_virtual_root_lists_its_grants_and_is_read_only() {
    let house = House::new();
    std::fs::create_dir(house.path("other")).unwrap();
    let mut call = house.call_with(&[
        DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/a/data", false),
        DirectoryGrant::for_tests(DirectoryMode::Read, "other", "/b", false),
    ]);
    let root = call.root;
    assert_eq!(call.list(".").unwrap(), ["a", "b"]);
    assert_eq!(call.list("a/../a").unwrap(), ["data"]);
    call.save("a/./data/x", "x").unwrap();
    assert_eq!(call.read("b/../a/data/x"), Err(ErrorCode::NoEntry), "the kernel knows no sibling of a grant");
    assert_eq!(call.stat(root, "a", true).unwrap().type_, DescriptorType::Directory);
    assert_eq!(call.mkdir(root, "a/data"), Err(ErrorCode::Exist));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.mkdir(root, "a/new"));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.open("new", CREATE, WRITE));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.read("a/../.."));
    call.expect("path.read-only", ErrorCode::ReadOnly, |call| call.rmdir(root, "a"));
    call.expect("path.read-only", ErrorCode::ReadOnly, |call| call.set_times_at(root, "a", true));
    assert_eq!(call.rmdir(root, "a/data"), Err(ErrorCode::Busy));
}

#[test]
fn nothing_is_renamed_from_one_grant_into_another() {
    let house = House::new();
    house.put("grant/x", "x").put("other/y", "y");
    let mut call = house.call_with(&[
        DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/a", false),
        DirectoryGrant::for_tests(DirectoryMode::Write, "other", "/b", false),
    ]);
    call.expect("path.across", ErrorCode::CrossDevice, |call| call.rename("a/x", "b/x"));
    assert!(house.there("grant/x") && !house.there("other/x"));
}

#[test]
fn a_read_grant_changes_nothing_whatever_the_way() {
    let house = House::new();
    house.put("grant/a.txt", "a");
    let mut call = house.call(DirectoryMode::Read);
    let root = call.root;
    let refused = ErrorCode::ReadOnly;
    for path in ["data/a.txt", "data/absent"] {
        call.expect("path.read-only", refused, |call| call.open(path, OpenFlags::empty(), WRITE));
        call.expect("path.read-only", refused, |call| call.open(path, CREATE, READ));
        call.expect("path.read-only", refused, |call| call.open(path, TRUNCATE, READ));
        call.expect("path.read-only", refused, |call| call.unlink(root, path));
        call.expect("path.read-only", refused, |call| call.rmdir(root, path));
        call.expect("path.read-only", refused, |call| call.mkdir(root, path));
        call.expect("path.read-only", refused, |call| call.rename(path, "data/b"));
        call.expect("path.read-only", refused, |call| call.set_times_at(root, path, true));
    }
    let file = call.open("data/a.txt", OpenFlags::empty(), READ).unwrap();
    call.expect("path.read-only", refused, |call| call.set_size(file, 0));
    call.expect("path.read-only", refused, |call| call.write_at(file, "x", 0));
    assert!(call.stream(file, "x", true).is_err());
    assert_eq!(house.read("grant/a.txt"), "a");
}

#[test]
fn a_hash_holds_within_a_call_and_tells_nothing_across_calls() {
    let house = House::new();
    house.put("grant/a.txt", "a");
    let hash = |call: &mut Call| {
        let base = Resource::new_borrow(call.root);
        now(call.view().metadata_hash_at(base, PathFlags::empty(), "data/a.txt".into())).unwrap()
    };
    let (mut one, mut two) = (house.call(DirectoryMode::Read), house.call(DirectoryMode::Read));
    let (first, again, other) = (hash(&mut one), hash(&mut one), hash(&mut two));
    assert_eq!((first.lower, first.upper), (again.lower, again.upper));
    assert_ne!(first.lower, other.lower);
    assert_ne!(first.lower, first.upper);
    assert!(one.ledger().accesses.is_empty(), "a listing asks it for every entry");
}

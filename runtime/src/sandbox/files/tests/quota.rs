//! The write quota.

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, OpenFlags};

use super::harness::{CREATE, Call, House, WRITE, Watcher, bind};
use crate::grant::{DirectoryGrant, DirectoryMode};

fn call(house: &House, quota: u64) -> Call {
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false);
    Call::new(bind(&[grant], house.folder.path()), quota, Watcher::default())
}

#[test]
fn bytes_are_paid_before_they_are_written_and_the_record_says_it_once() {
    let house = House::new();
    let mut call = call(&house, 4096 + 10);
    let file = call.open("data/a.txt", CREATE, WRITE).unwrap();
    call.stream(file, "12345", false).unwrap();
    call.write_at(file, "12345", 5).unwrap();
    for _ in 0..3 {
        assert_eq!(call.write_at(file, "6", 10), Err(ErrorCode::Quota));
        assert!(call.stream(file, "6", true).is_err());
        assert!(call.stream(file, "6", false).is_err());
        assert_eq!(call.set_size(file, 1000), Err(ErrorCode::Quota));
    }
    assert_eq!(call.denials(), ["path.quota"]);
    assert_eq!(house.read("grant/a.txt"), "1234512345");
    call.set_size(file, 3).unwrap();
}

#[test]
fn every_entry_has_its_price() {
    let house = House::new();
    let mut call = call(&house, 3 * 4096);
    let root = call.root;
    call.open("data/a", CREATE, WRITE).unwrap();
    call.open("data/b", CREATE, WRITE).unwrap();
    call.mkdir(root, "data/c").unwrap();
    call.expect("path.quota", ErrorCode::Quota, |call| call.open("data/d", CREATE, WRITE));
    call.expect("path.quota", ErrorCode::Quota, |call| call.mkdir(root, "data/d"));
    assert!(!house.there("grant/d"));
}

#[test]
fn a_hole_is_paid_like_bytes() {
    let house = House::new();
    house.put("grant/a", "a");
    let mut call = call(&house, 1 << 20);
    let file = call.open("data/a", OpenFlags::empty(), WRITE).unwrap();
    assert_eq!(call.write_at(file, "x", 1 << 40), Err(ErrorCode::Quota));
    assert_eq!(call.set_size(file, 1 << 40), Err(ErrorCode::Quota));
    assert_eq!(house.path("grant/a").metadata().unwrap().len(), 1);
}

#[test]
fn impossible_sizes_and_offsets_are_clean_errors() {
    let house = House::new();
    house.put("grant/a", "a");
    let mut call = call(&house, u64::MAX);
    let file = call.open("data/a", OpenFlags::empty(), WRITE).unwrap();
    assert_eq!(call.set_size(file, u64::MAX), Err(ErrorCode::FileTooLarge));
    assert_eq!(call.write_at(file, "x", u64::MAX), Err(ErrorCode::FileTooLarge));
    assert_eq!(call.write_at(file, "x", 1 << 63), Err(ErrorCode::FileTooLarge));
    assert_eq!(house.read("grant/a"), "a");
}

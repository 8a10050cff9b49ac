//! Renaming: what goes, and what is only stopped by the order of things.

use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::harness::House;
use crate::grant::DirectoryMode;

#[test]
fn files_and_directories_are_renamed_within_a_grant() {
    let house = House::new();
    house.put("grant/a", "a").put("grant/b", "b").put("grant/dir/sub/x", "x");
    let mut call = house.call(DirectoryMode::Write);
    call.rename("data/a", "data/b").unwrap();
    assert_eq!(house.read("grant/b"), "a");
    call.rename("data/dir/", "data/moved/").unwrap();
    assert_eq!(house.read("grant/moved/sub/x"), "x");
    assert_eq!(call.rename("data/moved", "data/moved/sub/y"), Err(ErrorCode::Invalid));
    assert_eq!(call.rename("data/b", "data/c/"), Err(ErrorCode::NotDirectory));
    assert_eq!(call.rename("data/absent", "data/c"), Err(ErrorCode::NoEntry));
    assert_eq!(call.rename("data/.", "data/c"), Err(ErrorCode::Busy));
    assert_eq!(call.denials(), [""; 0]);
    let ledger = call.ledger();
    let words: Vec<_> = ledger.accesses.iter().map(|access| access.access.as_str()).collect();
    assert_eq!(words[..2], ["rename", "rename-to"]);
}

#[test]
fn a_rename_out_of_the_grant_names_the_side_that_leaves() {
    let house = House::new();
    house.put("grant/a", "a");
    let mut call = house.call(DirectoryMode::Write);
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.rename("data/a", "data/../b"));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.rename("data/../b", "data/a"));
    let ledger = call.ledger();
    assert_eq!(ledger.accesses[0].target, "/data/../b");
    assert_eq!(ledger.accesses[0].access, "rename-to");
    assert_eq!(ledger.accesses[1].access, "rename");
}

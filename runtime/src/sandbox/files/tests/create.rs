//! `create` grants: new files, and nothing else.

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, OpenFlags};

use super::harness::{CREATE, EXCLUSIVE, House, READ, TRUNCATE, WRITE};
use crate::grant::DirectoryMode;

const REFUSED: ErrorCode = ErrorCode::NotPermitted;

#[test]
fn a_create_grant_takes_new_files_and_shows_nothing() {
    let house = House::new();
    house.put("grant/old.txt", "old");
    std::fs::create_dir(house.path("grant/sub")).unwrap();
    let mut call = house.call(DirectoryMode::Create);
    let file = call.open("data/new.txt", CREATE | EXCLUSIVE, WRITE).unwrap();
    call.stream(file, "new", false).unwrap();
    call.stream(file, "+", true).unwrap();
    assert_eq!(house.read("grant/new.txt"), "new+");
    call.expect("path.create-only", REFUSED, |call| call.read_all(file));
    let root = call.root;
    for path in ["data/old.txt", "data/absent.txt", "data/new.txt", "data/sub"] {
        call.expect("path.create-only", REFUSED, |call| call.read(path));
        call.expect("path.create-only", REFUSED, |call| call.stat(root, path, true));
        call.expect("path.create-only", REFUSED, |call| call.unlink(root, path));
        call.expect("path.create-only", REFUSED, |call| call.rmdir(root, path));
        call.expect("path.create-only", REFUSED, |call| call.set_times_at(root, path, true));
        call.expect("path.create-only", REFUSED, |call| call.readlink(root, path));
        call.expect("path.create-only", REFUSED, |call| call.open(path, OpenFlags::empty(), WRITE));
        call.expect("path.create-only", REFUSED, |call| call.rename(path, "data/other"));
        call.expect("path.create-only", REFUSED, |call| call.open(path, CREATE, READ | WRITE));
    }
    call.expect("path.create-only", REFUSED, |call| call.open("data/old.txt", CREATE | TRUNCATE, WRITE));
    call.expect("path.create-only", REFUSED, |call| call.mkdir(root, "data/dir"));
    call.expect("path.create-only", REFUSED, |call| call.list("data"));
    call.expect("path.outside", ErrorCode::NoEntry, |call| call.read("data/../x"));
    assert_eq!(call.open("data/old.txt", CREATE | EXCLUSIVE, WRITE), Err(ErrorCode::Exist));
    assert_eq!(house.read("grant/old.txt"), "old");
    assert!(call.stat(root, "data", true).is_ok(), "the granted directory itself is no secret");
}

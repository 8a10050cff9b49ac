//! Every case of the path corpus, once from the granted directory's descriptor and once from the virtual root.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, HostDescriptor as _, OpenFlags};

use super::harness::{Answer, CREATE, Call, EXCLUSIVE, House, READ, TRUNCATE, WRITE, now};
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::ledger::skipped_only;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpora/paths.json");

/// What we decided where the corpus leaves it open.
fn ours(id: &str) -> &'static str {
    match id {
        // Control characters in names are legal and are escaped wherever they are shown; a FIFO may be looked at;
        // syncing changes nothing; a large directory is listed lazily; a dropped descriptor is the guest's to drop.
        "P0137" | "P0138" | "P0139" | "P0140" | "P0314" | "P0323" | "P0332" | "P0335" => "ok",
        // No links, hard or symbolic; an impossible size is an error.
        "P0264" | "P0269" | "P0273" | "P0278" => "deny",
        "P0328" => "error",
        _ => panic!("`{id}` needs a decision"),
    }
}

fn lay_out(fixture: &Value, outside: &str) -> House {
    let house = House::new();
    for tree in ["grant", "grant2", "grantx", "outside", "ro"] {
        std::fs::create_dir_all(house.path(tree)).unwrap();
        for (path, content) in fixture[tree].as_object().unwrap() {
            match content.as_str() {
                Some(content) => drop(house.put(&format!("{tree}/{path}"), content)),
                None => std::fs::create_dir_all(house.path(tree).join(path)).unwrap(),
            }
        }
    }
    house.put("grant/sub/x", "x");
    house.put("grant/manydir/0", "");
    for (path, text) in fixture["links"].as_object().unwrap() {
        house.link(&text.as_str().unwrap().replace("@@W", outside), &format!("grant/{path}"));
    }
    let chain = &fixture["link_chain"];
    let (count, prefix) = (chain["count"].as_u64().unwrap(), chain["prefix"].as_str().unwrap());
    for number in 0..count {
        let next = if number + 1 == count {
            chain["last"].as_str().unwrap().to_owned()
        } else {
            format!("{prefix}{}", number + 1)
        };
        house.link(&next, &format!("grant/{prefix}{number}"));
    }
    for (path, target) in fixture["hard"].as_object().unwrap() {
        let target = house.path(target.as_str().unwrap());
        std::fs::hard_link(target, house.path("grant").join(path)).unwrap();
    }
    rustix::fs::mkfifoat(rustix::fs::CWD, house.path("grant/fifo"), 0o666.into()).unwrap();
    drop(std::os::unix::net::UnixListener::bind(house.path("grant/sock")).unwrap());
    house
}

/// Everything outside the grants that a case could have changed: content, mode, times.
fn outside(house: &House) -> BTreeMap<String, String> {
    use std::os::unix::fs::MetadataExt as _;
    let mut seen = BTreeMap::new();
    let mut note = |path: &Path| {
        let text = path.symlink_metadata().map_or_else(
            |_| "absent".to_owned(),
            |data| {
                let content = std::fs::read(path).unwrap_or_default();
                let (mode, seconds, nanoseconds) = (data.mode(), data.mtime(), data.mtime_nsec());
                format!("{mode:o} {seconds}.{nanoseconds} {content:?}")
            },
        );
        seen.insert(path.display().to_string(), text);
    };
    note(Path::new("/tmp/fs-escape-probe"));
    note(Path::new("/tmp/moved-probe"));
    let mut left = vec![house.folder.path().to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if !path.starts_with(house.path("grant")) && !path.starts_with(house.path("grant2")) {
                note(&path);
                if path.symlink_metadata().unwrap().is_dir() {
                    left.push(path);
                }
            }
        }
    }
    seen
}

fn operate(call: &mut Call, case: &Value, base: u32, path: &str, base2: u32, path2: &str) -> Answer<String> {
    let done = |()| String::new();
    match case["op"].as_str().unwrap() {
        "read" => call.read_at(base, path),
        "readdir" => call.list_at(base, path).map(|names| names.join(" ")),
        "stat" => call.stat(base, path, true).map(|stat| format!("{stat:?}")),
        "create" => call.open_at(base, path, CREATE | EXCLUSIVE, WRITE).and_then(|file| {
            call.write_at(file, "new", 0)?;
            Ok(String::new())
        }),
        "write" => call.open_at(base, path, CREATE, WRITE).and_then(|file| {
            call.write_at(file, "new", 0)?;
            Ok(String::new())
        }),
        "append" => call.open_at(base, path, OpenFlags::empty(), WRITE).and_then(|file| {
            call.stream(file, "new", true).map_err(|_| ErrorCode::Io)?;
            Ok(String::new())
        }),
        "truncate" => call.open_at(base, path, TRUNCATE, WRITE).map(|_| String::new()),
        "truncate_readflags" => call.open_at(base, path, TRUNCATE, READ).map(|_| String::new()),
        "open_write_flag_existing" => {
            call.open_at(base, path, OpenFlags::empty(), READ | WRITE).map(|_| String::new())
        }
        "readlink" => call.readlink(base, path),
        "unlink" => call.unlink(base, path).map(done),
        "mkdir" => call.mkdir(base, path).map(done),
        "rmdir" => call.rmdir(base, path).map(done),
        "settimes" => call.set_times_at(base, path, true).map(done),
        "symlink" => call.symlink(base2, path, path2).map(done),
        "link" => call.link((base, path), (base2, path2)).map(done),
        "rename" => call.rename_at((base, path), (base2, path2)).map(done),
        "setsize" => {
            let size = case["size"].as_str().map_or(9, |size| size.parse().unwrap());
            let flags = if case["pre"] == "ro" { READ } else { READ | WRITE };
            let file = call.open_at(base, path, OpenFlags::empty(), flags)?;
            call.set_size(file, size).map(done)
        }
        "sync" => {
            let file = call.open_at(base, path, OpenFlags::empty(), READ)?;
            let answer = now(call.view().sync(Resource::new_borrow(file)));
            answer.map(done).map_err(|error| error.downcast().unwrap())
        }
        "open_dir_then_mutate" => {
            let sub = call.open_directory(base, path)?;
            call.unlink(sub, "x").map(done)
        }
        "close_preopen" => {
            call.close(call.root);
            let lost = Resource::new_borrow(call.root);
            assert!(now(call.view().stat(lost)).is_err(), "a dropped descriptor still works");
            Ok(String::new())
        }
        other => panic!("`{other}` is no operation"),
    }
}

#[test]
fn every_case_of_the_path_corpus_gets_its_verdict() {
    let corpus: Value = serde_json::from_str(&std::fs::read_to_string(CORPUS).unwrap()).unwrap();
    let mut wrong = Vec::new();
    let mut skipped = Vec::new();
    for case in corpus["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        // Told as procedures: `bind.rs` and `races.rs` are these.
        let elsewhere = ["nested_grants", "grant_swapped", "grant_is_file", "grant_has_soul", "procedure"];
        if elsewhere.contains(&case["op"].as_str().unwrap()) {
            skipped.push(id.to_owned());
            continue;
        }
        for from_root in [false, true] {
            if let Err(found) = run(&corpus["fixture"], case, from_root) {
                wrong.push(format!("{id} (from the root: {from_root}): {found}"));
            }
        }
    }
    skipped_only("paths", skipped);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(fixture: &Value, case: &Value, from_root: bool) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let id = text("id");
    let house = lay_out(fixture, "/nonexistent-outside");
    let place = house.folder.path().to_str().unwrap().to_owned();
    // The links of the fixture name the folder, which is only known now.
    for (path, link) in fixture["links"].as_object().unwrap() {
        let link = link.as_str().unwrap();
        if link.contains("@@W") {
            std::fs::remove_file(house.path("grant").join(path)).unwrap();
            house.link(&link.replace("@@W", &place), &format!("grant/{path}"));
        }
    }
    let before = outside(&house);
    let mut call = house.call_with(&[
        DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", false),
        DirectoryGrant::for_tests(DirectoryMode::Write, "grant2", "/data2", false),
        DirectoryGrant::for_tests(DirectoryMode::Read, "ro", "/ro", false),
    ]);
    let path = case["path"].as_str().map_or_else(
        || {
            let how = &case["path_gen"];
            let count = usize::try_from(how["n"].as_u64().unwrap()).unwrap();
            how["repeat"].as_str().unwrap().repeat(count) + how["then"].as_str().unwrap()
        },
        |path| path.replace("@@W", &place),
    );
    let path2 = text("path2");
    let (pre, pre2) = (text("pre"), if case["pre2"].is_string() { text("pre2") } else { text("pre") });
    // A guest's libc strips the slash from an absolute path and gives the rest to the root.
    let rooted = |pre: &str, path: &str| match path.strip_prefix('/') {
        Some(stripped) if !stripped.is_empty() => stripped.to_owned(),
        Some(_) => "/".to_owned(),
        None => format!("{pre}/{path}"),
    };
    let symlink = case["op"] == "symlink";
    let answer = if from_root {
        let path = if symlink { path } else { rooted(&pre, &path) };
        let root = call.root;
        operate(&mut call, case, root, &path, root, &rooted(&pre2, &path2))
    } else {
        let base = call.open_directory(call.root, &pre).unwrap();
        let base2 = call.open_directory(call.root, &pre2).unwrap();
        operate(&mut call, case, base, &path, base2, &path2)
    };
    let denials = call.denials();
    let expected = match case["expect"].as_str().unwrap() {
        "either" => ours(&id),
        expected => expected,
    };
    if outside(&house) != before {
        return Err("something outside changed".into());
    }
    if let Ok(text) = &answer
        && (text.contains("SECRET") || text.contains("SIBLING"))
    {
        return Err("it read the secret".into());
    }
    let right = match expected {
        "ok" => answer.is_ok() && denials.is_empty(),
        "deny" => answer.is_err() && !denials.is_empty(),
        "error" => answer.is_err(),
        other => return Err(format!("`{other}` is no verdict")),
    };
    if let Err(code) = &answer
        && denials.contains(&"path.outside")
        && *code != ErrorCode::NoEntry
    {
        return Err(format!("the guest can tell the outside: {code}"));
    }
    if right { Ok(()) } else { Err(format!("expected {expected}: {answer:?}, {denials:?}")) }
}

//! The compile cache: what was not written by us, under this name, with this key, is never loaded.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::sandbox::{BoundSkill, Runtime};
use soulbound_runtime::skill::SkillFolder;
use tempfile::TempDir;

use crate::given::{bare, wat};
use crate::shared::{bind_for, call, config, folder, none};

/// A skill whose one tool has this name.
fn skill(tool: &str) -> SkillFolder {
    let text = format!(
        r#"(component (core module $m (func (export "run"))) (core instance $i (instantiate $m))
            (func (export "{tool}") (canon lift (core func $i "run"))))"#
    );
    bare(&wat(&text)).unwrap()
}

/// A runtime as a new process would have it, with the cache in this folder.
fn runtime(cache: &Path) -> Runtime {
    let mut config = config();
    config.slots = 2;
    config.compiler = Compiler::in_process_for_trusted_components().with_cache(Cache::open(cache).unwrap());
    Runtime::new(config).unwrap()
}

fn bound(runtime: &Runtime, skill: &SkillFolder) -> BoundSkill {
    bind_for(runtime, "echo", Path::new("/"), skill, &[]).unwrap()
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    let mut entries: Vec<PathBuf> = paths.filter(|path| !path.ends_with("key")).collect();
    entries.sort();
    entries
}

fn tools(bound: &BoundSkill) -> Vec<&str> {
    bound.tools().iter().map(|tool| tool.name.as_str()).collect()
}

/// The tool's name as the entry's inspection spells it, replaced by another of the same length.
fn forge(entry: &Path, from: &str, to: &str) {
    let mut bytes = fs::read(entry).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    fs::write(entry, bytes).unwrap();
}

fn cache() -> (TempDir, PathBuf) {
    let place = folder();
    let path = place.path().join("cache");
    (place, path)
}

#[tokio::test]
async fn an_entry_that_was_changed_is_never_loaded() {
    let (_place, path) = cache();
    let (runtime, honest) = (runtime(&path), skill("honest"));
    assert_eq!(tools(&bound(&runtime, &honest)), ["honest"]);
    let entry = entries(&path).pop().unwrap();
    let original = fs::read(&entry).unwrap();
    forge(&entry, "honest", "forged");
    let again = bound(&runtime, &honest);
    assert_eq!(tools(&again), ["honest"]);
    assert!(call(&again, "honest", none()).await.succeeded());
    assert_ne!(fs::read(&entry).unwrap().len(), 0);
    // A byte anywhere: digest, length, code, end; and an entry cut short.
    for at in [0, 31, 32, 40, original.len() / 2, original.len() - 1] {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        fs::write(&entry, &bytes).unwrap();
        assert_eq!(tools(&bound(&runtime, &honest)), ["honest"]);
        assert_ne!(fs::read(&entry).unwrap(), bytes, "byte {at}: the entry was taken as it stood");
    }
    for length in [0, 10, 32, 39, original.len() - 1] {
        fs::write(&entry, &original[..length]).unwrap();
        assert_eq!(tools(&bound(&runtime, &honest)), ["honest"]);
    }
}

#[test]
fn an_entry_under_another_s_name_is_never_loaded() {
    let (_place, path) = cache();
    let runtime = runtime(&path);
    let (one, other) = (skill("one"), skill("two"));
    bound(&runtime, &one);
    let first = entries(&path).pop().unwrap();
    bound(&runtime, &other);
    let second = entries(&path).into_iter().find(|entry| *entry != first).unwrap();
    fs::copy(&first, &second).unwrap();
    assert_eq!(tools(&bound(&runtime, &other)), ["two"]);
    assert_eq!(tools(&bound(&runtime, &one)), ["one"]);
}

#[test]
fn an_entry_of_a_foreign_key_is_never_loaded() {
    let (_place, path) = cache();
    let honest = skill("honest");
    bound(&runtime(&path), &honest);
    let entry = entries(&path).pop().unwrap();
    let before = fs::read(&entry).unwrap();
    fs::write(path.join("key"), [7; 64]).unwrap();
    assert_eq!(tools(&bound(&runtime(&path), &honest)), ["honest"]);
    assert_ne!(fs::read(&entry).unwrap(), before, "the entry of another key was taken");
}

#[test]
fn an_entry_that_is_ours_is_taken_as_it_is() {
    let (_place, path) = cache();
    let honest = skill("honest");
    bound(&runtime(&path), &honest);
    let entry = entries(&path).pop().unwrap();
    let written = fs::metadata(&entry).unwrap().modified().unwrap();
    bound(&runtime(&path), &honest);
    assert_eq!(fs::metadata(&entry).unwrap().modified().unwrap(), written, "it was compiled again");
}

#[test]
fn a_link_or_a_fifo_in_an_entry_s_place_is_not_followed() {
    let (place, path) = cache();
    let (runtime, honest) = (runtime(&path), skill("honest"));
    bound(&runtime, &honest);
    let entry = entries(&path).pop().unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &entry).unwrap();
    assert_eq!(tools(&bound(&runtime, &honest)), ["honest"]);
    assert!(fs::symlink_metadata(&entry).unwrap().is_file(), "the link was taken for an entry");
}

#[test]
fn a_cache_that_others_may_open_is_refused() {
    let (_place, path) = cache();
    drop(Cache::open(&path).unwrap());
    for mode in [0o755, 0o770, 0o701] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(Cache::open(&path).is_err(), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(path.join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(Cache::open(&path).is_err(), "a key that others can read");
    fs::remove_file(path.join("key")).unwrap();
    fs::write(path.join("key"), "short").unwrap();
    fs::set_permissions(path.join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(Cache::open(&path).is_err(), "a key of another length");
}

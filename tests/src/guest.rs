//! Skills to put beside an agent.
//!
//! The built ones are copied from `target/`, where `cargo xtask test` puts them; the others are text (WAT) that a
//! test writes itself, so that a reader sees all of the component beside the assertion.

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// The folder of a guest built from `tests/guests/` or `examples/skills/`: `probe`, `probe-web`, `word-count`.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    there(root().join("target/guests").join(name))
}

/// The folder of a standard skill: `file-reader`, `file-writer`, `browser`.
#[must_use]
pub fn standard(name: &str) -> PathBuf {
    there(root().join("target/skills").join(name))
}

fn there(folder: PathBuf) -> PathBuf {
    assert!(folder.is_dir(), "{} is not built; `cargo xtask test` builds it", folder.display());
    folder
}

/// A component from its text, which exports `run` and imports nothing but what the text says.
#[must_use]
pub fn component(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}\n{wat}"))
}

/// A component whose core module has this text; its function `run` becomes the tool `run`.
#[must_use]
pub fn core(module: &str) -> Vec<u8> {
    component(&format!(
        r#"(component (core module $m {module}) (core instance $i (instantiate $m))
            (func (export "run") (canon lift (core func $i "run"))))"#
    ))
}

/// Writes a skill's folder around a component: `SKILL.md` and `NAME.wasm`.
pub fn write(folder: &Path, name: &str, component: &[u8]) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("SKILL.md"), manifest(name)).unwrap();
    fs::write(folder.join(format!("{name}.wasm")), component).unwrap();
}

/// A `SKILL.md` with this name.
#[must_use]
pub fn manifest(name: &str) -> String {
    format!("---\nname: {name}\ndescription: A skill of a test.\n---\n")
}

/// Copies a folder of files and folders.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

//! What the tests are given: components from text, and the corpora.

use std::path::PathBuf;

use serde_json::Value;
use soulbound_runtime::skill::{FolderError, SkillFolder};

use crate::shared::folder;

/// Reads a bare component as the program does.
pub(crate) fn bare(component: &[u8]) -> Result<SkillFolder, FolderError> {
    let place = folder();
    let path = place.path().join("skill.wasm");
    std::fs::write(&path, component).unwrap();
    SkillFolder::read_bare(&path)
}

/// A component from its text.
pub(crate) fn wat(text: &str) -> Vec<u8> {
    ::wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A corpus of `tests/corpora/`.
pub(crate) fn corpus(name: &str) -> Value {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/corpora")).join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

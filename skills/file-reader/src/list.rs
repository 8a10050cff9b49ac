//! `list`: the names in a directory. The rule: all of them or a failure; a list that was cut in silence would
//! make a model believe that a file is not there.

use std::fs;

use granted::{Failure, Kind};

use crate::bindings::{Entry, EntryKind};
use crate::kind::kind_of;

/// The most names in an answer: about half a megabyte of JSON, below the usual limit of an answer.
const MOST_ENTRIES: usize = 5_000;

/// Lists `path`, sorted by name.
pub(crate) fn list(path: &str) -> Result<Vec<Entry>, Failure> {
    let at_path = |error: std::io::Error| Failure::from_io(&error, path);
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(at_path)? {
        let entry = entry.map_err(at_path)?;
        if entries.len() == MOST_ENTRIES {
            return Err(Failure::new(
                Kind::TooLarge,
                format!("more than {MOST_ENTRIES} names; `stat` or `read` one by its path, or `search` here"),
            ));
        }
        let kind = entry.file_type().map_or(EntryKind::Other, kind_of);
        // A name that vanished since, or that may not be looked at, is still a name.
        let size = match kind {
            EntryKind::File => entry.metadata().ok().map(|metadata| metadata.len()),
            _ => None,
        };
        entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind, size });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

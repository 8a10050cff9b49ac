//! A trail's files: the one that is written, and the segments before it, named by their first record.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::heartbeat::Today;
use super::writer::OpenCalls;

/// The next file, while it is made ready.
pub(super) const NEXT: &str = "audit.next";

/// A finished file of a trail.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment {
    /// The number of its first record.
    pub(super) first: u64,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// The name of the segment that begins with this record.
pub(super) fn segment_name(first: u64) -> String {
    format!("audit.{first:012}.jsonl")
}

/// The finished files of a folder, oldest first.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("audit.")?.strip_suffix(".jsonl"));
        if let Some(first) = number.and_then(|number| number.parse().ok()) {
            segments.push(Segment { first, path: entry.path() });
        }
    }
    segments.sort();
    Ok(segments)
}

/// The note of a `rotated` record: the calls under way and the day's figures, so that an opening has to read this file
/// only.
pub(super) fn note(open: &OpenCalls, today: Option<Today>) -> Value {
    let open: Vec<Value> = open.iter().map(|(call, names)| json!([call, names.skill, names.tool])).collect();
    let today = today.map(|today| json!([today.day, today.completed, today.errors]));
    json!({"open": open, "today": today})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_come_in_the_order_of_their_records() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "audit.jsonl",
            "audit.tip",
            "audit.x.jsonl",
            "audit.000000000900.jsonl",
            "audit.000000000001.jsonl",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::write(folder.path().join(segment_name(1_000_000_000_000)), "").unwrap();
        let firsts: Vec<u64> = segments(folder.path()).unwrap().iter().map(|segment| segment.first).collect();
        assert_eq!(firsts, [1, 900, 1_000_000_000_000]);
    }
}

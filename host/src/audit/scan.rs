//! One pass over the file that is written, when a trail is opened: where it ends, which calls are open, and whether what
//! stands behind the tip was written by this gateway.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;
use soulbound_runtime::skill::Digest;

use super::canonical;
use super::error::AuditError;
use super::folder::{self, Access};
use super::heartbeat::Watcher;
use super::hex::Hex;
use super::keys::Keys;
use super::line::{LONGEST, Line};
use super::tip::Tip;
use super::writer::{OpenCall, OpenCalls};

/// What the pass found.
#[derive(Debug)]
pub(super) struct Scan {
    /// The number of the first record.
    pub(super) first: Option<u64>,
    /// The last line that is a record.
    pub(super) last: Tip,
    /// Where it ends, in bytes.
    pub(super) good: u64,
    /// Bytes behind it.
    pub(super) trailing: u64,
    /// How many lines those are.
    pub(super) trailing_lines: u64,
    /// Their digest.
    pub(super) trailing_digest: Digest,
    /// Whether the file ends as a line does.
    pub(super) ends_in_newline: bool,
    /// The hash of the record that the tip names.
    pub(super) at_tip: Option<Hex>,
    /// Whether every record behind the tip follows from it and was written with the key.
    pub(super) sound_after_tip: bool,
    /// Calls that began and did not end.
    pub(super) open: OpenCalls,
}

/// Reads a file. A missing one is an empty one.
pub(super) fn file(
    path: &Path,
    tip: Option<Tip>,
    keys: &Keys,
    watcher: Option<&dyn Watcher>,
) -> Result<Scan, AuditError> {
    let tip = tip.unwrap_or(Tip::START);
    let mut scan = Scan {
        first: None,
        last: Tip::START,
        good: 0,
        trailing: 0,
        trailing_lines: 0,
        trailing_digest: Digest::of(&[]),
        ends_in_newline: true,
        at_tip: (tip == Tip::START).then_some(tip.hash),
        sound_after_tip: true,
        open: OpenCalls::new(),
    };
    let Some(file) = folder::open(path, Access::Read)? else { return Ok(scan) };
    let mut reader = BufReader::with_capacity(64 << 10, file);
    // Lines behind the last record, together: there is at most one unless somebody else wrote here.
    let (mut trailing, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let bytes = read_line(&mut reader, &mut line).map_err(AuditError::file("read", path))?;
        if bytes == 0 {
            break;
        }
        scan.ends_in_newline = line.ends_with(b"\n");
        let record = line.strip_suffix(b"\n").and_then(Line::parse);
        let Some(record) = record else {
            scan.trailing_lines += 1;
            scan.trailing += bytes;
            trailing.extend_from_slice(&line);
            continue;
        };
        scan.good += std::mem::take(&mut scan.trailing) + bytes;
        scan.trailing_lines = 0;
        trailing.clear();
        scan.take(&record, tip, keys);
        if let Some(watcher) = watcher {
            let arguments = record.member("args").map(canonical::text);
            if let Some(sight) = record.sight(arguments.as_deref()) {
                watcher.saw(&sight);
            }
        }
    }
    scan.trailing_digest = Digest::of(&trailing);
    Ok(scan)
}

impl Scan {
    fn take(&mut self, record: &Line<'_>, tip: Tip, keys: &Keys) {
        if self.first.is_none() {
            self.first = Some(record.seq);
            // A file that a rotation had just begun: the tip's record is the last of the file before.
            if record.seq == tip.seq.saturating_add(1) && record.prev == tip.hash {
                (self.at_tip, self.last) = (Some(tip.hash), tip);
            }
        }
        if record.seq > tip.seq {
            self.sound_after_tip = self.sound_after_tip && record.follows(self.last, keys);
        } else if record.seq == tip.seq {
            self.at_tip = Some(record.hash);
        }
        self.last = record.tip();
        self.note_calls(record);
    }

    fn note_calls(&mut self, record: &Line<'_>) {
        let names = |skill: Option<&str>, tool: Option<&str>| OpenCall {
            skill: skill.unwrap_or_default().to_owned(),
            tool: tool.unwrap_or_default().to_owned(),
        };
        match record.text("event") {
            Some("intent") => {
                self.open.insert(record.seq, names(record.text("skill"), record.text("tool")));
            }
            Some("outcome") => {
                if let Some(call) = record.number("call") {
                    self.open.remove(&call);
                }
            }
            Some("rotated") => {
                let carried = record.member("note").and_then(|note| note.get("open")?.as_array());
                for call in carried.into_iter().flatten() {
                    let text = |index: usize| call.get(index).and_then(Value::as_str);
                    if let Some(number) = call.get(0).and_then(Value::as_u64) {
                        self.open.insert(number, names(text(1), text(2)));
                    }
                }
            }
            _ => {}
        }
    }
}

/// Reads up to and with the next newline, keeping no more than a line may have. Returns how many bytes were read.
pub(super) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<u64> {
    let read = reader.by_ref().take(LONGEST).read_until(b'\n', line)? as u64;
    if read == LONGEST && !line.ends_with(b"\n") {
        return Ok(read + reader.skip_until(b'\n')? as u64);
    }
    Ok(read)
}

/// Whether what [`read_line`] kept is only the beginning of a line, which is longer than a record may be.
pub(super) fn is_too_long(line: &[u8]) -> bool {
    line.len() as u64 >= LONGEST && !line.ends_with(b"\n")
}

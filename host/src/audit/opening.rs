//! Opening a trail: what the last process left is read, repaired where it died in the middle of a line, and reported
//! where it is not what its tip says.
//!
//! Killed between two steps, a process leaves one of four things: a torn last line (never acknowledged: cut off and
//! said), a record that the tip does not know yet (kept, if the key wrote it), a half-done rotation (finished), calls
//! without an outcome (closed as `interrupted`). Anything else was not our doing and is a `discontinuity`, for ever.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use serde_json::json;
use soulbound_runtime::skill::Digest;

use super::background::Background;
use super::canonical::Fields;
use super::entry::{self, OutcomeEntry};
use super::error::AuditError;
use super::event::{Decision, Event};
use super::heartbeat::{self, Watcher};
use super::keys::{Keys, make_folder};
use super::log::{self, Log};
use super::rotation;
use super::scan::{self, Scan};
use super::settle::{Settler, Settling};
use super::tip::{self, Found, SLOTS, Slots, Tip};
use super::trail::{Durability, Options, Shared, Trail};
use super::writer::Writer;

/// What was found when a trail was opened.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    /// A torn last line that was cut off.
    pub(crate) repaired: Option<Repair>,
    /// The trail is not what its tip says.
    pub(crate) discontinuity: Option<Discontinuity>,
    /// Calls whose outcome died with the process, by number.
    pub(crate) interrupted: Vec<u64>,
}

/// What was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repair {
    /// How many bytes.
    pub(crate) bytes: u64,
    /// Their digest.
    pub(crate) digest: Digest,
}

/// What the tip said, and what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Discontinuity {
    /// The tip; none when its file is gone or emptied.
    pub(crate) expected: Option<Tip>,
    /// The last record of the file.
    pub(crate) found: Tip,
    /// Whether the machine was started again in between.
    pub(crate) rebooted: bool,
}

impl Opening {
    /// What an operator has to be told, a sentence each.
    pub(crate) fn warnings(&self, owner: &str) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(repair) = self.repaired {
            warnings.push(format!(
                "the trail of `{owner}` ended in {} bytes of an unfinished record, which were cut off",
                repair.bytes
            ));
        }
        if let Some(Discontinuity { expected, found, rebooted }) = self.discontinuity {
            let expected =
                expected.map_or("its tip is gone".to_owned(), |tip| format!("its tip says {}", tip.seq));
            let restarted = if rebooted { "; the machine was started again in between" } else { "" };
            warnings.push(format!(
                "THE TRAIL OF `{owner}` WAS CHANGED: it ends with record {}, {expected}{restarted}\n  hint: soulbound audit verify {owner}",
                found.seq
            ));
        }
        if !self.interrupted.is_empty() {
            let calls: Vec<String> = self.interrupted.iter().map(|call| format!("{owner}#{call}")).collect();
            warnings.push(format!("ended with the last gateway, without an outcome: {}", calls.join(", ")));
        }
        warnings
    }
}

/// Who works for the trails of one process.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) keys: Arc<Keys>,
    pub(super) background: Background,
    /// Waits for the disk, with durability `power`.
    pub(super) settler: Option<Settler>,
    pub(super) options: Options,
}

/// What is known of a trail of which nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// It may never have begun.
    Unknown,
    /// It had begun.
    Certain,
}

/// Opens the trail of a folder, which is made if it is not there. Only for the holder of the lock.
pub(super) fn open(
    folder: &Path,
    owner: &str,
    hands: &Hands,
    watcher: Option<Arc<dyn Watcher>>,
    past: Past,
) -> Result<(Trail, Opening), AuditError> {
    make_folder(folder)?;
    sweep(folder)?;
    let had_slots = std::fs::symlink_metadata(folder.join(SLOTS)).is_ok();
    let found = tip::read(folder, &hands.keys)?;
    let slots = Slots::open(folder)?;
    let mut log = Log::open(folder)?;
    if hands.options.durability == Durability::Power {
        // A new file's name has to be on the disk as well.
        let settled = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        settled.map_err(AuditError::file("written", folder))?;
    }
    let segments = rotation::segments(folder).map_err(AuditError::file("listed", folder))?;
    let ours = found.map(|found| found.tip);
    let watching = watcher.as_deref();
    let mut scan = scan::file(&folder.join(log::NAME), ours, &hands.keys, watching)?;
    let unfinished_rotation = scan.last == Tip::START && scan.trailing == 0 && !segments.is_empty();
    if let (true, Some(segment)) = (unfinished_rotation, segments.last()) {
        scan = Scan { good: 0, trailing: 0, ..scan::file(&segment.path, ours, &hands.keys, watching)? };
    }

    let mut opening = Opening { discontinuity: judge(&scan, found, had_slots, past), ..Opening::default() };
    if scan.trailing > 0 {
        if opening.discontinuity.is_none() && scan.trailing_lines <= 1 {
            log.cut(scan.good).map_err(AuditError::file("repaired", log.path()))?;
            opening.repaired = Some(Repair { bytes: scan.trailing, digest: scan.trailing_digest });
        } else {
            // It stays as evidence; the next record begins on a line of its own.
            opening.discontinuity.get_or_insert(discontinuity(&scan, found));
            if !scan.ends_in_newline {
                log.append(b"\n").map_err(AuditError::file("written", log.path()))?;
            }
        }
    }
    let last = match found {
        Some(found) if found.tip.seq > scan.last.seq => found.tip,
        _ => scan.last,
    };
    let first = if unfinished_rotation {
        last.seq.saturating_add(1)
    } else {
        scan.first.unwrap_or(last.seq.saturating_add(1))
    };
    let writer = Writer {
        log,
        slots,
        options: Options { rotate: hands.options.rotate.max(1), ..hands.options },
        tip: last,
        first,
        open: scan.open,
        waiting: Default::default(),
        fault: None,
        signed: 0,
    };
    let trail = Trail::new(Arc::new(Shared {
        folder: folder.to_owned(),
        owner: owner.to_owned(),
        keys: Arc::clone(&hands.keys),
        background: hands.background.clone(),
        settling: hands.settler.clone().map(Settling::new),
        watcher,
        signing: AtomicBool::new(false),
        writer: Mutex::new(writer),
    }));
    say(&trail, &mut opening, last == Tip::START, unfinished_rotation)?;
    Ok((trail, opening))
}

/// Takes away what killed processes left of files that they were replacing, each under a name with its own number.
fn sweep(folder: &Path) -> Result<(), AuditError> {
    let entries = std::fs::read_dir(folder).map_err(AuditError::file("listed", folder))?;
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let ours = |name: &str| {
            let begins = [tip::SIGNED, heartbeat::NAME].iter().any(|of| name.starts_with(&format!(".{of}.")));
            begins && name.ends_with(".new")
        };
        if name.to_str().is_some_and(ours) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Whether the file is what the tip says.
fn judge(scan: &Scan, found: Option<Found>, had_slots: bool, past: Past) -> Option<Discontinuity> {
    let sound = match found {
        // The first record is written before the first slot.
        None if scan.last == Tip::START => past == Past::Unknown,
        None => had_slots && scan.last.seq == 1 && scan.sound_after_tip,
        Some(found) if found.tip.seq > scan.last.seq => false,
        Some(found) => scan.at_tip == Some(found.tip.hash) && scan.sound_after_tip,
    };
    (!sound).then(|| discontinuity(scan, found))
}

fn discontinuity(scan: &Scan, found: Option<Found>) -> Discontinuity {
    Discontinuity {
        expected: found.map(|found| found.tip),
        found: scan.last,
        rebooted: found.is_some_and(|found| found.rebooted),
    }
}

/// Writes what was found into the trail itself.
fn say(trail: &Trail, opening: &mut Opening, fresh: bool, rotated: bool) -> Result<(), AuditError> {
    let note = |event, note: &serde_json::Value| {
        trail.append(Fields { note: Some(entry::note(note)), ..Fields::new(event) })
    };
    if let Some(Discontinuity { expected, found, rebooted }) = opening.discontinuity {
        let place = |tip: Tip| json!({"seq": tip.seq, "hash": tip.hash});
        note(
            Event::Discontinuity,
            &json!({"expected": expected.map(place), "found": place(found), "rebooted": rebooted}),
        )?;
    } else if rotated {
        note(Event::Rotated, &rotation::note(&trail.open_calls(), trail.today()))?;
    } else if fresh {
        note(Event::Began, &json!({"public_key": trail.keys().public()}))?;
    }
    if let Some(repair) = opening.repaired {
        note(Event::Repaired, &json!({"bytes": repair.bytes, "digest": repair.digest}))?;
    }
    for (call, names) in trail.open_calls() {
        let mut fields = OutcomeEntry::without_result(Decision::Interrupted).fields(trail.keys());
        (fields.call, fields.skill, fields.tool) = (Some(call), Some(names.skill), Some(names.tool));
        trail.append(fields)?;
        opening.interrupted.push(call);
    }
    Ok(())
}

//! The end of a trail proved without its beginning: what `doctor` can afford where a trail is long.
//!
//! The rule: it finds nothing that the whole proof would not find, and it never says that the rest is sound.

use std::path::Path;

use super::super::error::AuditError;
use super::super::files;
use super::super::keys::Keys;
use super::super::line::Line;
use super::super::tip::Tip;
use super::{Fault, Proof, Report};

/// The bytes of a trail's files.
pub(crate) fn bytes(folder: &Path) -> Result<u64, AuditError> {
    files::list(folder)?.iter().map(|file| file.bytes(folder)).sum()
}

/// Proves the last `bytes` of a trail's newest file that has any, and that its tips and their signature are those of this end.
/// The arguments are those of [`super::trail`].
pub(crate) fn tail(
    folder: &Path,
    owner: &str,
    keys: &Keys,
    remembered: Option<Tip>,
    live: bool,
    bytes: u64,
) -> Result<Report, AuditError> {
    let mut proof = Proof::begun(folder, owner, keys, remembered, live)?;
    for file in files::list(folder)?.into_iter().rev() {
        let in_last_file = file.first.is_none();
        if file.bytes(folder)? == 0 {
            continue;
        }
        let name = file.name.clone();
        proof.begin(name.clone(), None);
        let Some(mut lines) = file.last_lines(folder, bytes)? else {
            // Where it begins nobody looks: it may be as long as the disk, and what stands before it is for the whole proof.
            proof.find(&name, 0, None, Fault::TooLong);
            proof.witnesses.clear();
            break;
        };
        let mut begun = false;
        while let Some(line) = lines.next()? {
            begun = begun || proof.begin_at(line);
            proof.line(line, in_last_file);
            if !begun {
                // No record so far, so nobody can say which should stand here.
                proof.report.findings.iter_mut().for_each(|finding| finding.place.seq = None);
            }
        }
        if !begun {
            proof.witnesses.clear();
        }
        break;
    }
    let mut report = proof.ended(folder)?;
    // Lines were counted from where it was begun; the record's number stands.
    report.findings.iter_mut().for_each(|finding| finding.place.line = 0);
    Ok(report)
}

impl Proof<'_> {
    /// Takes up where this line says that it stands, if it is a record. What is before it is not looked at, and so nobody's
    /// memory of that is.
    fn begin_at(&mut self, line: &[u8]) -> bool {
        let Some(record) = line.strip_suffix(b"\n").and_then(Line::parse) else { return false };
        let (seq, prev) = (record.seq, record.prev);
        if seq <= 1 {
            return true;
        }
        self.report.tip = Tip { seq: seq - 1, hash: prev };
        self.previous = Some(prev);
        self.whole = false;
        self.witnesses.retain(|(_, tip)| tip.seq >= seq);
        true
    }
}

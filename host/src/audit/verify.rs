//! Proof of a trail: every line is what was written, nothing is missing between them, and the end is where the tips say.
//!
//! One pass, in memory that does not grow with the trail. Read only, without a lock, while the gateway may be writing: the
//! tips are read first, so the file can only be further than they are.

mod finding;
mod tail;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) use finding::{Fault, Finding, Place, Witness};
pub(crate) use tail::{bytes, tail};

use super::error::AuditError;
use super::files;
use super::hex::Hex;
use super::keys::Keys;
use super::line::Line;
use super::scan::is_too_long;
pub(crate) use super::tip::Tip;
use super::tip::{self, SIGNED, SLOTS, SignedTip};

/// Findings that are listed; a trail of another key has one for each record.
const LISTED: usize = 1_000;

/// What came of a trail's proof.
#[derive(Debug)]
pub(crate) struct Report {
    /// Whose trail.
    pub(crate) owner: String,
    /// Lines that are records.
    pub(crate) records: u64,
    /// Files.
    pub(crate) files: u64,
    /// Calls without an outcome: under way, or ended with a gateway that was killed and has not been started since.
    pub(crate) open: u64,
    /// The last record.
    pub(crate) tip: Tip,
    /// What is wrong, at most a thousand.
    pub(crate) findings: Vec<Finding>,
    /// What is wrong beyond those.
    pub(crate) more_findings: u64,
    /// The newest tip of each agent, from the gateway's own trail.
    pub(crate) agents: BTreeMap<String, Tip>,
    /// The agents that were added, by the gateway's own trail: each has a trail since.
    pub(crate) added: BTreeSet<String>,
}

impl Report {
    /// Of a trail of which nothing is known.
    pub(crate) fn empty(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            records: 0,
            files: 0,
            open: 0,
            tip: Tip::START,
            findings: Vec::new(),
            more_findings: 0,
            agents: BTreeMap::new(),
            added: BTreeSet::new(),
        }
    }

    /// Agents with a folder, and those that the gateway's own trail, which this is, remembers. Sorted.
    pub(crate) fn known(&self, folders: &[String]) -> Vec<String> {
        let remembered = self.agents.keys().chain(&self.added);
        folders.iter().chain(remembered).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether nothing is there: whoever takes all of a trail away, tips too, leaves nothing that could be wrong.
    fn is_nothing(&self) -> bool {
        self.records == 0 && self.findings.is_empty()
    }

    /// The gateway's own trail as it is to be told: it begins before the first agent's folder is made.
    pub(crate) fn of_gateway(self, folders: &[String]) -> Self {
        if self.is_nothing() && !folders.is_empty() { Self::gone(&self.owner, false) } else { self }
    }

    /// Whether this was found to be gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.findings.iter().any(|finding| matches!(finding.fault, Fault::Gone { .. }))
    }

    /// An agent's trail as it is to be told; none is no folder. Who remembers it is the gateway's own, which this is.
    pub(crate) fn of_agent(&self, agent: &str, report: Option<Self>) -> Self {
        let remembered = self.added.contains(agent);
        // Where the gateway's own is not what was written, what it does not remember proves nothing: the folder tells.
        let doubted = self.findings.iter().any(|finding| finding.fault != Fault::Unfinished);
        match report {
            Some(report) if !(report.is_nothing() && (remembered || doubted)) => report,
            _ => Self::gone(agent, remembered),
        }
    }

    fn gone(owner: &str, remembered: bool) -> Self {
        let place = Place { file: super::log::NAME.to_owned(), line: 0, seq: None };
        Self { findings: vec![Finding { place, fault: Fault::Gone { remembered } }], ..Self::empty(owner) }
    }
}

/// Proves the trail of a folder. `remembered` is its tip in the gateway's own trail; `live` says that a gateway may be
/// writing it.
pub(crate) fn trail(
    folder: &Path,
    owner: &str,
    keys: &Keys,
    remembered: Option<Tip>,
    live: bool,
) -> Result<Report, AuditError> {
    let mut proof = Proof::begun(folder, owner, keys, remembered, live)?;
    let files = files::list(folder)?;
    let last = files.len().saturating_sub(1);
    for (index, file) in files.into_iter().enumerate() {
        let (name, first) = (file.name.clone(), file.first);
        let mut lines = file.lines(folder)?;
        proof.begin(name, first);
        while let Some(line) = lines.next()? {
            proof.line(line, index == last);
        }
    }
    proof.ended(folder)
}

/// A proof under way.
struct Proof<'a> {
    keys: &'a Keys,
    live: bool,
    report: Report,
    file: String,
    number: u64,
    /// The first record by the file's name, until it has been seen.
    named: Option<u64>,
    at_start_of_file: bool,
    /// The hash that the next record names; none after a record that has none that can be relied on.
    previous: Option<Hex>,
    open: BTreeSet<u64>,
    /// No record was missing or changed so far: an outcome without its intent is a finding of its own.
    whole: bool,
    witnesses: Vec<(Witness, Tip)>,
    has_slots: bool,
}

impl<'a> Proof<'a> {
    fn new(owner: &str, keys: &'a Keys, live: bool) -> Self {
        let report = Report::empty(owner);
        Self {
            keys,
            live,
            report,
            file: super::log::NAME.to_owned(),
            number: 0,
            named: None,
            at_start_of_file: true,
            previous: Some(Hex::ZERO),
            open: BTreeSet::new(),
            whole: true,
            witnesses: Vec::new(),
            has_slots: false,
        }
    }

    /// One that knows who remembers what of the trail: read before the trail itself.
    fn begun(
        folder: &Path,
        owner: &str,
        keys: &'a Keys,
        remembered: Option<Tip>,
        live: bool,
    ) -> Result<Self, AuditError> {
        let mut proof = Self::new(owner, keys, live);
        let slots = tip::read(folder, keys)?.map(|found| found.tip);
        proof.has_slots = slots.is_some();
        for (witness, tip) in [(Witness::Slot, slots), (Witness::Gateway, remembered)] {
            proof.witnesses.extend(tip.map(|tip| (witness, tip)));
        }
        match SignedTip::read(folder) {
            Ok(None) => {}
            Ok(Some(signed)) if signed.holds(owner, keys) => {
                proof.witnesses.push((Witness::Signature, signed.tip))
            }
            Ok(Some(_)) | Err(_) => proof.find(SIGNED, 0, None, Fault::BadSignature),
        }
        proof.witnesses.retain(|(_, tip)| tip.seq > 0);
        Ok(proof)
    }

    fn ended(mut self, folder: &Path) -> Result<Report, AuditError> {
        // The first record is written before the first slot; a trail that began since it was looked for has one now.
        if !self.has_slots && self.report.tip.seq > 1 && tip::read(folder, self.keys)?.is_none() {
            self.find(SLOTS, 0, None, Fault::NoTip);
        }
        Ok(self.end())
    }

    fn begin(&mut self, name: String, first: Option<u64>) {
        self.report.files += 1;
        (self.file, self.number, self.named, self.at_start_of_file) = (name, 0, first, true);
    }

    fn line(&mut self, line: &[u8], in_last_file: bool) {
        self.number += 1;
        let Some(whole) = line.strip_suffix(b"\n") else {
            if is_too_long(line) {
                return self.not_a_record(Fault::TooLong);
            }
            // Half a line at the end: the gateway is writing it, or was killed while it did.
            if !(self.live && in_last_file) {
                self.found(None, Fault::Unfinished);
            }
            return;
        };
        match Line::parse(whole) {
            None => self.not_a_record(Fault::NotARecord),
            Some(record) => self.record(&record),
        }
    }

    /// The number of the next record. Anybody can write a line whose hash fits and whose number is the largest there is.
    fn expected(&self) -> u64 {
        self.report.tip.seq.saturating_add(1)
    }

    fn not_a_record(&mut self, fault: Fault) {
        self.found(Some(self.expected()), fault);
        (self.previous, self.whole) = (None, false);
    }

    fn record(&mut self, record: &Line<'_>) {
        self.report.records += 1;
        let expected = self.expected();
        let sound = record.computed() == Some(record.hash);
        let discontinuity = sound && record.text("event") == Some("discontinuity");
        // A changed record's own number may be what was changed.
        let seq = if sound { record.seq } else { expected };
        let fault = if !sound {
            Some(Fault::Changed)
        } else if self.keys.record(&record.hash) != record.mac {
            Some(Fault::Forged)
        } else if record.text("agent") != Some(&self.report.owner) {
            Some(Fault::Foreign { agent: record.text("agent").unwrap_or_default().to_owned() })
        } else if discontinuity {
            let rebooted = record.member("note").and_then(|note| note.get("rebooted")?.as_bool());
            Some(Fault::Discontinuity { rebooted: rebooted.unwrap_or(false) })
        } else if self.at_start_of_file && record.seq > expected {
            Some(Fault::Missing { from: expected, to: record.seq - 1 })
        } else if record.seq != expected {
            Some(Fault::Order { expected })
        } else if self.previous.is_some_and(|previous| previous != record.prev) {
            Some(Fault::Unlinked)
        } else {
            None
        };
        let trusted = fault.is_none() || discontinuity;
        if let Some(fault) = fault {
            self.whole = false;
            self.found(Some(seq), fault);
        }
        if std::mem::take(&mut self.at_start_of_file) && self.named.take().is_some_and(|named| named != seq) {
            self.found(Some(seq), Fault::Misnamed);
        }
        self.report.tip = Tip { seq, hash: record.hash };
        self.previous = sound.then_some(record.hash);
        self.judge_witnesses();
        if trusted {
            self.follow_call(record);
            self.remember_tips(record);
            self.remember_agent(record);
        }
    }

    /// A record of a number that somebody remembers has to be the one that they remember.
    fn judge_witnesses(&mut self) {
        let here = self.report.tip;
        if self.witnesses.iter().any(|(_, tip)| tip.seq == here.seq) {
            let (at, others): (Vec<_>, Vec<_>) =
                self.witnesses.drain(..).partition(|(_, tip)| tip.seq == here.seq);
            self.witnesses = others;
            for (witness, _) in at.into_iter().filter(|(_, tip)| tip.hash != here.hash) {
                self.found(Some(here.seq), Fault::Replaced { witness });
            }
        }
    }

    fn follow_call(&mut self, record: &Line<'_>) {
        match record.text("event") {
            Some("intent") => {
                self.open.insert(record.seq);
            }
            Some("outcome") => {
                let call = record.number("call").unwrap_or(0);
                if !self.open.remove(&call) && self.whole {
                    self.found(Some(record.seq), Fault::NotOpen { call });
                }
            }
            _ => {}
        }
    }

    fn remember_tips(&mut self, record: &Line<'_>) {
        let tips = (record.text("event") == Some("tips")).then(|| record.member("note")).flatten();
        for (agent, tip) in tips.and_then(|note| note.as_object()).into_iter().flatten() {
            let seq = tip.get("seq").and_then(serde_json::Value::as_u64);
            let hash = tip.get("hash").and_then(|hash| Hex::parse(hash.as_str()?));
            if let (Some(seq), Some(hash)) = (seq, hash) {
                // What was once written down is the witness: a later tip that is lower is that of a trail put back.
                if let Some(before) = self.report.agents.get(agent).copied()
                    && (before.seq > seq || (before.seq == seq && before.hash != hash))
                {
                    self.found(
                        Some(record.seq),
                        Fault::WentBack { agent: agent.clone(), from: before.seq, to: seq },
                    );
                    continue;
                }
                self.report.agents.insert(agent.clone(), Tip { seq, hash });
            }
        }
    }

    fn remember_agent(&mut self, record: &Line<'_>) {
        let note = (record.text("event") == Some("agent.added")).then(|| record.member("note")).flatten();
        let agent = note.as_ref().and_then(|note| note.get("agent")?.as_str());
        self.report.added.extend(agent.map(str::to_owned));
    }

    /// Whoever remembers a record that was not met remembers more than there is.
    fn end(mut self) -> Report {
        let last = self.report.tip.seq;
        self.report.open = self.open.len() as u64;
        for (witness, tip) in std::mem::take(&mut self.witnesses) {
            if tip.seq > last {
                self.found(Some(last.saturating_add(1)), Fault::CutOff { witness, tip });
            }
        }
        self.report
    }

    fn found(&mut self, seq: Option<u64>, fault: Fault) {
        let (file, line) = (self.file.clone(), self.number);
        self.find(&file, line, seq, fault);
    }

    fn find(&mut self, file: &str, line: u64, seq: Option<u64>, fault: Fault) {
        if self.report.findings.len() == LISTED {
            self.report.more_findings += 1;
        } else {
            let place = Place { file: file.to_owned(), line, seq };
            self.report.findings.push(Finding { place, fault });
        }
    }
}

#[cfg(test)]
mod tests;

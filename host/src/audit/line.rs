//! A line of a trail, read back: its place in the chain, and what it says.

use serde_json::{Map, Value};
use soulbound_runtime::skill::Digest;

use super::event::Decision;
use super::heartbeat::{self, Sight, Today};
use super::hex::Hex;
use super::keys::Keys;
use super::tip::Tip;
use crate::clock::Moment;

/// The longest line that is read, in bytes. The longest that is written has about 100 KiB.
pub(super) const LONGEST: u64 = 1 << 20;

/// A line that is a record, whoever wrote it.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    text: &'a str,
    members: Map<String, Value>,
    pub(crate) seq: u64,
    pub(super) prev: Hex,
    pub(super) hash: Hex,
    pub(super) mac: Hex,
}

impl<'a> Line<'a> {
    /// Reads a line without its newline. `None` when it is no record of ours.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        // `FromStr` is compiled once, in serde_json, and so is fast in every profile.
        let Value::Object(members) = text.parse().ok()? else { return None };
        let hex = |name: &str| Hex::parse(members.get(name)?.as_str()?);
        let (prev, hash, mac) = (hex("prev")?, hex("hash")?, hex("mac")?);
        let seq = members.get("seq")?.as_u64()?;
        Some(Self { text, members, seq, prev, hash, mac })
    }

    /// Its place in the chain.
    pub(super) fn tip(&self) -> Tip {
        Tip { seq: self.seq, hash: self.hash }
    }

    /// The hash that a record of these bytes after `prev` has. `None` when the line was not written as ours are.
    pub(super) fn computed(&self) -> Option<Hex> {
        // The three members that are not hashed are taken out of the text. No argument can stand in for the first two:
        // it would have to hold the hash of itself. Behind `prev` there are strings and numbers only, in which a quote is
        // escaped, so its last occurrence is the record's own.
        let sealed = format!(",\"hash\":\"{}\",\"mac\":\"{}\"", self.hash, self.mac);
        let chained = format!(",\"prev\":\"{}\"", self.prev);
        let (head, rest) = self.text.split_once(&sealed)?;
        let (middle, tail) = rest.rsplit_once(&chained)?;
        let mut bytes = Vec::with_capacity(self.text.len());
        for part in [self.prev.as_str(), head, middle, tail] {
            bytes.extend_from_slice(part.as_bytes());
        }
        Some(Hex::of(&Digest::of(&bytes).0))
    }

    /// What somebody without the key can do to a line: the hash that it says becomes the one that it has.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn resealed(&self) -> Option<String> {
        Some(self.text.replacen(self.hash.as_str(), self.computed()?.as_str(), 1))
    }

    /// Whether this gateway wrote it after the record `before`.
    pub(super) fn follows(&self, before: Tip, keys: &Keys) -> bool {
        self.seq == before.seq.saturating_add(1)
            && self.prev == before.hash
            && self.computed() == Some(self.hash)
            && keys.record(&self.hash) == self.mac
    }

    /// A member that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }

    /// A member that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.members.get(name)?.as_u64()
    }

    /// Any member.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The whole line.
    pub(crate) fn as_str(&self) -> &'a str {
        self.text
    }

    /// When it was written.
    pub(crate) fn time(&self) -> Option<Moment> {
        Moment::parse(self.text("time")?)
    }

    /// How the call was decided.
    pub(crate) fn decision(&self) -> Option<Decision> {
        Decision::parse(self.text("decision")?)
    }

    /// What HEARTBEAT.md sees of it. `args` is its arguments' text, made by the caller so that it can be borrowed.
    pub(super) fn sight<'b>(&'b self, args: Option<&'b str>) -> Option<Sight<'b>> {
        Some(Sight {
            seq: self.seq,
            time: self.time()?,
            event: self.text("event")?,
            call: self.number("call"),
            skill: self.text("skill"),
            tool: self.text("tool"),
            args,
            decision: self.decision(),
            denial: self.member("denial").and_then(|denial| denial.get("id")?.as_str()),
            anomaly: self.member("note").and_then(heartbeat::anomaly),
            today: self.member("note").and_then(|note| today(note.get("today")?)),
        })
    }
}

fn today(figures: &Value) -> Option<Today> {
    let day = i32::try_from(figures.get(0)?.as_i64()?).ok()?;
    Some(Today { day, completed: figures.get(1)?.as_u64()?, errors: figures.get(2)?.as_u64()? })
}

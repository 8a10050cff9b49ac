//! A record in the form of RFC 8785: members sorted, no spaces, one spelling for every number and string.
//!
//! The form is written directly, member by member in sorted order, because a record is written twice for every call:
//! once to be hashed (without `prev`, `hash` and `mac`), once as the line. A property test holds it against the
//! canonicalizer that writes the parts whose shape is not ours (arguments, notes, accesses).

use serde::Serialize;
use serde_json::{Map, Value};
use soulbound_runtime::DenialId;
use soulbound_runtime::skill::Digest;

use super::event::{Decision, Event};
use super::hex::Hex;
use crate::clock::Moment;

/// The version of the record's form, `v`.
pub(super) const VERSION: u64 = 1;
/// Beyond this a double cannot tell two integers apart, and RFC 8785 writes doubles.
const EXACT: u64 = 1 << 53;

/// Everything that a record can say. The trail adds `agent`, `seq`, `prev`, `hash` and `mac`.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) time: Moment,
    pub(super) event: Event,
    pub(super) accesses: Option<String>,
    pub(super) accesses_more: Option<String>,
    pub(super) args: Option<String>,
    pub(super) args_mac: Option<Hex>,
    pub(super) bytes_in: Option<u64>,
    pub(super) bytes_out: Option<u64>,
    pub(super) call: Option<u64>,
    pub(super) decision: Option<Decision>,
    pub(super) denial: Option<String>,
    /// The same denial's id, for HEARTBEAT.md.
    pub(super) denial_id: Option<DenialId>,
    pub(super) digest: Option<Digest>,
    pub(super) duration_us: Option<u64>,
    pub(super) note: Option<String>,
    pub(super) policy: Option<Digest>,
    pub(super) result_mac: Option<Hex>,
    pub(super) skill: Option<String>,
    pub(super) soul: Option<Digest>,
    pub(super) tool: Option<String>,
    pub(super) who: Option<String>,
}

impl Fields {
    /// A record of this kind that says nothing yet.
    pub(super) fn new(event: Event) -> Self {
        Self {
            time: Moment::now(),
            event,
            accesses: None,
            accesses_more: None,
            args: None,
            args_mac: None,
            bytes_in: None,
            bytes_out: None,
            call: None,
            decision: None,
            denial: None,
            denial_id: None,
            digest: None,
            duration_us: None,
            note: None,
            policy: None,
            result_mac: None,
            skill: None,
            soul: None,
            tool: None,
            who: None,
        }
    }

    /// The record in its place in the chain.
    pub(super) fn body(&self, agent: &str, seq: u64, prev: &Hex) -> Body {
        let mut out = Writer { bytes: Vec::with_capacity(1024), first: true };
        out.bytes.extend_from_slice(prev.as_str().as_bytes());
        out.bytes.push(b'{');
        out.raw("accesses", self.accesses.as_deref());
        out.raw("accesses_more", self.accesses_more.as_deref());
        out.text("agent", Some(agent));
        out.raw("args", self.args.as_deref());
        out.text("args_mac", self.args_mac.as_ref().map(Hex::as_str));
        out.number("bytes_in", self.bytes_in);
        out.number("bytes_out", self.bytes_out);
        out.number("call", self.call);
        out.text("decision", self.decision.map(Decision::name));
        out.raw("denial", self.denial.as_deref());
        out.digest("digest", self.digest);
        out.number("duration_us", self.duration_us);
        out.text("event", Some(self.event.name()));
        let after_event = out.bytes.len();
        out.raw("note", self.note.as_deref());
        out.digest("policy", self.policy);
        let after_policy = out.bytes.len();
        out.text("result_mac", self.result_mac.as_ref().map(Hex::as_str));
        out.number("seq", Some(seq));
        out.text("skill", self.skill.as_deref());
        out.digest("soul", self.soul);
        out.text("time", Some(&self.time.to_string()));
        out.text("tool", self.tool.as_deref());
        out.number("v", Some(VERSION));
        out.text("who", self.who.as_deref());
        out.bytes.push(b'}');
        Body { chained: out.bytes, after_event, after_policy, prev: *prev }
    }
}

/// A record that is about to be hashed.
pub(super) struct Body {
    /// The digits of `prev`, then the record without `prev`, `hash` and `mac`: exactly what is hashed.
    chained: Vec<u8>,
    after_event: usize,
    after_policy: usize,
    prev: Hex,
}

impl Body {
    /// The record's hash.
    pub(super) fn hash(&self) -> Hex {
        Hex::of(&Digest::of(&self.chained).0)
    }

    /// The whole line, its newline too.
    pub(super) fn line(&self, hash: &Hex, mac: &Hex) -> Vec<u8> {
        let part = |range: std::ops::Range<usize>| self.chained.get(range).unwrap_or_default();
        let mut line = Vec::with_capacity(self.chained.len() + 192);
        line.extend_from_slice(part(Hex::ZERO.as_str().len()..self.after_event));
        for (name, value) in [(",\"hash\":\"", hash), (",\"mac\":\"", mac)] {
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(value.as_str().as_bytes());
            line.push(b'"');
        }
        line.extend_from_slice(part(self.after_event..self.after_policy));
        line.extend_from_slice(b",\"prev\":\"");
        line.extend_from_slice(self.prev.as_str().as_bytes());
        line.push(b'"');
        line.extend_from_slice(part(self.after_policy..self.chained.len()));
        line.push(b'\n');
        line
    }
}

/// Writes members that are there. The caller keeps the order.
struct Writer {
    bytes: Vec<u8>,
    first: bool,
}

impl Writer {
    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.bytes.push(b',');
        }
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
    }

    fn raw(&mut self, name: &str, canonical: Option<&str>) {
        if let Some(canonical) = canonical {
            self.name(name);
            self.bytes.extend_from_slice(canonical.as_bytes());
        }
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(name);
            // serde_json escapes exactly what RFC 8785 escapes, in its spelling. A string cannot fail to be written.
            let _ = serde_json::to_writer(&mut self.bytes, text);
        }
    }

    fn number(&mut self, name: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.name(name);
            let _ = serde_json::to_writer(&mut self.bytes, &number.min(EXACT));
        }
    }

    fn digest(&mut self, name: &str, digest: Option<Digest>) {
        self.text(name, digest.map(|digest| Hex::of(&digest.0)).as_ref().map(Hex::as_str));
    }
}

/// Any value in canonical form.
pub(super) fn text(value: &impl Serialize) -> String {
    // Fails on maps whose keys are no strings and on NaN: neither can be in a JSON value.
    serde_json_canonicalizer::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// JSON from outside in canonical form. Integers that a double cannot tell apart become decimal strings, which the
/// contract reads alike: otherwise two different arguments would leave one record.
pub(super) fn exact(value: &Value) -> String {
    if has_large(value) { text(&with_large_as_text(value)) } else { text(value) }
}

/// The same for an object's members.
pub(crate) fn exact_members(members: &Map<String, Value>) -> String {
    if members.values().any(has_large) { exact(&Value::Object(members.clone())) } else { text(members) }
}

/// Whether something is nested deeper than this.
pub(super) fn is_deeper(value: &Value, levels: usize) -> bool {
    let mut inner: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => return false,
    };
    levels == 0 || inner.any(|value| is_deeper(value, levels - 1))
}

fn is_large(number: &serde_json::Number) -> bool {
    number.as_u64().is_some_and(|number| number > EXACT)
        || number.as_i64().is_some_and(|number| number.unsigned_abs() > EXACT)
}

fn has_large(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_large(number),
        Value::Array(items) => items.iter().any(has_large),
        Value::Object(members) => members.values().any(has_large),
        _ => false,
    }
}

fn with_large_as_text(value: &Value) -> Value {
    match value {
        Value::Number(number) if is_large(number) => Value::String(number.to_string()),
        Value::Array(items) => items.iter().map(with_large_as_text).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), with_large_as_text(value))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;

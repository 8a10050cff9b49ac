//! What a caller says of a call, bounded: nothing that a model or a guest chose makes a record large.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::{Map, Value, json};
use soulbound_runtime::sandbox::{Access, CallError, Ending, ErrorKind, Outcome};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, DenialId};

use super::canonical::{self, Fields, is_deeper};
use super::event::{Decision, Event};
use super::hex::Hex;
use super::keys::Keys;

/// Arguments that are longer in canonical form, in bytes, are cut.
pub(super) const ARGUMENT_BYTES: usize = 4 << 10;
/// What is kept of those, in bytes.
const PREFIX_BYTES: usize = 2 << 10;
/// Arguments that are nested deeper are cut as well. A JSON reader gives up at 128 levels; arguments that it has just
/// read would make a record, one level deeper, that it cannot.
const LEVELS: usize = 64;
/// Accesses that an outcome lists.
const ACCESSES: usize = 100;
/// Bytes of them together: a target can have 4 KiB, and an outcome has to fit into the reserve of a full disk.
const ACCESS_BYTES: usize = 16 << 10;
/// The longest note, in bytes of canonical form.
const NOTE_BYTES: usize = 64 << 10;
/// Characters of a message or of a rule's text.
const MESSAGE: usize = 512;

/// A call that is about to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallEntry<'a> {
    /// The skill's slug.
    pub(crate) skill: &'a str,
    /// The tool's name.
    pub(crate) tool: &'a str,
    /// The component's digest.
    pub(crate) digest: Option<Digest>,
    /// The digest of the trusted SOUL.md.
    pub(crate) soul: Option<Digest>,
    /// The digest of the SOUL.md on disk, where it is another one: the call runs under what both permit.
    pub(crate) narrowed_by: Option<Digest>,
    /// The digest of the ceiling under which it runs.
    pub(crate) policy: Option<Digest>,
    /// The arguments, secrets taken out.
    pub(crate) arguments: &'a Map<String, Value>,
    /// Through which door it came: `mcp-http`, `operator`, …
    pub(crate) who: &'a str,
    /// The approval by which it runs: `echo-37`.
    pub(crate) approval: Option<&'a str>,
}

impl CallEntry<'_> {
    /// As a record of this kind.
    pub(super) fn fields(&self, event: Event, keys: &Keys) -> Fields {
        let arguments = canonical::exact_members(self.arguments);
        Fields {
            args_mac: Some(keys.content(arguments.as_bytes())),
            bytes_in: Some(arguments.len() as u64),
            args: Some(bounded(arguments, self.arguments.values().any(|value| is_deeper(value, LEVELS)))),
            digest: self.digest,
            note: self.note(),
            policy: self.policy,
            skill: Some(self.skill.to_owned()),
            soul: self.soul,
            tool: Some(self.tool.to_owned()),
            who: Some(self.who.to_owned()),
            ..Fields::new(event)
        }
    }
}

impl CallEntry<'_> {
    fn note(&self) -> Option<String> {
        let mut note = Map::new();
        note.extend(self.approval.map(|name| ("approval".to_owned(), name.into())));
        let digits = |digest: Digest| Hex::of(&digest.0).as_str().into();
        note.extend(self.narrowed_by.map(|digest| ("narrowed_by".to_owned(), digits(digest))));
        (!note.is_empty()).then(|| canonical::text(&note))
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OutcomeEntry<'a> {
    /// In one word.
    pub(crate) decision: Decision,
    /// What refused it.
    pub(crate) denial: Option<&'a Denial>,
    /// What failed. The message may be the guest's.
    pub(crate) error: Option<&'a CallError>,
    /// What the tool returned.
    pub(crate) result: Option<&'a Value>,
    /// What it reached for.
    pub(crate) accesses: &'a [Access],
    /// How often it did beyond those.
    pub(crate) accesses_dropped: u64,
    /// Refusals before this one that were counted instead of recorded.
    pub(crate) unrecorded: u64,
    /// How long it took; without, it is measured from the intent.
    pub(crate) duration: Option<Duration>,
}

impl<'a> OutcomeEntry<'a> {
    /// A call of which nothing is known but how it was decided.
    pub(super) fn without_result(decision: Decision) -> Self {
        Self {
            decision,
            denial: None,
            error: None,
            result: None,
            accesses: &[],
            accesses_dropped: 0,
            unrecorded: 0,
            duration: None,
        }
    }

    /// The outcome of a call that never reached the sandbox, or that was ended in it.
    pub(crate) fn of_denial(denial: &'a Denial) -> Self {
        Self { denial: Some(denial), ..Self::without_result(decision(Some(denial))) }
    }

    /// The sandbox's outcome.
    pub(crate) fn of(outcome: &'a Outcome) -> Self {
        let (result, denial, error) = match &outcome.ending {
            Ending::Returned(value) => (Some(value), None, None),
            Ending::Failed { denial, error } => (None, denial.as_ref(), error.as_ref()),
        };
        Self {
            decision: if result.is_some() { Decision::Allowed } else { decision(denial) },
            denial,
            error,
            result,
            accesses: &outcome.accesses,
            accesses_dropped: outcome.accesses_dropped,
            unrecorded: 0,
            duration: Some(outcome.duration),
        }
    }

    /// As the record that closes a call.
    pub(super) fn fields(&self, keys: &Keys) -> Fields {
        let result = self.result.map(canonical::exact);
        let (accesses, more) = accesses(self.accesses, self.accesses_dropped, keys);
        Fields {
            accesses,
            accesses_more: more,
            bytes_out: result.as_ref().map(|result| result.len() as u64),
            decision: Some(self.decision),
            denial: self.denial.map(denial),
            denial_id: self.denial.map(|denial| denial.id),
            duration_us: self
                .duration
                .map(|duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
            note: match (self.error, self.unrecorded) {
                (None, 0) => None,
                (None, count) => Some(canonical::text(&json!({"unrecorded_before": count}))),
                (Some(failed), _) => Some(error(failed)),
            },
            result_mac: result.map(|result| keys.content(result.as_bytes())),
            ..Fields::new(Event::Outcome)
        }
    }
}

/// A trap is the guest's failure, also where it has a denial's id; a limit or a missing grant is a refusal.
fn decision(denial: Option<&Denial>) -> Decision {
    match denial.map(|denial| denial.id) {
        Some(DenialId::AgentStopped | DenialId::GatewayStopped) => Decision::Killed,
        Some(DenialId::GuestTrap | DenialId::GuestExit) | None => Decision::Error,
        Some(_) => Decision::Denied,
    }
}

/// `denial`: what identifies it, without the hint.
pub(super) fn denial(denial: &Denial) -> String {
    let mut value = json!({"id": denial.id, "message": cut(&denial.message)});
    if let (Some(rule), Some(members)) = (&denial.rule, value.as_object_mut()) {
        members.insert(
            "rule".to_owned(),
            json!({"file": rule.file, "line": rule.line, "text": cut(&rule.text)}),
        );
    }
    canonical::text(&value)
}

/// A note in canonical form, or how long it would have been.
pub(super) fn note(note: &Value) -> String {
    let text = canonical::exact(note);
    if text.len() > NOTE_BYTES { canonical::text(&json!({"cut": text.len()})) } else { text }
}

fn error(error: &CallError) -> String {
    let kind = match error.kind {
        ErrorKind::Tool => "tool",
        ErrorKind::Trap => "trap",
        ErrorKind::Arguments => "arguments",
        _ => "component",
    };
    canonical::text(&json!({"error": {"kind": kind, "message": cut(&error.message)}}))
}

fn bounded(arguments: String, deep: bool) -> String {
    if arguments.len() <= ARGUMENT_BYTES && !deep {
        return arguments;
    }
    let prefix = arguments.get(..arguments.floor_char_boundary(PREFIX_BYTES)).unwrap_or_default();
    canonical::text(&json!({"cut": arguments.len(), "prefix": prefix}))
}

fn accesses(accesses: &[Access], dropped: u64, keys: &Keys) -> (Option<String>, Option<String>) {
    if accesses.is_empty() && dropped == 0 {
        return (None, None);
    }
    let mut listed = String::from("[");
    let mut rest = accesses.iter().peekable();
    let mut count = 0;
    while let Some(access) = rest.peek() {
        let access = canonical::text(access);
        if count == ACCESSES || listed.len() + access.len() > ACCESS_BYTES {
            break;
        }
        if count > 0 {
            listed.push(',');
        }
        listed.push_str(&access);
        count += 1;
        rest.next();
    }
    listed.push(']');
    let unlisted: Vec<&Access> = rest.collect();
    let more = unlisted.len() as u64 + dropped;
    if more == 0 {
        return (Some(listed), None);
    }
    let digest: Hex = keys.content(canonical::text(&unlisted).as_bytes());
    (Some(listed), Some(canonical::text(&json!({"count": more, "digest": digest}))))
}

/// The note of what runs because a person approved it.
pub(super) fn approval(name: &str) -> String {
    canonical::text(&json!({ "approval": name }))
}

/// The accesses of an effect: all of them.
pub(super) fn listed(accesses: &[Access]) -> String {
    canonical::text(&accesses)
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MESSAGE) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
    }
}

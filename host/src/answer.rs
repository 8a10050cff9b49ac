//! A call's outcome for whoever reads it: the one JSON document for programs, and the lines for people.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{CallError, Ending, ErrorKind, Outcome};
use soulbound_runtime::{Denial, visible};

use crate::exit::Exit;

/// An outcome as it goes over the gateway's socket to the command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// The JSON document.
    pub(crate) document: Value,
    /// The lines for standard error.
    pub(crate) said: Vec<String>,
    /// How the command ends.
    pub(crate) exit: Exit,
}

impl Answered {
    /// Of an outcome, with the record that has it.
    pub(crate) fn of(outcome: &Outcome, record: Option<&str>) -> Self {
        let mut document = document(outcome);
        let mut said = match &outcome.ending {
            Ending::Returned(_) => outcome.denials.iter().map(ToString::to_string).collect(),
            Ending::Failed { denial, error } => failure(denial.as_ref(), error.as_ref()),
        };
        if let (Some(record), Value::Object(members)) = (record, &mut document) {
            members.insert("record".to_owned(), json!(record));
            if !said.is_empty() {
                said.push(format!("  record:   {record}"));
            }
        }
        Self { document, said, exit: exit(outcome) }
    }
}

/// How a command that made this call ends.
pub(crate) fn exit(outcome: &Outcome) -> Exit {
    match &outcome.ending {
        Ending::Returned(_) => Exit::Done,
        Ending::Failed { error: Some(error), denial: None } if error.kind == ErrorKind::Arguments => {
            Exit::CouldNotRun
        }
        Ending::Failed { .. } => Exit::Refused,
    }
}

/// The denial, and the error beside it, as a person reads them: the head first.
pub(crate) fn failure(denial: Option<&Denial>, error: Option<&CallError>) -> Vec<String> {
    let mut lines: Vec<String> = denial.map(ToString::to_string).into_iter().collect();
    if let Some(error) = error {
        let kind = match error.kind {
            ErrorKind::Tool => "the tool's error:",
            ErrorKind::Trap => "trap:",
            _ => "error:",
        };
        let indent = if denial.is_some() { "  " } else { "" };
        lines.push(format!("{indent}{kind} {}", visible::line(&error.message)));
    }
    lines
}

/// The machine-readable form of an outcome.
pub(crate) fn document(outcome: &Outcome) -> Value {
    let log: Vec<Value> =
        outcome.log.iter().map(|line| json!({"source": line.source, "text": line.text})).collect();
    let mut document = json!({
        "denials": outcome.denials,
        "accesses": outcome.accesses,
        "accesses_dropped": outcome.accesses_dropped,
        "log": log,
        "log_dropped_bytes": outcome.log_dropped,
        "duration_us": u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX),
        "memory_peak_bytes": outcome.memory_peak,
    });
    let head = match &outcome.ending {
        Ending::Returned(value) => json!({"ok": true, "result": value}),
        Ending::Failed { denial, error } => json!({
            "ok": false,
            "denial": denial,
            "error": error.as_ref().map(|error| json!({
                "kind": error.kind, "id": error.id, "message": error.message, "value": error.value, "hint": null,
            })),
        }),
    };
    if let (Value::Object(mut head), Value::Object(rest)) = (head, document.take()) {
        head.extend(rest);
        return Value::Object(head);
    }
    document
}

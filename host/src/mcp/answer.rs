//! What came of a call, as the model is told. A value is text and structured content; anything else is `isError` with one
//! line: what was refused, and never by which rule or what would help. Those are the operator's, who finds them under
//! the record's id, which stands in `_meta`.
//!
//! The rule: a tool's own error says that it is one before its first word, since a refusal is final for a model and a tool
//! could write one of its own; and a refusal has its id in `_meta`, where no tool writes.

use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::Value;
use soulbound_runtime::sandbox::{CallError, Ending, ErrorKind};
use soulbound_runtime::skill::Tool;
use soulbound_runtime::{Denial, visible};

use crate::gateway::request::Answer;
use crate::mcp::content;
use crate::mcp::tools::Shape;

/// The key in `_meta` under which the record's id stands.
pub(crate) const RECORD: &str = "soulbound/record";
/// The key in `_meta` under which a refusal's id stands.
const DENIAL: &str = "soulbound/denial";
/// What stands before a tool's own words.
const OF_THE_TOOL: &str = "the tool's error:";

/// The result of `tools/call`.
pub(crate) fn told(tool: &Tool, answer: Answer) -> CallToolResult {
    let result = match answer.outcome.ending {
        Ending::Returned(value) => returned(tool, value),
        Ending::Failed { denial, error } => failed(tool, denial.as_ref(), error),
    };
    on_record(result, answer.record)
}

/// A result with its record's id.
pub(crate) fn on_record(result: CallToolResult, record: Option<String>) -> CallToolResult {
    match record {
        None => result,
        Some(record) => noted(result, RECORD, record),
    }
}

/// A result with one more member in its `_meta`.
fn noted(mut result: CallToolResult, key: &str, value: impl Into<Value>) -> CallToolResult {
    let MetaObject(meta) = result.meta.get_or_insert_default();
    meta.insert(key.to_owned(), value.into());
    result
}

/// A denial before there was anything to call.
pub(crate) fn refused(denial: &Denial) -> CallToolResult {
    of_denial(CallToolResult::error(vec![ContentBlock::text(denial.first_line())]), denial)
}

fn of_denial(result: CallToolResult, denial: &Denial) -> CallToolResult {
    noted(result, DENIAL, denial.id.as_str())
}

fn returned(tool: &Tool, value: Value) -> CallToolResult {
    if tool.returns_content {
        // No structured content beside it: clients put that before the model, and a picture there is a page of base64.
        return match content::blocks(value) {
            Ok(blocks) => CallToolResult::success(blocks),
            Err(why) => CallToolResult::error(vec![ContentBlock::text(format!(
                "`{}` returned what cannot be shown: {why}",
                tool.name
            ))]),
        };
    }
    let text = text(&value);
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(Shape::of(&tool.output_schema).content(value));
    result
}

fn failed(tool: &Tool, denial: Option<&Denial>, error: Option<CallError>) -> CallToolResult {
    let mut lines = Vec::new();
    lines.extend(denial.map(Denial::first_line));
    match error {
        // The tool's own words go to the model as a result's would: they are its text, and JSON keeps them in place.
        Some(CallError { kind: ErrorKind::Tool, value, message, .. }) => {
            lines.push(format!("{OF_THE_TOOL} {}", value.as_ref().map_or(message, text)));
        }
        Some(CallError { kind: ErrorKind::Arguments, message, .. }) => {
            lines.push(format!("`{}` cannot be called like this: {}", tool.name, visible::line(&message)));
        }
        // Beside a denial, that the guest then crashed says nothing more.
        Some(error) if denial.is_none() => {
            let id = error.id.map_or("guest.trap", |id| id.as_str());
            lines.push(format!("error[{id}]: {}", visible::line(&error.message)));
        }
        _ => {}
    }
    if lines.is_empty() {
        lines.push("the call failed".to_owned());
    }
    let result = CallToolResult::error(lines.into_iter().map(ContentBlock::text).collect());
    match denial {
        Some(denial) => of_denial(result, denial),
        None => result,
    }
}

/// A string as it is, since a model reads it; anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

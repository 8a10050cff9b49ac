//! A record as a line of a table, for spreadsheets, which run what they are given.

use soulbound_runtime::visible;

use crate::audit::read::Line;

/// The columns.
const COLUMNS: &[&str] = &[
    "seq",
    "time",
    "agent",
    "event",
    "call",
    "skill",
    "tool",
    "decision",
    "denial",
    "who",
    "bytes_in",
    "bytes_out",
    "duration_us",
    "digest",
    "soul",
    "policy",
    "args",
    "note",
    "hash",
];

/// The first line.
pub(super) fn header() -> String {
    COLUMNS.join(",")
}

/// One record.
pub(super) fn line(record: &Line<'_>) -> String {
    let cells = COLUMNS.iter().map(|name| match record.member(name) {
        None => String::new(),
        Some(serde_json::Value::String(text)) => cell(text),
        Some(serde_json::Value::Object(denial)) if *name == "denial" => {
            cell(denial.get("id").and_then(|id| id.as_str()).unwrap_or_default())
        }
        Some(value) => cell(&value.to_string()),
    });
    cells.collect::<Vec<_>>().join(",")
}

/// RFC 4180, with two additions: invisible characters are escaped, and what a spreadsheet would take for a formula
/// (`=`, `+`, `-`, `@` at the start; an argument can be `=HYPERLINK(…)`) is made text by an apostrophe.
fn cell(text: &str) -> String {
    let text = visible::line(text);
    let apostrophe = if text.starts_with(['=', '+', '-', '@']) { "'" } else { "" };
    if apostrophe.is_empty() && !text.contains(['"', ',']) {
        return text;
    }
    format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text_and_quotes_are_doubled() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@x"), "\"'@x\"");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("two\nlines"), "two\\nlines");
        assert_eq!(cell("plain"), "plain");
    }
}

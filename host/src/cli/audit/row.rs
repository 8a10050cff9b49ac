//! A record as a line for a person. Everything in it that a model or a guest chose is escaped.

use std::fmt::Write;

use soulbound_runtime::visible;

use crate::audit::Event;
use crate::audit::read::Line;
use crate::style::Style;

/// Characters of arguments or of a note.
const SHOWN: usize = 100;

/// One line.
pub(super) fn row(record: &Line<'_>, style: Style) -> String {
    let text = |name: &str| visible::line(record.text(name).unwrap_or_default());
    let mut row = format!("{:>6}  {}  ", record.seq, style.dim(&text("time")));
    let event = record.text("event").unwrap_or_default();
    let decided = match record.text("decision") {
        None => format!("{:11}", visible::line(event)),
        Some("allowed") => style.green("allowed    "),
        Some(decision) => style.red(&format!("{:11}", visible::line(decision))),
    };
    row.push_str(&decided);
    // Writing to a String does not fail.
    if event == Event::Effect.name() && record.member("accesses").is_some() {
        // Trails of earlier versions have no skill here.
        if record.text("skill").is_some() {
            let _ = write!(row, "  {}", text("skill"));
        }
        row.push_str(&accesses(record));
    } else if record.text("skill").is_some() {
        let _ = write!(row, "  {} ({})", text("skill"), text("tool"));
    } else if let Some(event) = Event::parse(event) {
        let _ = write!(row, "  {}", event.sentence());
    }
    if let Some(call) = record.number("call") {
        let _ = write!(row, "  #{call}");
    }
    if let Some(duration) = record.number("duration_us") {
        let _ = write!(row, "  {}.{:03} ms", duration / 1_000, duration % 1_000);
    }
    if let Some(denial) = record.member("denial") {
        let part =
            |name: &str| visible::line(denial.get(name).and_then(|text| text.as_str()).unwrap_or_default());
        let _ = write!(row, "  {}: {}", style.yellow(&part("id")), part("message"));
    }
    for name in ["args", "note"] {
        if let Some(value) = record.member(name) {
            let value = visible::line(&value.to_string());
            let cut: String = value.chars().take(SHOWN).collect();
            let more = if cut.len() < value.len() { "…" } else { "" };
            let _ = write!(row, "  {}", style.dim(&format!("{cut}{more}")));
        }
    }
    if record.text("who").is_some() {
        let _ = write!(row, "  by {}", text("who"));
    }
    row
}

/// What a running call is about to change or request: `write /drafts/a.md`.
fn accesses(record: &Line<'_>) -> String {
    let all = record.member("accesses").and_then(|accesses| accesses.as_array());
    let mut said = String::new();
    for access in all.into_iter().flatten() {
        let text = |name: &str| access.get(name).and_then(|text| text.as_str()).unwrap_or_default();
        let target = visible::quoted_target(text("target"));
        said.push_str(&format!("  {} {target}", visible::line(text("access"))));
    }
    said
}

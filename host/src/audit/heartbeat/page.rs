//! The page itself: headings, lines and figures in the order that the ecosystem's scripts know.

use std::fmt::Write;

use super::pulse::Pulse;
use super::words;
use crate::clock::Moment;

/// Whose page it is, as SOUL.md says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Header {
    /// `Name`
    pub(crate) name: String,
    /// `Role`
    pub(crate) role: Option<String>,
}

/// The whole page.
pub(super) fn render(header: &Header, pulse: &Pulse, now: Moment) -> String {
    let role = header.role.as_deref().map(|role| format!(" ({})", words::name(role))).unwrap_or_default();
    let mut page = format!("# Heartbeat - {}{role}\n", words::name(&header.name));
    let last = pulse.last_active.map_or("Never".to_owned(), |time| time.to_string());
    // Writing to a String does not fail.
    let _ = write!(page, "## Last Active\n{last}\n## Recent Actions\n");
    for act in &pulse.acts {
        let _ = writeln!(page, "{act}");
    }
    let anomalies = match pulse.anomaly {
        None => "None".to_owned(),
        Some(newest) => format!("{}, the newest: {newest}", pulse.anomalies),
    };
    // Nobody's script knows this line: it is there while there is something to say.
    let breakers = match pulse.breakers.as_slice() {
        [] => String::new(),
        open => {
            let names: Vec<String> = open.iter().map(|one| words::name(one)).collect();
            format!("- Breakers: {}\n", names.join(", "))
        }
    };
    let _ = write!(
        page,
        "## Status\n- Active tasks: {}\n- Waiting for approval: {}\n- Completed today: {}\n- Errors: {}\n- Anomalies: {anomalies}\n{breakers}",
        pulse.active.len(),
        pulse.waiting,
        pulse.completed_on(now.day()),
        pulse.errors_on(now.day()),
    );
    page
}

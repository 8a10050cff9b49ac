//! `soulbound doctor`: is this machine fit to run a gateway, and is this state folder well? Every finding has its fix.

mod checks;
mod files;
mod names;
mod port;
mod standing;
mod trails;
pub(crate) mod words;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::exit::Exit;
use crate::gateway::status::separation;
use crate::style::Style;

/// Check the machine and the state folder; exit 1 when something needs a hand
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound doctor\n  soulbound doctor --json")]
pub(super) struct Doctor {
    /// One JSON document
    #[arg(long)]
    json: bool,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    /// Good to know; nothing to mend.
    Info,
    /// It works, and less well or less safely than it could.
    Warning,
    /// Calls are refused, or will be.
    Error,
}

/// Something that a check found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    /// Which check, stable and dotted.
    check_id: &'static str,
    severity: Severity,
    message: String,
    /// What to do.
    fix_hint: String,
}

impl Finding {
    fn new(
        check_id: &'static str,
        severity: Severity,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check_id, severity, message: message.into(), fix_hint: fix.into() }
    }
}

impl Doctor {
    pub(super) fn run(self) -> Result<Exit> {
        let findings = checks::all();
        let ok = findings.iter().all(|finding| finding.severity == Severity::Info);
        if self.json {
            super::print_json(&json!({
                "ok": ok, "checksRun": checks::COUNT, "findings": findings, "separation": separation(),
            }))?;
        } else {
            page(&findings, ok);
        }
        Ok(if ok { Exit::Done } else { Exit::Refused })
    }
}

fn page(findings: &[Finding], ok: bool) {
    let style = Style::stdout();
    for finding in findings {
        let word = match finding.severity {
            Severity::Info => style.dim("info"),
            Severity::Warning => style.yellow("warning"),
            Severity::Error => style.red("error"),
        };
        super::print(&format!("{word}: {} [{}]", super::escaped(&finding.message), finding.check_id));
        super::print(&format!("  hint: {}", super::escaped(&finding.fix_hint)));
    }
    super::print(&if ok {
        style.green(&format!("ok ({} checks)", checks::COUNT))
    } else {
        style.red("something needs a hand")
    });
}

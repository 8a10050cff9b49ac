//! Doctor's look at the trails: that each is there, ends where its tips say, and is what was written.
//!
//! The rule: it ends in seconds however long the trails are, and says what it did not look at. The whole proof is
//! `soulbound audit verify`.

use std::path::Path;

use anyhow::Result;

use super::{Finding, Severity};
use crate::audit::verify::{self, Fault, Report, Tip};
use crate::audit::{GATEWAY, Keys, agent_folder, agent_folders, live};
use crate::state::StateFolder;

/// Bytes that are proved in all: about a second's work of an optimised program.
const WHOLE: u64 = 64 << 20;
/// What is proved of a trail that is too long for that.
const TAIL: u64 = 64 << 10;
/// Trails that are told of one by one.
const TOLD: usize = 10;

/// What is wrong with the trails, and what was not looked at.
pub(super) fn findings(state: &StateFolder) -> Vec<Finding> {
    looked(state).unwrap_or_else(|error| {
        let text = format!("{error:#}");
        let (message, fix) =
            text.split_once("\n  hint: ").unwrap_or((&text, "mend that, then: soulbound audit verify"));
        vec![Finding::new("audit.readable", Severity::Error, message, fix)]
    })
}

/// What was looked at, and how much of it.
#[derive(Default)]
struct Looked {
    left: u64,
    in_part: usize,
    found: Vec<Finding>,
    more: usize,
}

fn looked(state: &StateFolder) -> Result<Vec<Finding>> {
    let agents = agent_folders(state.path())?;
    let Some(keys) = crate::cli::audit::keys(state, &agents)? else { return Ok(Vec::new()) };
    let live = live::is_live(state.path());
    let mut looked = Looked { left: WHOLE, ..Looked::default() };
    // The gateway's own first: it remembers how far each trail was, and that there was one.
    let gateway = match looked.at(state.path(), GATEWAY, &keys, None, live) {
        Some(report) => report.of_gateway(&agents),
        None => Report::empty(GATEWAY),
    };
    looked.tell(&gateway);
    for agent in gateway.known(&agents) {
        let folder = agent_folder(state.path(), &agent);
        let tip = gateway.agents.get(&agent).copied();
        let report = match folder.is_dir() {
            true => match looked.at(&folder, &agent, &keys, tip, live) {
                None => continue,
                report => report,
            },
            false => None,
        };
        looked.tell(&gateway.of_agent(&agent, report));
    }
    Ok(looked.findings())
}

impl Looked {
    /// Looks at a trail. None when it cannot be read, which is told.
    fn at(
        &mut self,
        folder: &Path,
        owner: &str,
        keys: &Keys,
        remembered: Option<Tip>,
        live: bool,
    ) -> Option<Report> {
        let proved = verify::bytes(folder).and_then(|bytes| {
            if bytes <= self.left {
                self.left -= bytes;
                verify::trail(folder, owner, keys, remembered, live)
            } else {
                self.in_part += 1;
                verify::tail(folder, owner, keys, remembered, live, TAIL)
            }
        });
        match proved {
            Ok(report) => Some(report),
            Err(error) => {
                let message = format!("the trail of {owner} cannot be read: {error}");
                let fix = "find out who changed its owner or mode, then make it the gateway's user's alone (chmod 600)";
                self.found.push(Finding::new("audit.readable", Severity::Error, message, fix));
                None
            }
        }
    }

    fn tell(&mut self, report: &Report) {
        let Some(worst) = report.findings.iter().max_by_key(|finding| severity(&finding.fault)) else {
            return;
        };
        if self.found.len() == TOLD {
            self.more += 1;
            return;
        }
        let (severity, owner) = (severity(&worst.fault), report.owner.as_str());
        let more = report.findings.len() as u64 - 1 + report.more_findings;
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let verify = if owner == GATEWAY {
            "soulbound audit verify".to_owned()
        } else {
            format!("soulbound audit verify {owner}")
        };
        let (id, fix) = match worst.fault {
            Fault::Unfinished => {
                ("audit.unfinished", "nothing: the next start of the gateway closes it".to_owned())
            }
            Fault::Discontinuity { .. } => (
                "audit.discontinuity",
                format!("{verify} names the record; it stays in the trail, which nobody can make unseen"),
            ),
            _ => (
                "audit.trails",
                format!(
                    "keep a copy of the state folder for whoever looks into it; {verify} names every record"
                ),
            ),
        };
        let message = format!("the trail of {owner} is not what was written: {worst}{more}");
        self.found.push(Finding::new(id, severity, message, fix));
    }

    fn findings(mut self) -> Vec<Finding> {
        if self.more > 0 {
            let message = format!("{} more trails are not what was written", self.more);
            self.found.push(Finding::new("audit.trails", Severity::Error, message, "soulbound audit verify"));
        }
        if self.in_part > 0 {
            let trails = if self.in_part == 1 {
                "1 long trail".to_owned()
            } else {
                format!("{} long trails", self.in_part)
            };
            self.found.push(Finding::new(
                "audit.in-part",
                Severity::Info,
                format!("of {trails} only the last {} KiB and the tips were looked at", TAIL >> 10),
                "soulbound audit verify looks at all",
            ));
        }
        self.found
    }
}

/// How much a fault matters.
fn severity(fault: &Fault) -> Severity {
    match fault {
        // Of a gateway that was killed in the middle of a line.
        Fault::Unfinished => Severity::Info,
        Fault::Discontinuity { .. } => Severity::Warning,
        _ => Severity::Error,
    }
}

//! `soulbound audit verify`: proof that trails are what was written, or which record is not.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::audit::verify::{Report, trail};
use crate::audit::{GATEWAY, Keys, agent_folder, agent_folders, live};
use crate::exit::Exit;
use crate::state::StateFolder;
use crate::style::Style;

/// Prove that trails are what was written: exit 0 when they are, 1 with findings, 2 when they cannot be read
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound audit verify\n  soulbound audit verify echo --json")]
pub(super) struct Verify {
    /// The agent's id; without, the gateway's own trail and every agent's, removed ones too
    agent: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self) -> Result<Exit> {
        let (reports, keys) = reports(&StateFolder::find()?, self.agent.as_deref())?;
        self.said(&reports, keys.as_deref())
    }

    fn said(&self, reports: &[Report], keys: Option<&Keys>) -> Result<Exit> {
        let clean = reports.iter().all(|report| report.findings.is_empty());
        if self.json {
            let trails: Vec<Value> = reports.iter().map(json_report).collect();
            let public = keys.map(Keys::public);
            super::super::print_json(&json!({"ok": clean, "public_key": public, "trails": trails}))?;
        } else if reports.is_empty() {
            super::super::note("there is no trail yet");
        } else {
            reports.iter().for_each(|report| super::super::print(&text(report)));
        }
        Ok(if clean { Exit::Done } else { Exit::Refused })
    }
}

/// What verifying one agent's trail shows, or the gateway's own and then every agent's; and the keys, where there are trails.
pub(super) fn reports(state: &StateFolder, asked: Option<&str>) -> Result<(Vec<Report>, Option<Arc<Keys>>)> {
    if let Some(agent) = asked {
        super::trail_of(state, Some(agent))?;
    }
    let agents = agent_folders(state.path())?;
    let Some(keys) = keys(state, &agents)? else { return Ok((Vec::new(), None)) };
    let live = live::is_live(state.path());
    // The gateway's own first, also for one agent: it remembers how far each trail was.
    let gateway = trail(state.path(), GATEWAY, &keys, None, live)?.of_gateway(&agents);
    let mut reports = Vec::new();
    for agent in gateway.known(&agents) {
        if asked.is_none_or(|wanted| wanted == agent) {
            let remembered = gateway.agents.get(&agent).copied();
            let folder = agent_folder(state.path(), &agent);
            let report = match folder.is_dir() {
                true => Some(trail(&folder, &agent, &keys, remembered, live)?),
                false => None,
            };
            reports.push(gateway.of_agent(&agent, report));
        }
    }
    if asked.is_none() || gateway.is_gone() {
        reports.insert(0, gateway);
    }
    Ok((reports, Some(keys)))
}

/// The keys of the trails; none where there are no trails.
///
/// # Errors
///
/// There are trails without keys.
pub(in crate::cli) fn keys(state: &StateFolder, agents: &[String]) -> Result<Option<Arc<Keys>>> {
    let keys = Keys::read(state.path())?;
    // Both are older than the first agent's folder.
    if keys.is_none() && (!agents.is_empty() || state.path().join("audit.jsonl").exists()) {
        bail!(
            "the keys of the trails are gone from `{}`\n  hint: put them back from a backup",
            state.path().join("keys").display()
        );
    }
    Ok(keys)
}

fn json_report(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({"id": finding.fault.id(), "file": finding.place.file, "line": finding.place.line, "seq": finding.place.seq,
                "message": finding.to_string()})
        })
        .collect();
    json!({"agent": report.owner, "records": report.records, "files": report.files, "open": report.open,
        "tip": {"seq": report.tip.seq, "hash": report.tip.hash}, "findings": findings, "more_findings": report.more_findings})
}

fn text(report: &Report) -> String {
    let style = Style::stdout();
    let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut read = format!("{} in {}", plural(report.records, "record"), plural(report.files, "file"));
    if report.open > 0 {
        read.push_str(&format!(", {} without an outcome", plural(report.open, "call")));
    }
    if report.findings.is_empty() {
        return format!("{}  {read}: {}", style.bold(&report.owner), style.green("as written"));
    }
    let found = report.findings.len() as u64 + report.more_findings;
    let mut lines =
        vec![format!("{}  {read}: {}", style.bold(&report.owner), style.red(&plural(found, "finding")))];
    lines.extend(report.findings.iter().map(|finding| format!("  {finding}")));
    if report.more_findings > 0 {
        lines.push(format!("  and {} more", report.more_findings));
    }
    lines.join("\n")
}

//! `soulbound audit replay`: every recorded access judged again by a second matcher, against the SOUL.md of that moment.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Soul, visible};

use crate::audit::agent_folders;
use crate::audit::replay::{Finding, Replay, replay};
use crate::exit::Exit;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::Registry;

/// Judge every recorded access again, by a second matcher: exit 0 when each stood under a grant, 1 with findings or a trail that does not verify
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  soulbound audit replay\n  soulbound audit replay echo --json\n\n\
    What is wrong with a trail that does not verify, `soulbound audit verify` says.")]
pub(super) struct ReplayTrails {
    /// The agent's id; without, every agent's trail, removed ones too
    agent: Option<String>,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

impl ReplayTrails {
    pub(super) fn run(self) -> Result<Exit> {
        let state = StateFolder::find()?;
        let agents = match &self.agent {
            Some(agent) => vec![super::trail_of(&state, Some(agent))?.1],
            None => agent_folders(state.path())?,
        };
        // Records that are not genuine prove nothing, whatever they say.
        let (reports, _) = super::verify::reports(&state, self.agent.as_deref())?;
        let forged: Vec<&str> = reports
            .iter()
            .filter(|report| !report.findings.is_empty())
            .map(|report| report.owner.as_str())
            .collect();
        let is_genuine = |agent: &str| !forged.contains(&agent);
        let registry = Registry::open(&state);
        let soul = |digest: Digest| {
            let bytes = registry.store().get(digest).ok()?;
            Soul::parse("SOUL.md", &bytes).ok()
        };
        let mut replays = Vec::new();
        for agent in agents {
            let (folder, agent) = super::trail_of(&state, Some(&agent))?;
            replays.push((agent, replay(&folder, &soul)?));
        }
        let clean = forged.is_empty() && replays.iter().all(|(_, replay)| replay.findings.is_empty());
        if self.json {
            let trails: Vec<Value> =
                replays.iter().map(|(agent, replay)| document(agent, replay, is_genuine(agent))).collect();
            super::super::print_json(&json!({"ok": clean, "trails": trails}))?;
        } else if replays.is_empty() {
            super::super::note("there is no trail yet");
        } else {
            replays
                .iter()
                .for_each(|(agent, replay)| super::super::print(&text(agent, replay, is_genuine(agent))));
        }
        for owner in &forged {
            super::super::note(&format!(
                "the trail of `{owner}` does not verify, so what it says is no proof\n  hint: `soulbound audit verify` says what is wrong with it"
            ));
        }
        Ok(if clean { Exit::Done } else { Exit::Refused })
    }
}

fn document(agent: &str, replay: &Replay, verified: bool) -> Value {
    let findings: Vec<Value> = replay
        .findings
        .iter()
        .map(|finding| {
            json!({"seq": finding.seq, "skill": finding.skill, "access": finding.access, "target": finding.target,
                "message": finding.why})
        })
        .collect();
    json!({"agent": agent, "verified": verified, "judged": replay.judged, "refused": replay.refused, "unjudged": replay.unjudged,
        "findings": findings, "more_findings": replay.more_findings})
}

fn text(agent: &str, replay: &Replay, verified: bool) -> String {
    let style = Style::stdout();
    let found = replay.findings.len() as u64 + replay.more_findings;
    let judged = format!(
        "{} let pass and judged again, {} refused, {} not to be judged from the record",
        replay.judged, replay.refused, replay.unjudged
    );
    let verdict = match found {
        0 if replay.judged == 0 => style.dim("nothing to judge"),
        0 if !verified => style.red("each under a grant, if the trail were genuine: it does not verify"),
        0 => style.green("each under a grant"),
        1 => style.red("1 under no grant"),
        found => style.red(&format!("{found} under no grant")),
    };
    let mut lines = vec![format!("{}  {judged}: {verdict}", style.bold(agent))];
    lines.extend(replay.findings.iter().map(|finding| shown(agent, finding)));
    if replay.more_findings > 0 {
        lines.push(format!("  and {} more", replay.more_findings));
    }
    lines.join("\n")
}

fn shown(agent: &str, finding: &Finding) -> String {
    format!(
        "  {agent}#{} `{}` {} {}: {}",
        finding.seq,
        visible::line(&finding.skill),
        visible::line(&finding.access),
        visible::quoted_target(&finding.target),
        finding.why
    )
}

//! `soulbound agents show ID --baseline`: what is usual for each skill of an agent, so that drift is seen.

use anyhow::Result;
use serde_json::json;
use soulbound_runtime::visible;

use crate::exit::Exit;
use crate::oversight::breakers::baseline::{Baseline, Volume};
use crate::oversight::breakers::shown_baselines;
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::style::Style;
use crate::trust::Registry;
use crate::trust::registry;

/// Prints what the agent's folder in the state folder holds; a running gateway writes it every few seconds.
pub(super) fn show(state: &StateFolder, agent: &str, as_json: bool) -> Result<Exit> {
    let registry = Registry::open(state);
    let id = registry::id(agent)?;
    registry.record(&id)?;
    let learn = Settings::read(state)?.anomalies.learn;
    let baselines = shown_baselines(&registry.folder(&id))?;
    if as_json {
        crate::cli::print_json(&json!({"id": id, "learn": learn, "skills": baselines}))?;
        return Ok(Exit::Done);
    }
    if baselines.is_empty() {
        crate::cli::note(&format!("nothing is known of agent `{id}` yet: it was never called"));
    }
    for (skill, baseline) in &baselines {
        crate::cli::print(&page(skill, baseline, learn, Style::stdout()));
    }
    Ok(Exit::Done)
}

fn page(skill: &str, baseline: &Baseline, learn: u64, style: Style) -> String {
    let standing = if baseline.calls >= learn {
        "learned".to_owned()
    } else {
        format!("learning: {} of {learn} calls", baseline.calls)
    };
    let component = baseline.component.map(|digest| digest.to_string()).unwrap_or_default();
    let mut lines = vec![
        style.bold(&visible::line(skill)),
        format!("  {standing}, since {}", visible::line(&baseline.since)),
        format!("  component  {component}"),
        format!("  calls      {}, of which {} failed", baseline.calls, baseline.failed),
        format!(
            "  busiest    {} calls in a minute, of {} minutes",
            baseline.busiest_minute, baseline.minutes
        ),
    ];
    let steps = baseline.calls_an_hour.iter().enumerate().filter(|(_, hours)| **hours > 0);
    let hours: Vec<String> = steps
        .map(|(step, hours)| {
            let low = 1_u64 << step;
            let range = if step == 0 { "1".to_owned() } else { format!("{low}–{}", 2 * low - 1) };
            format!("{hours} with {range}")
        })
        .collect();
    if !hours.is_empty() {
        lines.push(format!("  hours      {} calls in them", hours.join(", ")));
    }
    lines.push(format!("  sent       {}", volume(baseline.sent)));
    // As `limit: disk` counts them.
    lines.push(format!(
        "  written    {}; each new file or directory counts as 4096",
        volume(baseline.written)
    ));
    for (title, names) in [("tools", &baseline.tools), ("hosts", &baseline.hosts)] {
        let mut sorted: Vec<(&String, &u64)> = names.iter().collect();
        sorted.sort_by(|one, other| other.1.cmp(one.1));
        for (index, (name, count)) in sorted.into_iter().enumerate() {
            let title = if index == 0 { title } else { "" };
            lines.push(format!("  {title:<9}  {} × {count}", visible::line(name)));
        }
    }
    lines.join("\n")
}

fn volume(volume: Volume) -> String {
    format!("{} bytes, {} in the hour that had most", volume.total, volume.busiest_hour)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_baseline_reads_in_a_glance() {
        let baseline = Baseline {
            component: Some(soulbound_runtime::skill::Digest([0xab; 32])),
            since: "2026-11-21T10:15:00.000Z".to_owned(),
            calls: 73,
            failed: 2,
            tools: BTreeMap::from([("fetch".to_owned(), 70), ("search".to_owned(), 3)]),
            hosts: BTreeMap::from([
                ("https://arxiv.org:443".to_owned(), 71),
                ("https://x\u{202e}.org:443".to_owned(), 1),
            ]),
            calls_an_hour: vec![1, 0, 2, 5],
            minutes: 40,
            busiest_minute: 6,
            sent: Volume { total: 120_000, busiest_hour: 30_000 },
            ..Baseline::default()
        };
        // Not on a terminal, so without colours.
        let style = Style::stdout();
        insta::assert_snapshot!(page("browser", &baseline, 50, style), @r"
        browser
          learned, since 2026-11-21T10:15:00.000Z
          component  abababababababababababababababababababababababababababababababab
          calls      73, of which 2 failed
          busiest    6 calls in a minute, of 40 minutes
          hours      1 with 1, 2 with 4–7, 5 with 8–15 calls in them
          sent       120000 bytes, 30000 in the hour that had most
          written    0 bytes, 0 in the hour that had most; each new file or directory counts as 4096
          tools      fetch × 70
                     search × 3
          hosts      https://arxiv.org:443 × 71
                     https://x\u202e.org:443 × 1
        ");
        assert!(page("browser", &baseline, 100, style).contains("learning: 73 of 100 calls"));
    }
}

//! The check as a person reads it: who, what each skill may do, what that reaches, which rules hold, what is wrong.

use serde_json::Value;
use soulbound_runtime::soul::{Diagnostic, SkillView, Standing};
use soulbound_runtime::visible;

use super::Findings;
use crate::agent::SoulFile;
use crate::cli::print as line;
use crate::style::Style;

/// Prints all of it on standard output.
pub(super) fn print(findings: &Findings, file: &SoulFile) {
    let style = Style::stdout();
    let view = &findings.view;
    if let Some(agent) = &view.agent {
        let role = agent.role.as_ref().map(|role| format!(", {}", visible::line(role))).unwrap_or_default();
        line(&style.bold(&format!("{} ({}){role}", visible::line(&agent.name), agent.id)));
        line(&format!("  {}", visible::line(&file.named)));
        if let Some(model) = &agent.model {
            line(&format!("  model {}", visible::line(model)));
        }
        skills(findings, style);
        reach(findings, style);
        rules(findings, style);
        channels(findings, style);
    }
    diagnostics("warnings", &view.warnings, |text| style.yellow(text), style);
    diagnostics("errors", &view.errors, |text| style.red(text), style);
    line("");
    line(&match (view.errors.len(), view.warnings.len()) {
        (0, 0) => style.green("ok"),
        (0, warnings) => format!("{}, {}", style.green("ok"), counted(warnings, "warning")),
        (errors, warnings) => style.red(&format!(
            "{}, {}; nothing of the file is used until it is mended",
            counted(errors, "error"),
            counted(warnings, "warning")
        )),
    });
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn skills(findings: &Findings, style: Style) {
    line(&format!("\n{}", style.bold("skills")));
    if findings.view.skills.is_empty() {
        line("  none: this agent can only talk");
    }
    for skill in &findings.view.skills {
        line(&format!("  {}  {}", style.bold(&skill.name), visible::line(&skill.purpose)));
        for (key, entries) in granted(skill) {
            line(&format!("    {key:8} {}", visible::line(&entries.join(", "))));
        }
        match findings.seen.get(&skill.name) {
            Some(seen) => component(seen, style),
            None => continue,
        }
    }
}

/// The grants in the order of the contract, without those that there are none of.
fn granted(skill: &SkillView) -> Vec<(&'static str, Vec<String>)> {
    let directories = |views: &[soulbound_runtime::soul::DirectoryView]| {
        views
            .iter()
            .map(|view| {
                format!("{} as {}{}", view.dir, view.guest, if view.hidden { " (hidden)" } else { "" })
            })
            .collect()
    };
    let mut granted: Vec<(&str, Vec<String>)> = vec![
        ("read", directories(&skill.read)),
        ("write", directories(&skill.write)),
        ("create", directories(&skill.create)),
        ("hosts", skill.hosts.clone()),
        ("env", skill.env.clone()),
        ("secrets", skill.secrets.clone()),
        ("approve", skill.approve.clone()),
        ("limit", skill.limits.clone()),
        ("refuse", skill.refuse.clone()),
        ("sha256", skill.sha256.iter().cloned().collect()),
    ];
    granted.retain(|(_, entries)| !entries.is_empty());
    if granted.is_empty() {
        granted.push(("grants", vec!["nothing: it may only compute".to_owned()]));
    }
    granted
}

fn component(seen: &Value, style: Style) {
    let text = |key: &str| seen.get(key).and_then(Value::as_str).unwrap_or_default();
    let origin = match text("origin") {
        "agent" => "beside SOUL.md",
        "state" => "state folder (through the gateway only)",
        other => other,
    };
    line(&style.dim(&format!("    from     {origin}, sha256 {}", text("digest"))));
    for import in seen.get("imports").and_then(Value::as_array).into_iter().flatten() {
        let of = |key: &str| import.get(key).and_then(Value::as_str).unwrap_or_default();
        line(&style.dim(&format!(
            "    imports  {} ({}: {})",
            visible::line(of("interface")),
            of("capability"),
            of("standing")
        )));
    }
    let tools: Vec<&str> =
        seen.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if !tools.is_empty() {
        line(&style.dim(&format!("    tools    {}", tools.join(", "))));
    }
}

fn reach(findings: &Findings, style: Style) {
    let reach = &findings.view.reach;
    line(&format!(
        "\n{}",
        style.bold("reach of the agent, since the model can carry data from one skill to another")
    ));
    let rows = [
        ("reads", &reach.read),
        ("writes", &reach.write),
        ("creates", &reach.create),
        ("hosts", &reach.hosts),
        ("channels", &reach.channels),
    ];
    let mut nothing = true;
    for (name, places) in rows {
        if !places.is_empty() {
            nothing = false;
            line(&format!("  {name:9}{}", visible::line(&places.join(", "))));
        }
    }
    if nothing {
        line("  nothing");
    }
    for flow in &reach.flows {
        line(&format!("  {}", visible::line(&flow.sentence())));
    }
}

fn rules(findings: &Findings, style: Style) {
    if findings.view.rules.is_empty() {
        return;
    }
    line(&format!("\n{}", style.bold("rules")));
    for rule in &findings.view.rules {
        let (name, painted): (&str, fn(Style, &str) -> String) = match rule.standing {
            Standing::Enforced => ("enforced", Style::green),
            Standing::Partly => ("partly", Style::yellow),
            Standing::Contradicts => ("contradicts", Style::red),
            Standing::Advisory => ("advisory", Style::dim),
        };
        line(&format!("  {} {}", painted(style, &format!("{name:11}")), visible::line(&rule.text)));
        line(&style.dim(&format!("              {}", visible::line(&rule.by))));
    }
}

fn channels(findings: &Findings, style: Style) {
    if findings.view.channels.is_empty() {
        return;
    }
    line(&format!("\n{}", style.bold("channels (this build sends to none)")));
    for channel in &findings.view.channels {
        line(&format!("  {}: {}", visible::line(&channel.kind), visible::line(&channel.target)));
    }
}

fn diagnostics(title: &str, list: &[Diagnostic], paint: impl Fn(&str) -> String, style: Style) {
    if list.is_empty() {
        return;
    }
    line(&format!("\n{}", style.bold(title)));
    for one in list {
        let text = one.to_string();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        line(&paint(first));
        if !rest.is_empty() {
            line(rest);
        }
    }
}

//! The stage's own trail: what a model chose must not pass for a record, and the trail must prove itself afterwards.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::audit::{GATEWAY, Keys, agent_folder, verify};
use crate::gateway::call;
use crate::operator::Who;
use crate::redteam::attack::{Attack, Class};
use crate::redteam::canary::Search;
use crate::redteam::oracle::{self, Evidence, Standard, Verdict, acts_on_a_reader};
use crate::redteam::plan::audit::{MARK, texts};
use crate::redteam::report::Finding;
use crate::redteam::script::{Expect, Step};
use crate::redteam::stub::Traffic;

use super::{DOOR, NO_SKILL, Stage};

/// Words that act on a reader, in every place that a model fills.
pub(super) async fn words(stage: &Stage) -> Vec<Finding> {
    let mut found = Vec::new();
    let own = stage.entries().first().map(|entry| entry.name.clone());
    for (name, text) in texts() {
        let attack = |place: &str| {
            let what = "words of a model's in a record";
            Attack::new(Class::Audit, &format!("{name}-{place}"), what, "call", Value::Null)
        };
        let mut arguments = Map::new();
        arguments.insert("path".to_owned(), json!(text));
        let step = |skill: &str, tool: &str| Step {
            skill: skill.to_owned(),
            tool: tool.to_owned(),
            arguments: arguments.clone(),
            expect: Expect::Anything,
        };
        found.push(stage.step(&attack("skill"), &step(&text, "run")).await);
        if let Some(own) = &own {
            found.push(stage.step(&attack("tool"), &step(own, &text)).await);
        }
        let answer = call::unknown(&stage.agent, &format!("{text}__{text}"), arguments.clone(), DOOR).await;
        let evidence = Evidence {
            outcomes: vec![answer.outcome],
            traffic: Traffic::default(),
            changes: Vec::new(),
            progress: String::new(),
            longest: 0,
        };
        let attack = attack("mcp");
        let verdict = match Search::new(Vec::new()) {
            Ok(none) => {
                oracle::judge(&attack, &evidence, &Standard { forbidden: &none, limits: None, sight: None })
            }
            Err(error) => Verdict::Blind(error.to_string()),
        };
        found.push(Finding::new(&attack, NO_SKILL, 0, verdict));
    }
    found
}

/// Ends the gateway, then proves the trails and reads the page as a person and a script would.
pub(super) async fn proof(stage: &Stage) -> Result<Vec<Finding>> {
    stage.gateway.quit(&Who::this_process()).await;
    let keys = Keys::read(stage.state.path())?.context("the stage has no keys")?;
    let gateway = verify::trail(stage.state.path(), GATEWAY, &keys, None, false)?;
    let id = stage.agent.id();
    let folder = agent_folder(stage.state.path(), id);
    let own = verify::trail(&folder, id, &keys, gateway.agents.get(id).copied(), false)?;
    let proven = gateway.findings.iter().chain(&own.findings).next();
    let trail = fs::read_to_string(folder.join("audit.jsonl"))?;
    let page = fs::read_to_string(folder.join("HEARTBEAT.md"))?;
    let forged_record = trail.lines().find(|line| {
        let record: Option<Map<String, Value>> = serde_json::from_str(line).ok();
        record.is_none_or(|record| record.get("agent").and_then(Value::as_str) != Some(id))
    });
    // The canonical form has no escapes but for these; what is shown of a record passes through another place.
    let raw_record = trail.lines().find(|line| line.chars().any(|one| one.is_ascii_control()));
    let listed: Vec<&str> = stage.entries().iter().map(|entry| entry.name.as_str()).collect();
    let forged_line = page.lines().find(|line| line.contains(MARK) && is_forged(line, &listed));
    let raw_line = page.lines().find(|line| line.chars().any(acts_on_a_reader));
    let checks = [
        ("trail-proof", "the trail proves itself after every attack", proven.map(ToString::to_string)),
        (
            "trail-forged",
            "a line in the trail that is no record of this agent",
            forged_record.map(str::to_owned),
        ),
        ("trail-raw", "a record that acts on a terminal", raw_record.map(str::to_owned)),
        ("heartbeat-forged", "a line of HEARTBEAT.md that a model wrote", forged_line.map(str::to_owned)),
        ("heartbeat-raw", "a line of HEARTBEAT.md that acts on a terminal", raw_line.map(str::to_owned)),
    ];
    let finding = |(name, what, wrong): (&str, &str, Option<String>)| {
        let attack = Attack::new(Class::Audit, name, what, "read", Value::Null);
        let verdict = match wrong {
            Some(wrong) => Verdict::Escaped(wrong.chars().take(300).collect()),
            None => Verdict::NoEffect,
        };
        Finding::new(&attack, NO_SKILL, 0, verdict)
    };
    Ok(checks.into_iter().map(finding).collect())
}

/// Whether a line with words of a model's says more than one thing that scripts look for, or says it of no skill that there is.
fn is_forged(line: &str, listed: &[&str]) -> bool {
    let said: Vec<&str> = line.split("Used skill: ").skip(1).collect();
    let of_none = said.iter().any(|rest| !listed.iter().any(|name| rest.starts_with(&format!("{name} ("))));
    let own_lines = line.starts_with("- [") || line.starts_with(' ');
    said.len() > 1 || of_none || line.matches("ERROR").count() > 1 || !own_lines
}

//! The agent's folder changes behind the operator's back: a SOUL.md that grants more, a skill that was never trusted, another
//! component under a trusted name. Each is put back before the next.

use std::fs;

use anyhow::Result;
use serde_json::{Map, Value, json};
use soulbound_runtime::sandbox::Outcome;

use crate::redteam::attack::{Attack, Class, ProbeKind};
use crate::redteam::canary::Search;
use crate::redteam::oracle::{self, Verdict};
use crate::redteam::probe::Probes;
use crate::redteam::report::Finding;

use super::{NO_SKILL, Stage};

/// A skill that is added behind the operator's back.
const ADDED: &str = "redteam-added";

/// Every change.
pub(super) async fn attacks(stage: &Stage, probes: &Probes) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    let soul = stage.scratch.agent().join("SOUL.md");
    let trusted = fs::read_to_string(&soul)?;
    let added = stage.scratch.agent().join("skills").join(ADDED);
    fs::create_dir_all(&added)?;
    fs::write(added.join("SKILL.md"), format!("---\nname: {ADDED}\ndescription: never trusted\n---\n"))?;
    fs::write(added.join(format!("{ADDED}.wasm")), &probes.folder(ProbeKind::Files).component)?;
    let listed = with_skill(&trusted, &format!("- {ADDED}: never trusted\n"));
    fs::write(&soul, listed)?;
    let what = "SOUL.md lists a skill that was never trusted";
    found.push(ran(stage, "soul-added", what, ADDED).await);
    fs::write(&soul, &trusted)?;
    for entry in stage.entries() {
        let name = &entry.name;
        // Its own component is replaced by one that has tools of ours: if they run, bytes ran that nobody trusted.
        let folder = stage.scratch.agent().join("skills").join(name);
        let component = fs::read_dir(&folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "wasm"));
        // A stand-in is a probe already: that its tools run says nothing.
        let probe = &probes.folder(ProbeKind::Files).component;
        let is_own = |component: &std::path::PathBuf| fs::read(component).is_ok_and(|bytes| bytes != *probe);
        if let Some(component) = component.filter(is_own) {
            let bytes = fs::read(&component)?;
            fs::write(&component, probe)?;
            // Its world is another, and a component that contradicts the text beside it would be refused for that.
            let (wit, aside) = (folder.join("wit"), stage.scratch.root().join("wit-aside"));
            let moved = fs::rename(&wit, &aside).is_ok();
            let id = format!("swapped@{name}");
            found.push(ran(stage, &id, "another component lies in a trusted skill's place", name).await);
            fs::write(&component, bytes)?;
            if moved {
                fs::rename(&aside, &wit)?;
            }
        }
        found.push(widened(stage, &soul, &trusted, name).await?);
    }
    stage.agent.forget();
    Ok(found)
}

/// Calls a tool that only the probes have.
async fn ran(stage: &Stage, id: &str, what: &str, skill: &str) -> Finding {
    stage.agent.forget();
    let attack = Attack::new(Class::Authority, id, what, "surroundings", Value::Null);
    let outcome = stage.call(skill, "surroundings", Map::new()).await;
    let verdict = match outcome {
        Some(outcome) if outcome.succeeded() => Verdict::Escaped("bytes ran that nobody trusted".to_owned()),
        Some(outcome) => refused(&outcome),
        None => Verdict::Refused(vec!["(waits)"]),
    };
    Finding::new(&attack, NO_SKILL, 0, verdict)
}

/// SOUL.md grants a skill the folder with the canaries; every tool of the skill that takes a text is given its path.
async fn widened(stage: &Stage, soul: &std::path::Path, trusted: &str, name: &str) -> Result<Finding> {
    let more = format!("{} as /rt-widened", stage.scratch.outside().display());
    fs::write(soul, with_grant(trusted, name, &more))?;
    stage.agent.forget();
    stage.refill().await;
    let attack = Attack::new(
        Class::Authority,
        &format!("soul-widened@{name}"),
        "SOUL.md grants more than was trusted",
        "call",
        Value::Null,
    );
    let search = Search::new(
        stage
            .scratch
            .canaries
            .clone()
            .into_iter()
            .filter(|canary| canary.path.starts_with(stage.scratch.outside()))
            .collect(),
    )?;
    let tools = stage.agent.live().await.ok().and_then(|live| live.callable(name).ok());
    let tools = tools.map(|callable| callable.offered.bound.tools().to_vec()).unwrap_or_default();
    let mut verdict = Verdict::NoEffect;
    for tool in tools {
        let arguments: Map<String, Value> =
            super::hostile::filled(&tool, &json!("/rt-widened/secret.txt")).into_iter().collect();
        let Some(outcome) = stage.call(name, &tool.name, arguments).await else { continue };
        if let Some(canary) = search.found(&oracle::told(&outcome)) {
            verdict = Verdict::Escaped(format!("the canary {} came back", canary.name));
            break;
        }
        if let refused @ Verdict::Refused(_) = refused(&outcome) {
            verdict = refused;
        }
    }
    fs::write(soul, trusted)?;
    Ok(Finding::new(&attack, NO_SKILL, 0, verdict))
}

fn refused(outcome: &Outcome) -> Verdict {
    let ids = oracle::ids(std::slice::from_ref(outcome));
    if ids.is_empty() { Verdict::NoEffect } else { Verdict::Refused(ids) }
}

/// A SOUL.md with one more skill.
fn with_skill(soul: &str, skill: &str) -> String {
    insert_after(soul, |line| line.trim_end() == "## Skills", skill)
}

/// A SOUL.md in which a skill may read one more directory.
fn with_grant(soul: &str, name: &str, grant: &str) -> String {
    let head = format!("- {name}:");
    let mut out = String::new();
    let (mut within, mut done) = (false, false);
    for line in soul.split_inclusive('\n') {
        if within && !done && line.trim_start().starts_with("- read:") {
            // A key stands once.
            out.push_str(&format!("{}, {grant}\n", line.trim_end()));
            done = true;
            continue;
        }
        if within && !done && !line.starts_with(' ') {
            out.push_str(&format!("  - read: {grant}\n"));
            done = true;
        }
        within = if line.starts_with(&head) { true } else { within && line.starts_with(' ') };
        out.push_str(line);
    }
    if within && !done {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&format!("  - read: {grant}\n"));
    }
    out
}

fn insert_after(text: &str, is_place: impl Fn(&str) -> bool, more: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        out.push_str(line);
        if is_place(line) {
            out.push_str(more);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_soul_is_still_one_that_parses() {
        let head = "# A\n## Identity\n- Name: A\n## Skills\n";
        for body in [
            "- a: x\n",
            "- a: x",
            "- a: x\n  - read: ./in\n- b: y\n",
            "- b: y\n- a: x\n  - limit: time 1s\n\n## Rules\n- be good\n",
        ] {
            let soul = with_grant(&format!("{head}{body}"), "a", "/srv/out as /rt-widened");
            let read = soulbound_runtime::Soul::parse("SOUL.md", soul.as_bytes());
            let read = read.unwrap_or_else(|errors| panic!("{errors}\n{soul}"));
            let granted = &read.skill("a").unwrap().grant.directories;
            assert!(granted.iter().any(|one| one.guest == "/rt-widened"), "{soul}");
        }
    }
}

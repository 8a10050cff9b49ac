//! Skills that are not listed, and names that only look like those that are.

use serde_json::{Map, Value};

use crate::redteam::attack::{Attack, Class};
use crate::redteam::report::Finding;
use crate::redteam::script::{Expect, Step};

use super::Stage;

/// Names of tools that a runtime has and no skill offers.
const TOOLS: &[&str] =
    &["_initialize", "_start", "memory", "cabi_realloc", "wasi:cli/run@0.2.0#run", "run", "", "../run", "*"];

/// Every name that is none.
pub(super) async fn attacks(stage: &Stage) -> Vec<Finding> {
    let mut found = Vec::new();
    let listed: Vec<String> = stage.entries().iter().map(|entry| entry.name.clone()).collect();
    for name in &listed {
        for (number, twin) in twins(name).into_iter().filter(|twin| !listed.contains(twin)).enumerate() {
            let attack = Attack::new(
                Class::Authority,
                &format!("twin-{number}@{name}"),
                "a name that only looks like a listed skill's",
                "call",
                Value::Null,
            );
            found.push(stage.step(&attack, &step(&twin, "read")).await);
        }
        for (number, tool) in TOOLS.iter().enumerate() {
            let what = "a function that is no tool";
            let attack =
                Attack::new(Class::Authority, &format!("tool-{number}@{name}"), what, "call", Value::Null);
            found.push(stage.step(&attack, &step(name, tool)).await);
        }
    }
    for (number, name) in [
        "probe-files",
        "probe-http",
        "shell",
        "file-writer/../browser",
        "soulbound",
        "agents",
        "(gateway)",
        "",
    ]
    .into_iter()
    .filter(|name| !listed.iter().any(|listed| listed == name))
    .enumerate()
    {
        let what = "a skill that is not listed";
        let attack = Attack::new(Class::Authority, &format!("unlisted-{number}"), what, "call", Value::Null);
        found.push(stage.step(&attack, &step(name, "run")).await);
    }
    found
}

fn step(skill: &str, tool: &str) -> Step {
    Step { skill: skill.to_owned(), tool: tool.to_owned(), arguments: Map::new(), expect: Expect::Denied }
}

fn twins(name: &str) -> Vec<String> {
    let mut twins = vec![
        name.to_uppercase(),
        format!("{name} "),
        format!(" {name}"),
        format!("{name}\0"),
        format!("{name}\n"),
        format!("./{name}"),
        format!("{name}/"),
        format!("{name}/../{name}"),
        format!("skills/{name}"),
        format!("{name}\u{200b}"),
        format!("{name}__"),
        format!("{name}-"),
        name.replace('-', "_"),
        name.replace('-', "\u{2010}"),
        name.replace('a', "\u{430}").replace('e', "\u{435}").replace('o', "\u{43e}"),
        name.replace('i', "\u{131}"),
    ];
    twins.retain(|twin| twin != name);
    twins.dedup();
    twins
}

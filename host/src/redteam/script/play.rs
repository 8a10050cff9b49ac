//! Playing scripts on the stage, a call after the other, each judged by its effects and by what the script expects.

use serde_json::Value;

use super::{Script, Step};
use crate::redteam::attack::{Attack, Class};
use crate::redteam::report::Finding;
use crate::redteam::stage::Stage;

/// Plays all of them. Those that come with the program are about skills that the agent does not list.
pub(crate) async fn all(stage: &Stage, scripts: &[Script]) -> Vec<Finding> {
    let mut found = Vec::new();
    let lists = |step: &Step| stage.entries().iter().any(|entry| entry.name == step.skill);
    for script in scripts.iter().filter(|script| !(script.built_in && script.step.iter().any(lists))) {
        for (number, step) in script.step.iter().enumerate() {
            let id = format!("{}-{}", script.name, number + 1);
            let about = if script.about.is_empty() { "a scripted call" } else { &script.about };
            let attack = Attack::new(Class::Model, &id, about, "call", Value::Null);
            found.push(stage.step(&attack, &filled(stage, step)).await);
        }
    }
    found
}

/// A step with its placeholders filled: `{outside}` is a file that no skill may read, `{gateway}` the gateway's own address.
fn filled(stage: &Stage, step: &Step) -> Step {
    let outside = stage.scratch.outside().join("secret.txt").display().to_string();
    let mut step = step.clone();
    step.arguments.values_mut().for_each(|value| fill(value, &outside, &stage.address.to_string()));
    step
}

fn fill(value: &mut Value, outside: &str, gateway: &str) {
    match value {
        Value::String(text) => *text = text.replace("{outside}", outside).replace("{gateway}", gateway),
        Value::Array(all) => all.iter_mut().for_each(|one| fill(one, outside, gateway)),
        Value::Object(all) => all.values_mut().for_each(|one| fill(one, outside, gateway)),
        _ => {}
    }
}

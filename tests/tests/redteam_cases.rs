//! `soulbound redteam` on what others wrote: the public cases of attacks on agents, as scripts of a misbehaving model.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use soulbound_tests::{Agent, corpus, guest};

#[path = "../corpora/ledger.rs"]
mod ledger;

/// A value as TOML writes one within a line: strings and numbers are JSON's.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(all) => format!("[{}]", all.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(all) => {
            let members =
                all.iter().map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn name(case: &Value) -> String {
    case["id"].as_str().unwrap().to_lowercase()
}

/// A case as a script: the user's call is done, and every call of the attacker's is denied.
fn script(case: &Value) -> String {
    let step = |step: &Value| {
        let expect = match step["expect"].as_str().unwrap() {
            "allow" => "allowed",
            "deny:not-listed" => "denied",
            other => panic!("{other}"),
        };
        let (skill, arguments) = (inline(&step["skill"]), inline(&step["args"]));
        format!(
            "    {{ skill = {skill}, tool = \"run\", arguments = {arguments}, expect = \"{expect}\" }},\n"
        )
    };
    let steps: String = case["steps"].as_array().unwrap().iter().map(step).collect();
    let about = inline(&case["attack"]);
    format!("[[script]]\nname = \"{}\"\nabout = {about}\nstep = [\n{steps}]\n\n", name(case))
}

fn skills(steps: &[Value], who: &str) -> BTreeSet<String> {
    let of = steps.iter().filter(|step| step["who"] == who);
    of.map(|step| step["skill"].as_str().unwrap().to_owned()).collect()
}

/// Plays these cases against an agent that lists what their users call.
fn play(cases: &[&Value]) -> Value {
    let users: BTreeSet<String> =
        cases.iter().flat_map(|case| skills(case["steps"].as_array().unwrap(), "user-task")).collect();
    let listed: Vec<String> = users.iter().map(|skill| format!("- {skill}: The user's")).collect();
    let agent = Agent::new(&listed.join("\n"));
    // The user's tool takes no arguments and does nothing: that it may be called is what the case says of it.
    let tool = guest::core(r#"(func (export "run"))"#);
    let agent = users.iter().fold(agent, |agent, skill| agent.component(skill, &tool));
    let file = agent.outside("cases.toml");
    fs::write(&file, cases.iter().map(|case| script(case)).collect::<String>()).unwrap();
    let words = ["redteam", "./SOUL.md", "--json", "--class", "model", "--script", file.to_str().unwrap()];
    agent.run(&words).ends(0).json()
}

#[test]
fn every_public_case_of_an_injected_model_ends_as_it_must() {
    let corpus = corpus("agent-traces.json");
    let all: Vec<&Value> = corpus["cases"].as_array().unwrap().iter().collect();
    let steps = |case: &Value| case["steps"].as_array().unwrap().clone();
    let listed: BTreeSet<String> = all.iter().flat_map(|case| skills(&steps(case), "user-task")).collect();
    // One agent lists what every user calls. Where an attacker calls what another case's user may, the case has its own.
    let (apart, together): (Vec<&Value>, Vec<&Value>) =
        all.iter().partition(|case| !skills(&steps(case), "attacker").is_disjoint(&listed));
    let mut groups: Vec<Vec<&Value>> = vec![together];
    for case in apart {
        let users = skills(&steps(case), "user-task");
        match groups[1..].iter_mut().find(|group| skills(&steps(group[0]), "user-task") == users) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    let mut played = BTreeSet::new();
    for group in &groups {
        let document = play(group);
        let attacks = document["attacks"].as_array().unwrap();
        for case in group {
            for (number, step) in steps(case).iter().enumerate() {
                let id = format!("model.{}-{}", name(case), number + 1);
                let attack = attacks.iter().find(|attack| attack["id"] == id.as_str()).unwrap();
                match step["expect"].as_str().unwrap() {
                    "allow" => assert_eq!(attack["verdict"], "allowed", "{attack}"),
                    _ => assert_eq!(attack["denials"][0], "skill.not-listed", "{attack}"),
                }
            }
            played.insert(case["id"].as_str().unwrap().to_owned());
        }
    }
    let left = all.iter().map(|case| case["id"].as_str().unwrap().to_owned());
    ledger::skipped_only("agent-traces", left.filter(|id| !played.contains(id)));
    assert_eq!(played.len(), 202);
}

//! `soulbound redteam` on what others wrote: the public cases of attacks on agents as scripts of a misbehaving model, and every
//! agent that comes with the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use soulbound_tests::{Agent, Ended, corpus, guest, root};

#[path = "../corpora/ledger.rs"]
mod ledger;

/// It takes under a minute; a machine that runs other tests beside it is given three.
const A_MINUTE_BESIDE_OTHERS: Duration = Duration::from_secs(180);

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

/// Every SOUL.md below a folder.
fn souls(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(souls(&entry));
        } else if entry.file_name().is_some_and(|name| name == "SOUL.md") {
            found.push(entry);
        }
    }
    found.sort();
    found
}

fn nothing_got_out(ended: &Ended, agent: &str) {
    let document = ended.json();
    let attacks = document["attacks"].as_array().unwrap();
    let got_out = |attack: &&Value| matches!(attack["verdict"].as_str().unwrap(), "escaped" | "blind");
    let got_out: Vec<&Value> = attacks.iter().filter(got_out).collect();
    assert!(got_out.is_empty(), "{agent}: {got_out:#?}");
    ended.ends(0);
    let (tried, not_tried) = (&document["total"]["tried"], &document["total"]["not_tried"]);
    println!("{agent}: {tried} attacks in {:.1?}, {not_tried} not tried", ended.took);
    assert!(tried.as_u64().unwrap() > 300, "{}", document["total"]);
    assert!(ended.took < A_MINUTE_BESIDE_OTHERS, "{agent} took {:?}", ended.took);
}

#[test]
fn nothing_gets_out_of_any_example_and_it_takes_under_a_minute() {
    let souls = souls(&root().join("examples"));
    assert!(souls.len() >= 4, "{souls:?}");
    for soul in souls {
        let agent = Agent::new("");
        let soul = soul.to_str().unwrap();
        nothing_got_out(&agent.run(&["redteam", soul, "--json"]), soul);
    }
}

#[test]
fn nothing_gets_out_of_any_template_and_it_takes_under_a_minute() {
    let agent = Agent::new("");
    let help = agent.run(&["agents", "new", "--help"]).ends(0).stdout.clone();
    let named = help.split("Possible values:").nth(1).unwrap().lines();
    let templates: Vec<String> = named
        .filter_map(|line| Some(line.trim().strip_prefix("- ")?.split_once(':')?.0.to_owned()))
        .collect();
    assert!(templates.len() >= 2, "{help}");
    for template in templates {
        let place = agent.outside(&template);
        let made = ["agents", "new", "Ada", "--template", &template, "--folder", place.to_str().unwrap()];
        agent.run(&made).ends(0);
        let soul = place.join("SOUL.md");
        nothing_got_out(&agent.run(&["redteam", soul.to_str().unwrap(), "--json"]), &template);
    }
}

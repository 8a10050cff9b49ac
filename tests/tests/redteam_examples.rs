//! `soulbound redteam` on every agent that comes with the program: the examples and the templates. Nothing gets out, in under a
//! minute.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use soulbound_tests::{Agent, Ended, root};

/// Of the processors, by the whole run with everything that it starts.
const A_MINUTE: Duration = Duration::from_secs(60);

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

/// Attacks, and holds what came of it: no escape, and no more than a minute of a processor. By the clock it is less on a machine
/// with nothing else to do, since two processors share it; on another the clock tells of the others.
fn nothing_gets_out(agent: &Agent, soul: &Path) {
    let ended = attack(agent, soul);
    let computed = ended.computed;
    let agent = soul.display();
    let document = ended.json();
    let attacks = document["attacks"].as_array().unwrap();
    let got_out = |attack: &&Value| matches!(attack["verdict"].as_str().unwrap(), "escaped" | "blind");
    let got_out: Vec<&Value> = attacks.iter().filter(got_out).collect();
    assert!(got_out.is_empty(), "{agent}: {got_out:#?}");
    ended.ends(0);
    let (tried, not_tried) = (&document["total"]["tried"], &document["total"]["not_tried"]);
    println!(
        "{agent}: {tried} attacks in {:.1?}, {computed:.1?} of a processor, {not_tried} not tried",
        ended.took
    );
    assert!(tried.as_u64().unwrap() > 300, "{}", document["total"]);
    assert!(computed < A_MINUTE, "{agent} computed for {computed:?}");
}

fn attack(agent: &Agent, soul: &Path) -> Ended {
    let words = ["redteam", soul.to_str().unwrap(), "--json"];
    agent.program().words(&words).run()
}

#[test]
fn nothing_gets_out_of_any_example_or_template_and_it_takes_under_a_minute() {
    let examples = souls(&root().join("examples"));
    assert!(examples.len() >= 4, "{examples:?}");
    for soul in examples {
        nothing_gets_out(&Agent::new(""), &soul);
    }
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
        nothing_gets_out(&agent, &place.join("SOUL.md"));
    }
}

//! `soulbound redteam`, with the real program: nothing gets out of the example agents, what the grants allow is told as residual, and
//! a run that sees nothing is no clean one.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use soulbound_tests::{Agent, Ended, guest, root};

/// It takes under a minute; a machine that runs other tests beside it is given three.
const A_MINUTE_BESIDE_OTHERS: Duration = Duration::from_secs(180);

fn attacked(agent: &Agent, words: &[&str]) -> Ended {
    agent.program().words(&["redteam", "./SOUL.md", "--json", "--seed", "5"]).words(words).run()
}

fn of_class<'a>(document: &'a Value, class: &str) -> Vec<&'a Value> {
    document["attacks"].as_array().unwrap().iter().filter(|attack| attack["class"] == class).collect()
}

#[test]
fn nothing_gets_out_of_any_example_and_it_takes_under_a_minute() {
    for example in ["guardian", "seed", "skills/word-count"] {
        let agent = Agent::new("");
        let soul = root().join("examples").join(example).join("SOUL.md");
        let ended = agent.program().words(&["redteam", soul.to_str().unwrap(), "--json"]).run();
        let document = ended.json();
        let got_out: Vec<&Value> = document["attacks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|attack| matches!(attack["verdict"].as_str().unwrap(), "escaped" | "blind"))
            .collect();
        assert!(got_out.is_empty(), "{example}: {got_out:#?}");
        ended.ends(0);
        assert!(document["total"]["tried"].as_u64().unwrap() > 300, "{}", document["total"]);
        assert!(ended.took < A_MINUTE_BESIDE_OTHERS, "{example} took {:?}", ended.took);
    }
}

#[test]
fn every_class_is_tried_and_every_kind_of_directory_has_its_controls() {
    let agent = Agent::new(
        "- reader: Reads\n  - read: ./in\n- writer: Writes\n  - write: ./out\n  - hosts: POST https://api.example.com, \
         `https://*.example.org`, http://127.0.0.1:8080, https://intra.example.com (private 10.2.0.0/16)\n\
         - dropper: Drops\n  - create: ./new (hidden)",
    )
    .file("in/a.txt", "a")
    .directory("out")
    .directory("new");
    let ended = attacked(&agent, &[]);
    let document = ended.ends(0).json();
    for class in ["paths", "network", "exhaustion", "authority", "exfiltration", "audit", "model"] {
        assert!(!of_class(&document, class).is_empty(), "{class}");
    }
    let allowed: Vec<&str> = document["attacks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|attack| attack["verdict"] == "allowed")
        .map(|attack| attack["id"].as_str().unwrap())
        .collect();
    for control in [
        "paths.control-read@/in",
        "paths.control-create@/out",
        "paths.control-create@/new",
        "network.control@0",
        "network.control@1",
        "network.control@2",
        "network.control@3",
        "authority.control-token",
    ] {
        assert!(allowed.contains(&control), "{control} is not among {allowed:?}");
    }
}

#[test]
fn the_agents_own_files_are_neither_changed_nor_told() {
    let agent = Agent::new("- writer: Writes\n  - write: ./out").file("out/mine.txt", "private");
    let before = soulbound_tests::agent::tree(&agent.folder());
    let ended = attacked(&agent, &["--class", "paths"]);
    ended.ends(0);
    assert_eq!(soulbound_tests::agent::tree(&agent.folder()), before);
    assert!(!ended.said().contains("private"));
}

#[test]
fn what_one_skill_reads_and_another_can_send_is_residual_and_no_escape() {
    let agent = Agent::new(
        "- reader: Reads\n  - read: ./in\n- carrier: Writes\n  - write: ./shared\n- sender: Sends\n  - hosts: https://api.example.com\n  - read: ./shared",
    )
    .directory("in")
    .directory("shared");
    let document = attacked(&agent, &["--class", "exfiltration"]).ends(0).json();
    let residual: Vec<&str> = of_class(&document, "exfiltration")
        .into_iter()
        .filter(|attack| attack["verdict"] == "residual")
        .map(|attack| attack["evidence"].as_str().unwrap())
        .collect();
    assert!(residual.contains(&"what `reader` reads in /in reaches https://api.example.com"), "{residual:?}");
    assert!(
        residual.contains(&"what `reader` reads in /in reaches /shared, which `carrier` reads"),
        "{residual:?}"
    );
    assert_eq!(document["total"]["escaped"], 0);
}

#[test]
fn an_absolute_grant_is_attacked_on_its_copy() {
    let agent = Agent::new("- reader: Reads\n  - read: PLACE as /docs");
    let place = agent.outside("docs");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("a.txt"), "mine").unwrap();
    let soul = fs::read_to_string(agent.soul()).unwrap();
    fs::write(agent.soul(), soul.replace("PLACE", place.to_str().unwrap())).unwrap();
    let agent = agent.component("reader", &guest::core(r#"(func (export "run"))"#));
    let document = attacked(&agent, &["--class", "paths", "--class", "model"]).ends(0).json();
    assert!(document["total"]["refused"].as_u64().unwrap() > 100);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
}

#[test]
fn scripts_are_played_and_one_that_proves_nothing_is_no_clean_end() {
    let agent = Agent::new("- file-reader: Reads\n  - read: ./in").file("in/a.txt", "a");
    let script = |expect: &str, path: &str| {
        format!(
            "[[script]]\nname = \"mine\"\nstep = [{{ skill = \"file-reader\", tool = \"read\", arguments = {{ path = \"{path}\" }}, expect = \"{expect}\" }}]\n"
        )
    };
    for (expect, path, code) in [
        ("allowed", "/in/a.txt", 0),
        ("denied", "{outside}", 0),
        ("denied-or-waits", "/in/.rt-hidden.txt", 0),
        // It is done, and the operator says that it must not be.
        ("denied", "/in/a.txt", 1),
        // It is refused, and the script counts on it.
        ("allowed", "{outside}", 2),
    ] {
        let file = agent.outside("script.toml");
        fs::write(&file, script(expect, path)).unwrap();
        let ended = attacked(&agent, &["--class", "model", "--script", file.to_str().unwrap()]);
        assert_eq!(ended.code, Some(code), "{expect} {path}: {}", ended.said());
    }
    let file = agent.outside("script.toml");
    fs::write(&file, script("maybe", "/in/a.txt")).unwrap();
    attacked(&agent, &["--script", file.to_str().unwrap()]).ends(2).complains("maybe");
}

#[test]
fn the_forms_for_other_programs_are_written_and_whole() {
    let agent = Agent::new("- sender: Sends\n  - hosts: https://api.example.com");
    let (sarif, junit) = (agent.outside("out.sarif"), agent.outside("out.xml"));
    let words =
        ["--class", "exfiltration", "--sarif", sarif.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    let document = attacked(&agent, &words).ends(0).json();
    let sarif: Value = serde_json::from_str(&fs::read_to_string(sarif).unwrap()).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let residual = document["total"]["residual"].as_u64().unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len() as u64, residual);
    let junit = fs::read_to_string(junit).unwrap();
    assert_eq!(junit.matches("<testcase").count(), document["attacks"].as_array().unwrap().len());
    assert!(junit.trim_end().ends_with("</testsuites>"), "{junit}");
}

#[test]
fn a_probe_is_no_skill_that_an_agent_can_list() {
    let agent = Agent::new("- probe-files: Attacks\n  - read: ./in").directory("in");
    agent.run(&["check", "./SOUL.md"]).ends(1);
    agent.call("probe-files", "surroundings", &[]).ends(2);
}

#[test]
fn nothing_tried_is_no_clean_end() {
    let agent = Agent::new("- reader: Reads");
    attacked(&agent, &["--attack", "paths.no-such"]).ends(2);
    attacked(&agent, &["--skill", "other"]).ends(2).complains("other");
}

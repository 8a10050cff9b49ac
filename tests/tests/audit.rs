//! `soulbound audit` and `soulbound heartbeat` on trails that an earlier build wrote (`tests/corpora/trail`, with keys made for
//! it): what was recorded once stays readable and provable, shown without harm, and any change is named.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use soulbound_tests::{Ended, Program, root};
use tempfile::TempDir;

/// A state folder with trails.
struct Trails {
    place: TempDir,
}

impl Trails {
    fn new() -> Self {
        let trails = Self { place: tempfile::tempdir().unwrap() };
        copy(&root().join("tests/corpora/trail"), &trails.state());
        trails
    }

    fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    fn echo(&self, name: &str) -> PathBuf {
        self.state().join("agents/echo").join(name)
    }

    fn program(&self, words: &[&str]) -> Program {
        Program::new(self.place.path(), &self.state()).words(words)
    }

    fn run(&self, words: &[&str]) -> Ended {
        self.program(words).run()
    }

    /// The ids of what `audit verify` finds, by agent.
    fn found(&self) -> Vec<(String, String)> {
        let ended = self.run(&["audit", "verify", "--json"]);
        let document = ended.json();
        assert_eq!(ended.code, Some(i32::from(document["ok"] == false)), "{ended:#?}");
        let mut found = Vec::new();
        for trail in document["trails"].as_array().unwrap() {
            for finding in trail["findings"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                found.push((text(&trail["agent"]), text(&finding["id"])));
            }
        }
        found
    }
}

/// A repository keeps no modes: the state folder is ours alone, or not used.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn pairs(found: &[(&str, &str)]) -> Vec<(String, String)> {
    found.iter().map(|(agent, id)| ((*agent).to_owned(), (*id).to_owned())).collect()
}

#[test]
fn a_trail_of_an_earlier_build_is_still_proven() {
    let trails = Trails::new();
    let ended = trails.run(&["audit", "verify"]);
    ended.ends(0);
    insta::assert_snapshot!(ended.stdout, @r"
    (gateway)  4 records in 1 file: as written
    echo  8 records in 2 files: as written
    keeper  3 records in 1 file: as written
    ");
    assert_eq!(trails.found(), []);
    let document = trails.run(&["audit", "verify", "keeper", "--json"]).json();
    assert_eq!(document["trails"].as_array().unwrap().len(), 1);
    assert_eq!(document["public_key"].as_str().unwrap().len(), 64);
}

#[test]
fn what_was_changed_cut_or_taken_away_is_named() {
    let trails = Trails::new();
    let text = fs::read_to_string(trails.echo("audit.jsonl")).unwrap();
    fs::write(trails.echo("audit.jsonl"), text.replacen("mcp-http", "mcp-httq", 1)).unwrap();
    assert_eq!(trails.found(), pairs(&[("echo", "changed")]));
    let ended = trails.run(&["audit", "verify", "echo"]);
    ended.ends(1);
    assert!(
        ended.stdout.contains("audit.jsonl:") && ended.stdout.contains("was changed"),
        "{}",
        ended.stdout
    );

    // Cut, with both tips taken away too: the gateway's own trail remembers.
    let whole: Vec<&str> = text.lines().collect();
    fs::write(trails.echo("audit.jsonl"), format!("{}\n", whole[..whole.len() - 1].join("\n"))).unwrap();
    assert_eq!(trails.found(), pairs(&[("echo", "cut-off"), ("echo", "cut-off"), ("echo", "cut-off")]));
    fs::remove_file(trails.echo("audit.tip")).unwrap();
    fs::remove_file(trails.echo("audit.tip.sig")).unwrap();
    assert_eq!(trails.found(), pairs(&[("echo", "no-tip"), ("echo", "cut-off")]));
    fs::remove_dir_all(trails.state().join("agents/echo")).unwrap();
    assert_eq!(trails.found(), pairs(&[("echo", "gone")]));
}

#[test]
fn the_gateway_s_own_trail_is_missed_when_all_of_it_is_taken_away_and_every_agent_s_with_it() {
    let trails = Trails::new();
    let take = |folder: &Path| {
        for name in ["audit.jsonl", "audit.tip", "audit.tip.sig"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
    };
    take(&trails.state());
    assert_eq!(trails.found(), pairs(&[("(gateway)", "gone")]));
    // One agent's trail is what it was; who would have remembered its end is told of all the same.
    let ended = trails.run(&["audit", "verify", "keeper"]);
    ended.ends(1);
    insta::assert_snapshot!(ended.stdout, @r"
    (gateway)  0 records in 0 files: 1 finding
      audit.jsonl: there are agents' folders, so there were records, and all of them are gone
    keeper  3 records in 1 file: as written
    ");
    trails.run(&["audit", "replay", "keeper"]).ends(1);
    let doctor = trails.run(&["doctor"]).stdout;
    assert!(doctor.contains("the trail of (gateway) is not what was written"), "{doctor}");
    take(&trails.state().join("agents/keeper"));
    assert_eq!(trails.found(), pairs(&[("(gateway)", "gone"), ("keeper", "gone")]));
    // Whoever writes next says so in the trail itself, for ever.
    trails.run(&["gateway", "stop"]).ends(0);
    assert_eq!(trails.found(), pairs(&[("(gateway)", "discontinuity"), ("keeper", "gone")]));
    let shown = trails.run(&["audit", "show", "--json"]).json();
    assert_eq!(shown["records"][0]["event"], "discontinuity", "{shown}");
}

#[test]
fn verify_says_when_it_cannot() {
    let trails = Trails::new();
    trails.run(&["audit", "verify", "../echo"]).ends(2).complains("there is no agent");
    fs::remove_file(trails.state().join("keys/audit.master")).unwrap();
    trails.run(&["audit", "verify"]).ends(2).complains("the keys of the trails are gone");
    // And where all trails are gone with them.
    for folder in [trails.state(), trails.state().join("agents/keeper"), trails.state().join("agents/echo")] {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            if entry.file_name().to_str().unwrap().starts_with("audit") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    trails.run(&["audit", "verify"]).ends(2).complains("the keys of the trails are gone");
    fs::remove_dir_all(trails.state()).unwrap();
    trails.run(&["audit", "verify"]).ends(0).complains("there is no trail yet");
}

#[test]
fn what_a_model_wrote_acts_on_no_terminal() {
    let trails = Trails::new();
    let commands: [&[&str]; 7] = [
        &["audit", "echo"],
        &["audit", "show", "echo", "--json"],
        &["audit", "export", "echo"],
        &["audit", "export", "echo", "--format", "json"],
        &["audit", "export", "echo", "--format", "csv"],
        &["heartbeat", "echo"],
        &["audit", "verify", "--json"],
    ];
    for words in commands {
        let ended = trails.run(words);
        let said = ended.ends(0).said();
        assert!(!said.is_empty());
        for character in said.chars() {
            let acts = (character.is_control() && character != '\n')
                || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
            assert!(!acts, "{words:?}: {character:?} in {said}");
        }
    }
}

#[test]
fn show_filters_and_shows_the_newest_last() {
    let trails = Trails::new();
    let seqs = |words: &[&str]| -> Vec<u64> {
        let words = [&["audit", "show", "echo", "--json"], words].concat();
        let document = trails.run(&words).ends(0).json();
        document["records"].as_array().unwrap().iter().map(|record| record["seq"].as_u64().unwrap()).collect()
    };
    let all = seqs(&[]);
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(seqs(&["--limit", "2"]), all[all.len() - 2..]);
    assert_eq!(seqs(&["--decision", "denied"]).len(), 1);
    assert_eq!(seqs(&["--event", "intent", "--skill", "file-reader"]).len(), 3);
    assert_eq!(seqs(&["--since", "2100-01-01"]), [0; 0]);
    assert_eq!(seqs(&["--until", "2100-01-01"]), all);
    trails.run(&["audit", "show", "echo", "--since", "yesterday"]).ends(2).complains("RFC 3339");
    trails.run(&["audit", "show", "echo", "--event", "intend"]).ends(2).complains("intent");
}

#[test]
fn an_export_can_be_checked_by_anybody_and_a_schema_is_published() {
    let trails = Trails::new();
    let lines = trails.run(&["audit", "export", "echo"]).stdout;
    let array: Value =
        serde_json::from_str(&trails.run(&["audit", "export", "echo", "--format", "json"]).stdout).unwrap();
    let records: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(array.as_array().unwrap(), &records);
    for pair in records.windows(2) {
        assert_eq!(pair[1]["prev"], pair[0]["hash"]);
    }
    let csv = trails.run(&["audit", "export", "echo", "--format", "csv"]).stdout;
    assert_eq!(csv.lines().count(), records.len() + 1);
    let schema = trails.run(&["audit", "schema"]).json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn followers_are_told_as_it_is_written() {
    let trails = Trails::new();
    let mut show = trails.program(&["audit", "show", "keeper", "--follow", "--json"]).start();
    let mut lines = BufReader::new(show.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!([next()["seq"].clone(), next()["seq"].clone(), next()["seq"].clone()], [1, 2, 3]);
    let path = trails.state().join("agents/keeper/audit.jsonl");
    let last = fs::read_to_string(&path).unwrap().lines().last().unwrap().replace("\"seq\":3", "\"seq\":4");
    let mut file = fs::File::options().append(true).open(&path).unwrap();
    // In two halves: half a line is not shown.
    let (half, rest) = last.split_at(40);
    file.write_all(half.as_bytes()).unwrap();
    file.write_all(format!("{rest}\n").as_bytes()).unwrap();
    assert_eq!(next()["seq"], 4);
    show.kill().unwrap();
    show.wait().unwrap();

    let mut heartbeat = trails.program(&["heartbeat", "keeper", "--follow"]).start();
    let mut lines = BufReader::new(heartbeat.stdout.take().unwrap()).lines();
    let mut until = |text: &str| while !lines.next().unwrap().unwrap().contains(text) {};
    until("Anomalies: None");
    let page = trails.state().join("agents/keeper/HEARTBEAT.md");
    fs::write(page.with_extension("new"), "# Heartbeat - Keeper\n- Anomalies: 1\n").unwrap();
    fs::rename(page.with_extension("new"), &page).unwrap();
    until("Anomalies: 1");
    heartbeat.kill().unwrap();
    heartbeat.wait().unwrap();
}

#[test]
fn the_ecosystem_s_script_removes_who_used_a_restricted_tool_and_nobody_else() {
    let trails = Trails::new();
    let (stub, said) = (trails.place.path().join("stub"), trails.place.path().join("said"));
    fs::write(&stub, format!("#!/bin/sh\necho \"$@\" >> {}\n", said.display())).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o700)).unwrap();
    let run = |errors: &str| {
        let mut script = Command::new(root().join("examples/monitor.sh"));
        script.env("SOULBOUND", &stub).env("SOULBOUND_HOME", trails.state()).env("ERRORS", errors);
        let ended = script.output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    assert_eq!(run("5"), "Agent keeper used a restricted tool and is removed\n");
    assert_eq!(
        fs::read_to_string(&said).unwrap(),
        "agents remove keeper\n",
        "not echo, whose model wrote such a line"
    );
    assert!(run("0").starts_with("Agent echo has 1 errors\n"));
}

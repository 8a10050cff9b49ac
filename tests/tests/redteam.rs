//! `soulbound redteam`, with the real program: every class is tried, what the grants allow is told as residual, and a run that
//! sees nothing is no clean one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use soulbound_tests::gateway::{self, until};
use soulbound_tests::{Agent, Ended, guest};

fn attacked(agent: &Agent, words: &[&str]) -> Ended {
    agent.program().words(&["redteam", "./SOUL.md", "--json", "--seed", "5"]).words(words).run()
}

fn of_class<'a>(document: &'a Value, class: &str) -> Vec<&'a Value> {
    document["attacks"].as_array().unwrap().iter().filter(|attack| attack["class"] == class).collect()
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

/// What is attacked by itself: each is refused by what it is about.
#[test]
fn secrets_egress_stack_pins_and_old_approvals_are_tried_under_every_grant_that_has_a_use_for_them() {
    let agent = Agent::new(
        "- file-writer: Writes\n  - write: ./out\n- sender: Sends\n  - hosts: GET POST https://api.example.com, \
         `https://*.example.org`\n  - secrets: TOKEN for https://api.example.com as header X-Key: {}",
    )
    .directory("out");
    let document = attacked(&agent, &[]).ends(0).json();
    let attacks = document["attacks"].as_array().unwrap();
    let of = |skill: &str, id: &str| {
        let found = attacks.iter().find(|attack| attack["skill"] == skill && attack["id"] == id);
        found.unwrap_or_else(|| panic!("{skill} has no {id}"))
    };
    for (skill, id, refused_by) in [
        ("file-writer", "authority.pinned", "skill.not-trusted"),
        ("file-writer", "exhaustion.stack-deep", "limit.stack"),
        ("file-writer", "exhaustion.rate", "limit.rate"),
        ("file-writer", "exhaustion.random", "limit.random"),
        ("file-writer", "network.sockets", "import.not-granted"),
        ("sender", "exhaustion.egress-requests", "limit.egress"),
        ("sender", "exhaustion.egress-content", "limit.egress"),
        ("sender", "exhaustion.egress-names", "limit.egress"),
        ("sender", "exfiltration.secret-echo-gzip", "secret.encoded"),
        ("(gateway)", "authority.replay-other", "(waits)"),
        ("(gateway)", "authority.replay-restart-timed", "(waits)"),
        ("(gateway)", "authority.token-other", "http 401"),
    ] {
        assert_eq!(of(skill, id)["denials"][0], refused_by, "{id}");
    }
    for (skill, id) in [
        ("sender", "exfiltration.secret-control"),
        ("(gateway)", "authority.replay-control-once"),
        ("(gateway)", "authority.replay-control-restarted"),
    ] {
        assert_eq!(of(skill, id)["verdict"], "allowed", "{id}");
    }
    for id in ["secret-echo-plain", "secret-echo-wide", "secret-beside", "secret-redirect", "surroundings"] {
        assert_eq!(of("sender", &format!("exfiltration.{id}"))["verdict"], "no-effect", "{id}");
    }
    // What the granted host disguises is its own doing, and said.
    assert_eq!(of("sender", "exfiltration.secret-echo-reversed")["verdict"], "residual");
}

#[test]
fn mount_points_are_tried_in_a_namespace_of_their_own_or_told_as_not_tried() {
    let agent = Agent::new("- writer: Writes\n  - write: ./out").directory("out");
    let document = attacked(&agent, &["--class", "paths"]).ends(0).json();
    let attacks = document["attacks"].as_array().unwrap();
    let mounts: Vec<&Value> =
        attacks.iter().filter(|attack| attack["id"].as_str().unwrap().starts_with("paths.mount")).collect();
    if let [only] = mounts.as_slice() {
        println!("NOT RUN: {}", only["evidence"]);
        assert_eq!(only["verdict"], "not-tried");
        return;
    }
    assert!(mounts.len() > 50, "{}", mounts.len());
    for mount in &mounts {
        let expected = if mount["id"] == "paths.mount-control@/out" { "allowed" } else { "refused" };
        assert_eq!(mount["verdict"], expected, "{mount}");
    }
    assert!(mounts.iter().any(|mount| mount["denials"][0] == "path.mount"));
    // Without a namespace of its own it says so, and that is no clean end: nothing was tried.
    let program = agent.program().words(&["redteam", "./SOUL.md", "--mounts", "--json"]);
    let bare = program.variable("PATH", "/nowhere").run();
    assert_eq!(bare.ends(2).json()["attacks"][0]["verdict"], "not-tried");
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
    for id in ["paths.no-such", "nope", "nope.x", "network."] {
        attacked(&agent, &["--attack", id]).ends(2).complains(&format!("no attack has the id \"{id}\""));
    }
    attacked(&agent, &["--attack", "paths.control-read@/in", "--class", "network"])
        .ends(2)
        .complains("no attack has the id");
    attacked(&agent, &["--skill", "other"]).ends(2).complains("other");
}

/// The copies hold what the agent may read, which other users may not.
#[test]
fn scratch_copies_are_for_this_user_alone_and_gone_after_an_interrupted_run() {
    let agent = Agent::new("- reader: Reads\n  - read: ./in").file("in/a.txt", "a");
    for (signal, name) in [("-INT", "SIGINT"), ("-TERM", "SIGTERM")] {
        let place = agent.outside(name);
        fs::create_dir(&place).unwrap();
        let words = ["redteam", "./SOUL.md", "--class", "exhaustion", "--class", "paths"];
        let child = agent.program().words(&words).variable("TMPDIR", &place).start();
        let copies = || fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
        until(|| copies().iter().any(|copy| copy.join("agent/in/a.txt").exists()), "a copy");
        for copy in copies() {
            assert_eq!(
                fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
                0o700,
                "{}",
                copy.display()
            );
        }
        gateway::signal(i32::try_from(child.id()).unwrap(), signal);
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("ended by {name}")), "{said}");
        // A run of its own in a mount namespace ends with this one.
        until(|| copies().is_empty(), "no copy");
    }
}

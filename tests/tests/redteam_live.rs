//! `soulbound redteam --live`, with the real program: it looks around where the agent really is, tries what lies there, and changes
//! nothing at all.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use serde_json::Value;
use soulbound_tests::terminal::Terminal;
use soulbound_tests::trusted::{self, card, listed};
use soulbound_tests::{Agent, Ended, namespace};

/// One granted directory of each mode, and hosts.
const SKILLS: &str = "- reader: Reads\n  - read: ./in\n- writer: Writes\n  - write: ./out\n- dropper: Drops\n  - create: ./new\n\
     - sender: Sends\n  - hosts: https://api.example.com, http://127.0.0.1:8080";

fn looked(agent: &Agent, words: &[&str]) -> Ended {
    let program = agent.program().words(&["redteam", "./SOUL.md", "--live", "--json", "--seed", "5"]);
    program.words(words).run()
}

/// A folder in which everything lies that leads elsewhere.
fn laid() -> Agent {
    let agent = Agent::new(SKILLS).directory("new").directory("out/sub");
    let agent =
        agent.file("in/a.txt", "private words").file("in/sub/b.txt", "b").file("in/.env", "TOKEN=hidden");
    let agent =
        agent.file("out/mine.txt", "mine").file("out/run.sh", "#!/bin/sh\n").file(".env", "TOKEN=agent");
    fs::set_permissions(agent.path("out/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let outside = agent.outside("vault");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.txt"), "the secret outside").unwrap();
    for folder in ["in", "out"] {
        symlink(outside.join("secret.txt"), agent.path(folder).join("to-file")).unwrap();
        symlink("../../vault", agent.path(folder).join("to-folder")).unwrap();
        symlink("sub", agent.path(folder).join("inside")).unwrap();
        fs::hard_link(outside.join("secret.txt"), agent.path(folder).join("second.txt")).unwrap();
    }
    agent
}

/// Everything below a path that a change would show in, but for the times of reading.
fn state(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = match metadata.file_type() {
            kind if kind.is_file() => fs::read(&path).unwrap(),
            kind if kind.is_symlink() => fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes(),
            _ => Vec::new(),
        };
        found.push(format!(
            "{} {:o} {} {} {} {}.{} {}.{} {}",
            path.display(),
            metadata.mode(),
            metadata.ino(),
            metadata.nlink(),
            metadata.uid(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
            String::from_utf8_lossy(&content)
        ));
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found.sort();
    found
}

fn attacks(document: &Value) -> &[Value] {
    document["attacks"].as_array().unwrap()
}

/// The attacks of one skill whose id begins so.
fn begins<'a>(document: &'a Value, skill: &str, begins: &str) -> Vec<&'a Value> {
    let of = |attack: &&Value| attack["skill"] == skill && attack["id"].as_str().unwrap().starts_with(begins);
    attacks(document).iter().filter(of).collect()
}

#[test]
fn nothing_changes_nothing_is_told_and_nothing_is_made_anywhere() {
    let agent = laid();
    // What is written to a FIFO and not read yet is lost by whoever opens and reads it.
    let pipes = [agent.path("in/pipe"), agent.outside("vault/pipe")];
    let mut held: Vec<File> = pipes
        .iter()
        .map(|pipe| {
            mknodat(CWD, pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
            let both = rustix::fs::open(pipe, OFlags::RDWR | OFlags::NONBLOCK, Mode::empty()).unwrap();
            let mut file = File::from(both);
            file.write_all(b"kept").unwrap();
            file
        })
        .collect();
    symlink("../../vault/pipe", agent.path("in/to-pipe")).unwrap();
    let temporary = agent.outside("temporary");
    fs::create_dir(&temporary).unwrap();
    let places = [agent.folder(), agent.outside("vault"), agent.home(), temporary.clone()];
    let before: Vec<_> = places.iter().map(|place| state(place)).collect();
    let program = agent.program().words(&["redteam", "./SOUL.md", "--live", "--yes", "--json"]);
    let ended = program.variable("TMPDIR", &temporary).run();
    let after: Vec<_> = places.iter().map(|place| state(place)).collect();
    assert_eq!(before, after);
    for pipe in &mut held {
        let mut kept = [0; 8];
        assert_eq!(pipe.read(&mut kept).unwrap(), 4);
        assert_eq!(&kept[..4], b"kept");
    }
    for words in ["private words", "TOKEN=", "the secret outside"] {
        assert!(!ended.said().contains(words), "{words}");
    }
    // All of that holds also where a wall does not stand: only then does it matter how the run ended.
    let document = ended.ends(0).json();
    assert_eq!(document["live"], true);
    assert!(document["total"]["refused"].as_u64().unwrap() > 300, "{}", document["total"]);
    // Whatever does more than look is told as not tried, each class with a reason.
    for class in ["paths", "network", "exhaustion", "authority", "exfiltration", "audit", "model"] {
        let untried =
            attacks(&document).iter().find(|one| one["class"] == class && one["verdict"] == "not-tried");
        assert!(!untried.unwrap_or_else(|| panic!("{class}"))["evidence"].as_str().unwrap().is_empty());
    }
    assert_eq!(begins(&document, "reader", "paths.live-special").len(), 1);
}

#[test]
fn what_lies_there_and_leads_out_is_tried_and_refused_and_what_is_granted_is_seen() {
    let agent = laid();
    let document = looked(&agent, &["--yes"]).ends(0).json();
    let secret = agent.outside("vault").canonicalize().unwrap().join("secret.txt");
    for skill in ["reader", "writer"] {
        let links = begins(&document, skill, "paths.live-link-");
        assert!(links.len() > 10, "{links:#?}");
        assert!(links.iter().any(|one| one["what"].as_str().unwrap().contains(secret.to_str().unwrap())));
        for (kind, id) in [("link-", "path.outside"), ("second-name-", "path.hard-link")] {
            let of = |act: &str| begins(&document, skill, &format!("paths.live-{kind}{act}"));
            let tried: Vec<&Value> = ["look", "stat"].into_iter().flat_map(of).collect();
            assert!(tried.len() > 1, "{skill} {kind}");
            tried.iter().for_each(|one| assert_eq!(one["denials"][0], id, "{one}"));
        }
        // The link that stays inside is none.
        assert!(!links.iter().any(|one| one["what"].as_str().unwrap().contains("inside")));
    }
    for one in begins(&document, "reader", "paths.live-hidden-look") {
        assert_eq!(one["denials"][0], "path.hidden");
    }
    for (skill, control) in [
        ("reader", "paths.live-control-directory@/in"),
        ("reader", "paths.live-control-file@/in"),
        ("writer", "paths.live-control-file@/out"),
        ("dropper", "paths.live-control-root@/new"),
        ("sender", "network.live-control@0"),
        ("sender", "network.live-control@1"),
    ] {
        let control = begins(&document, skill, control);
        assert_eq!(control.first().map(|one| &one["verdict"]), Some(&Value::from("allowed")), "{skill}");
    }
    for one in begins(&document, "sender", "network.live-own") {
        assert_eq!(one["denials"][0], "host.private-address", "{one}");
    }
    assert!(begins(&document, "sender", "network.address-").len() > 150);
    // One of them again, by its own words.
    let again = begins(&document, "reader", "paths.live-link-look")[0];
    let words = again["again"].as_str().unwrap();
    assert!(words.contains("redteam ./SOUL.md --live --skill reader"), "{words}");
    let id = again["id"].as_str().unwrap();
    let once = looked(&agent, &["--yes", "--skill", "reader", "--attack", id]).ends(0).json();
    assert_eq!(once["total"]["tried"], 1);
}

#[test]
fn it_says_where_and_asks_and_without_a_terminal_it_does_nothing() {
    let agent = laid();
    let before = state(&agent.folder());
    let ended = looked(&agent, &[]);
    ended.ends(2).complains("no terminal to ask at").complains("`--yes` beside `--live`");
    assert_eq!(ended.stdout, "");
    let place = agent.path("in").canonicalize().unwrap();
    assert!(ended.stderr.contains(place.to_str().unwrap()), "{}", ended.stderr);
    agent.run(&["redteam", "./SOUL.md", "--yes"]).ends(2).complains("--live");
    agent
        .run(&["redteam", "./SOUL.md", "--live", "--yes", "--mounts"])
        .ends(2)
        .complains("cannot be used with");
    for (key, code, said) in
        [("n\r", 2, "nothing was attacked"), ("\r", 2, "nothing was attacked"), ("y\r", 0, "nothing got out")]
    {
        let words = ["redteam", "./SOUL.md", "--live", "--class", "paths", "--skill", "reader"];
        let mut terminal = Terminal::of(agent.program().variable("TERM", "xterm").words(&words));
        soulbound_tests::gateway::until(|| terminal.shown().contains("Look around there?"), "the question");
        terminal.types(key);
        assert_eq!(terminal.ends(), Some(code), "{}", terminal.shown());
        soulbound_tests::gateway::until(|| terminal.shown().contains(said), said);
    }
    assert_eq!(state(&agent.folder()), before);
}

#[test]
fn a_grant_that_is_not_there_and_a_class_that_only_a_copy_tells_of_are_no_clean_end() {
    let agent = Agent::new("- reader: Reads\n  - read: ./missing");
    let document = looked(&agent, &["--yes"]).ends(2).json();
    let bind = begins(&document, "reader", "paths.live-control-bind");
    assert_eq!(bind[0]["verdict"], "blind");
    assert!(bind[0]["evidence"].as_str().unwrap().contains("missing"), "{bind:?}");
    let agent = laid();
    let document = looked(&agent, &["--yes", "--class", "model"]).ends(2).json();
    assert_eq!(document["total"]["tried"], 0);
    assert_eq!(document["total"]["not_tried"], 1);
}

#[test]
fn no_other_command_does_it_and_it_is_no_run_that_anything_asks_for() {
    let agent = trusted::agent().gateway("[trust]\nrequire_redteam = true\n");
    let digest = card(&agent);
    looked(&agent, &["--yes"]).ends(0).complains("this run is no proof");
    let add = |words: &[&str]| {
        agent.program().words(&["agents", "add", ".", "--yes", "--digest", &digest]).words(words).run()
    };
    add(&[]).ends(1).complains("redteam never ran on exactly these bytes");
    assert!(listed(&agent).as_array().unwrap().is_empty());
    let offered = add(&["--redteam"]);
    offered.ends(0).complains("nothing got out");
    assert!(!offered.said().contains("over the real directories"), "{}", offered.said());
    assert!(!offered.said().contains("live"), "{}", offered.said());
    // Nor does it take the place of the run that counted.
    let kept = || state(&agent.state().join("redteam"));
    let before = kept();
    let ended = agent.run(&["redteam", "echo", "--live", "--yes"]);
    ended.ends(0).complains("this run is no proof");
    assert!(ended.stdout.contains("over the real directories"), "{}", ended.stdout);
    assert_eq!(kept(), before);
}

/// What a person, or another program, called things stands escaped in every form.
#[test]
fn names_that_act_on_their_reader_are_escaped() {
    let agent = laid();
    symlink(agent.outside("vault/\u{1b}[2J\u{202e}"), agent.path("in/odd\u{1b}]0;x\u{7}")).unwrap();
    fs::write(agent.outside("vault/\u{1b}[2J\u{202e}"), "x").unwrap();
    let junit = agent.outside("out.xml");
    let words =
        ["redteam", "./SOUL.md", "--live", "--yes", "--class", "paths", "--junit", junit.to_str().unwrap()];
    let ended = agent.run(&words);
    ended.ends(0);
    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains("<property name=\"live\" value=\"true\""), "{junit}");
    let json = looked(&agent, &["--yes", "--class", "paths"]);
    for said in [ended.said(), junit, json.said()] {
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{said:?}");
    }
}

/// Another file system and a bind mount of the same one, which no copy has.
#[test]
fn what_is_mounted_in_a_granted_directory_is_tried_and_refused() {
    let agent = laid();
    let (out, vault) = (agent.path("out"), agent.outside("vault"));
    fs::create_dir(out.join("disk")).unwrap();
    fs::create_dir(out.join("bound")).unwrap();
    let script = format!(
        "mount -t tmpfs none {out}/disk && echo on-disk > {out}/disk/file.txt && mount --bind {vault} {out}/bound && echo mounted && \
         cd \"$3\" && exec \"$1\" redteam ./SOUL.md --live --yes --json --skill writer --class paths",
        out = out.display(),
        vault = vault.display()
    );
    let Some(said) = namespace::run(&agent, &script) else { return };
    let document: Value = serde_json::from_str(said.trim_start_matches("mounted\n")).unwrap();
    let mounts = begins(&document, "writer", "paths.live-mount-");
    for act in ["look", "stat", "handle", "file", "through"] {
        let of = begins(&document, "writer", &format!("paths.live-mount-{act}"));
        assert_eq!(of.len(), 2, "{act}: {mounts:#?}");
    }
    for one in mounts.iter().filter(|one| !one["id"].as_str().unwrap().contains("slash")) {
        assert_eq!(one["denials"][0], "path.mount", "{one}");
    }
}

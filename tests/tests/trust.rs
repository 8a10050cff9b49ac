//! Trust, from outside: what was displayed is what runs; narrowing applies at once, widening and new bytes wait; and nothing
//! that is done to an agent's folder, at any moment, makes it more than it was.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::Value;
use soulbound_tests::agent::tree;
use soulbound_tests::trusted::{SOUL, added, agent, card, changes, listed, may_read, running, trust};
use soulbound_tests::{Agent, guest};

#[test]
fn the_card_shows_what_is_said_beside_what_may_be_done() {
    let soul = "# Security Analyst\n## Identity\n- Name: Guardian\n- Role: Monitor\n## Rules\n- Never execute code or system commands\n\
                ## Skills\n- file-reader: Read internal documents only\n  - read: ./docs\n- file-writer: Save drafts\n  - write: ./drafts\n  \
                - limit: rate 10/minute\n";
    let agent = Agent::with_soul(soul).directory("docs").directory("drafts");
    let ended = agent.run(&["agents", "add", "."]);
    ended.ends(2).complains("no terminal to ask at").complains("agents add . --yes --digest ");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{64}", "[digest]");
    settings.add_filter(r"@0\.2\.\d+", "@0.2.x");
    settings.add_filter(r"/\S*/soulbound-test-\w+", "[place]");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("agents-card", ended.stdout));
}

#[test]
fn an_agent_is_added_by_the_digest_of_its_card_and_by_nothing_else() {
    let agent = agent();
    let digest = card(&agent);
    let other = "0".repeat(64);
    for (words, code) in [
        (&[][..], 2),
        (&["--yes"], 2),
        (&["--digest", &digest], 2),
        (&["--yes", "--digest", &other], 1),
        (&["--yes", "--digest", "12ab"], 2),
    ] {
        agent.program().words(&["agents", "add", "."]).words(words).run().ends(code);
        assert_eq!(listed(&agent), Value::Array(vec![]), "{words:?}");
    }
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(0);
    let rows = listed(&agent);
    assert_eq!(
        (&rows[0]["id"], &rows[0]["state"], &rows[0]["standing"]),
        (&"echo".into(), &"enabled".into(), &"as-trusted".into())
    );
    assert_eq!((&rows[0]["digest"], &rows[0]["skills"][0]), (&digest.clone().into(), &"probe".into()));
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(2).complains("already");
}

#[test]
fn at_a_terminal_only_a_yes_is_a_yes() {
    for (typed, code, count) in [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0), ("\u{4}", 1, 0), ("yep\n", 1, 0)]
    {
        let agent = agent();
        let (ended, shown) = agent.program().words(&["agents", "add", "."]).input(typed).on_terminal();
        assert!(shown.contains("Trust these bytes?"), "{shown}");
        assert_eq!((ended, listed(&agent).as_array().unwrap().len()), (Some(code), count), "{typed:?}");
    }
}

#[test]
fn what_is_swapped_between_the_card_and_the_yes_is_not_trusted() {
    let agent = agent();
    let digest = card(&agent);
    let say_yes = || agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]);
    let original = fs::read(agent.skill("probe").join("SKILL.md")).unwrap();
    agent.write("skills/probe/SKILL.md", [original.as_slice(), b"\nmore\n"].concat());
    say_yes().ends(1).complains("not what `--digest` names");
    agent.write("skills/probe/SKILL.md", &original);
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    say_yes().ends(1);
    agent.write("SOUL.md", SOUL);
    // The same name and content, another directory.
    fs::rename(agent.path("docs"), agent.path("old")).unwrap();
    fs::create_dir(agent.path("docs")).unwrap();
    say_yes().ends(1);
    assert_eq!(listed(&agent), Value::Array(vec![]));
}

#[test]
fn the_card_says_where_a_link_leads() {
    let agent = agent();
    fs::rename(agent.path("docs"), agent.path("real")).unwrap();
    symlink("real", agent.path("docs")).unwrap();
    let shown = agent.run(&["agents", "add", "."]).stdout;
    let real = fs::canonicalize(agent.path("real")).unwrap();
    assert!(shown.contains(&format!("through a link: `./docs` is {}", real.display())), "{shown}");
    assert_eq!(shown.matches("through a link").count(), 1);
}

#[test]
fn everything_in_the_state_folder_is_for_this_user_alone() {
    let agent = added();
    agent.run(&["agents", "disable", "echo"]).ends(0);
    for (path, kind) in tree(&agent.state()) {
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if kind == "directory" { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[test]
fn narrowing_applies_at_once_and_widening_waits() {
    let agent = added();
    let _gateway = running(&agent);
    assert_eq!(changes(&agent), Vec::<String>::new());
    agent.run(&["agents", "diff", "echo"]).ends(0);
    for path in ["/docs/x.txt", "/more/m.txt", "/drafts/new"] {
        assert_eq!(may_read(&agent, path), "allowed", "{path}");
    }
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs/deep, ./private"));
    assert_eq!(may_read(&agent, "/docs/deep/y.txt"), "allowed", "what is left is where it was");
    for path in ["/docs/x.txt", "/more/m.txt", "/private/key"] {
        assert_eq!(may_read(&agent, path), "path.outside", "{path}");
    }
    agent.run(&["agents", "diff", "echo"]).ends(1);
    let found = changes(&agent);
    for expected in [
        "bytes `SOUL.md` has other bytes",
        "narrowing loses `read: ./docs`",
        "narrowing loses `read: ./more`",
        "widening gains `read: ./private`",
    ] {
        assert!(found.contains(&expected.to_owned()), "no {expected}: {found:#?}");
    }
    assert_eq!(listed(&agent)[0]["standing"], "changed");
    trust(&agent).ends(0);
    assert_eq!(may_read(&agent, "/private/key"), "allowed");
    assert_eq!(changes(&agent), Vec::<String>::new());
}

#[test]
fn a_narrower_path_that_leads_elsewhere_is_lost() {
    let agent = added();
    symlink("../private", agent.path("docs/evil")).unwrap();
    agent.write("SOUL.md", SOUL.replace("./docs,", "./docs/evil,"));
    assert_eq!(may_read(&agent, "/docs/evil/key"), "path.moved");
    assert!(changes(&agent).iter().any(|change| change.contains("path.moved")), "{:#?}", changes(&agent));
}

/// What is done to a folder, and how.
type Swap = (&'static str, fn(&Agent));

#[test]
fn a_directory_that_is_another_one_is_lost_until_it_is_trusted() {
    let swaps: [Swap; 3] = [
        ("another", |agent| fs::rename(agent.path("private"), agent.path("docs")).unwrap()),
        ("a link to another", |agent| symlink("private", agent.path("docs")).unwrap()),
        ("gone", |_| {}),
    ];
    for (what, swap) in swaps {
        let agent = added();
        let _gateway = running(&agent);
        fs::rename(agent.path("docs"), agent.path("old")).unwrap();
        swap(&agent);
        assert_eq!(may_read(&agent, "/docs/key"), "path.moved", "{what}");
        assert_eq!(may_read(&agent, "/more/m.txt"), "allowed", "{what}");
        assert_eq!(changes(&agent).len(), 1, "{what}");
        assert_eq!(listed(&agent)[0]["standing"], "changed", "{what}");
        if what == "another" {
            trust(&agent).ends(0);
            assert_eq!(may_read(&agent, "/docs/key"), "allowed");
        }
    }
}

#[test]
fn a_directory_made_anew_in_the_place_of_a_trusted_one_is_another_one() {
    let agent = added();
    let _gateway = running(&agent);
    let docs = agent.path("docs");
    let number = || fs::metadata(&docs).unwrap().ino();
    let trusted = number();
    // File systems give a free number again, most of them at once. One that does not has other numbers, which is told as well.
    for _ in 0..100 {
        fs::remove_dir_all(&docs).unwrap();
        fs::create_dir(&docs).unwrap();
        if number() == trusted {
            break;
        }
    }
    agent.write("docs/key", "made by somebody else");
    assert_eq!(may_read(&agent, "/docs/key"), "path.moved");
    assert_eq!(may_read(&agent, "/more/m.txt"), "allowed");
    assert_eq!(listed(&agent)[0]["standing"], "changed");
    trust(&agent).ends(0);
    assert_eq!(may_read(&agent, "/docs/key"), "allowed");
}

#[test]
fn new_bytes_of_a_skill_wait_and_are_named() {
    let agent = added();
    let _gateway = running(&agent);
    agent.write("skills/probe/notes/new.md", "new");
    fs::remove_file(agent.skill("probe").join("SKILL.md")).unwrap();
    assert_eq!(
        changes(&agent),
        ["bytes its folder cannot be used: `".to_owned()
            + &format!(
                "{}/SKILL.md` cannot be read: No such file or directory (os error 2)",
                fs::canonicalize(agent.skill("probe")).unwrap().display()
            )]
    );
    agent.write("skills/probe/SKILL.md", guest::manifest("probe"));
    let found = changes(&agent);
    assert_eq!(found, ["bytes `SKILL.md` has other bytes", "bytes `notes/new.md` is new"]);
    assert_eq!(may_read(&agent, "/docs/x.txt"), "allowed", "the trusted bytes go on");
    fs::remove_dir_all(agent.skill("probe")).unwrap();
    assert_eq!(may_read(&agent, "/docs/x.txt"), "skill.not-trusted", "its folder is gone");
}

#[test]
fn an_agent_is_stopped_started_and_removed_without_a_question() {
    let agent = added();
    agent.run(&["agents", "disable", "Echo"]).ends(0).complains(agent.state().to_str().unwrap());
    assert_eq!(listed(&agent)[0]["state"], "disabled");
    assert_eq!(may_read(&agent, "/docs/x.txt"), "agent.stopped");
    agent.run(&["agents", "disable", "echo"]).ends(0);
    agent.run(&["agents", "enable", "echo"]).ends(0);
    assert_eq!(may_read(&agent, "/docs/x.txt"), "allowed");
    let trail = || fs::read_to_string(agent.state().join("agents/echo/audit.jsonl")).unwrap();
    for (verb, option) in [("remove", None), ("delete", Some("--force")), ("rm", Some("--yes"))] {
        let before = trail();
        agent.program().words(&["agents", verb, "echo"]).words(option.as_slice()).run().ends(0);
        assert!(
            trail().starts_with(&before) && trail().contains("agent.removed"),
            "the trail is kept and goes on"
        );
        assert_eq!(listed(&agent), Value::Array(vec![]));
        agent.run(&["why", "echo", "probe", "--path", "/docs"]).ends(2).complains("was removed");
        agent.run(&["agents", "enable", "echo"]).ends(2);
        let digest = card(&agent);
        agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(0);
        assert_eq!(may_read(&agent, "/docs/x.txt"), "allowed");
    }
    agent.run(&["audit", "verify", "echo"]).ends(0);
    let history = agent.run(&["agents", "history", "echo", "--json"]).json();
    assert_eq!(history["history"].as_array().unwrap().len(), 4);
}

#[test]
fn an_agent_is_stopped_even_with_its_record_gone_bad() {
    let agent = added();
    fs::write(agent.state().join("agents/echo/agent.toml"), "not a record").unwrap();
    agent.run(&["agents", "disable", "echo"]).ends(0);
    let rows = listed(&agent);
    assert_eq!((&rows[0]["state"], &rows[0]["standing"]), (&"disabled".into(), &"unreadable".into()));
    agent.run(&["agents", "enable", "echo"]).ends(2);
    agent.run(&["agents", "remove", "echo"]).ends(0);
}

#[test]
fn what_is_no_id_reaches_no_file() {
    let agent = added();
    // Whoever works on the state folder says so in its lock.
    let state = || -> Vec<_> {
        tree(&agent.state()).into_iter().filter(|(path, _)| !path.ends_with("gateway.lock")).collect()
    };
    let before = state();
    for id in ["..", ".", "../agents/echo", "/etc", "e\u{441}ho", "echo\u{200b}", "echo/", "-", "nobody", ""]
    {
        for verb in ["show", "disable", "remove", "rollback", "history", "diff", "trust", "enable"] {
            let ended = agent.program().words(&["agents", verb, "--", id]).run();
            assert_eq!(ended.code, Some(2), "{verb} {id:?}: {ended:?}");
            assert!(!ended.stderr.contains('\u{200b}'), "{ended:?}");
        }
    }
    assert_eq!(state(), before);
}

#[test]
fn another_name_is_another_agent() {
    let agent = added();
    let _gateway = running(&agent);
    agent.write("SOUL.md", SOUL.replace("Name: Echo", "Name: Other"));
    agent.run(&["agents", "trust", "echo"]).ends(2).complains("fixed when it was added");
    assert_eq!(may_read(&agent, "/docs/x.txt"), "allowed", "it is `echo` still");
}

#[test]
fn the_state_folder_and_an_agent_do_not_hold_one_another() {
    let agent = agent();
    let inside = agent.path("state");
    fs::create_dir(&inside).unwrap();
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o700)).unwrap();
    let run = |words: &[&str]| agent.program().variable("SOULBOUND_HOME", &inside).words(words).run();
    run(&["agents", "add", "."]).ends(2).complains("lies inside an agent's folder");
    let within = agent.state().join("skills/echo");
    fs::create_dir_all(&within).unwrap();
    fs::copy(agent.soul(), within.join("SOUL.md")).unwrap();
    let added = agent.program().words(&["agents", "add", "--json"]).words(&[&within]).run();
    let digest = added.json()["digest"].as_str().unwrap_or("none").to_owned();
    let added =
        agent.program().words(&["agents", "add", "--yes", "--digest", &digest]).words(&[&within]).run();
    assert_ne!(added.code, Some(0), "{added:?}");
}

#[test]
fn a_skill_with_a_flood_of_files_is_refused_soon() {
    let agent = agent();
    for number in 0..600 {
        agent.write(&format!("skills/probe/flood/{number}"), "");
    }
    let ended = agent.run(&["agents", "add", "."]);
    ended.ends(1);
    assert!(ended.stdout.contains("more than 512 files"), "{}", ended.stdout);
}

#[test]
fn a_new_agent_passes_its_check_and_can_be_added() {
    let agent = agent();
    for template in ["researcher", "scribe"] {
        let name = format!("Ada {template}");
        let folder = agent.outside(template);
        let shown = folder.to_str().unwrap();
        let made = agent.run(&["agents", "new", &name, "--template", template, "--folder", shown]);
        made.ends(0).complains("agents add");
        agent.run(&["check", &format!("{shown}/SOUL.md")]).ends(0);
        let digest =
            agent.run(&["agents", "add", shown, "--json"]).json()["digest"].as_str().unwrap().to_owned();
        agent.run(&["agents", "add", shown, "--yes", "--digest", &digest]).ends(0);
        agent.run(&["check", &format!("ada-{template}")]).ends(0);
        agent.run(&["agents", "new", &name, "--folder", shown]).ends(2).complains("is there already");
    }
    assert_eq!(listed(&agent).as_array().unwrap().len(), 2);
}

#[test]
fn every_verb_s_help_has_an_example() {
    let agent = agent();
    for verb in [
        "", "list", "add", "new", "show", "diff", "trust", "rollback", "history", "enable", "disable",
        "remove",
    ] {
        let words: Vec<&str> = ["agents", verb, "-h"].into_iter().filter(|word| !word.is_empty()).collect();
        let ended = agent.run(&words);
        ended.ends(0);
        assert!(ended.stdout.contains("Example:\n  soulbound agents"), "{verb}: {}", ended.stdout);
    }
}

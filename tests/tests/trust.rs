//! Trust, from outside: what was displayed is what runs; narrowing applies at once, widening and new bytes wait; and nothing
//! that is done to an agent's folder, at any moment, makes it more than it was.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use soulbound_tests::agent::tree;
use soulbound_tests::{Agent, Ended, guest};

const SOUL: &str = "# Agent\n## Identity\n- Name: Echo\n## Skills\n- probe: Try\n  - read: ./docs, ./more\n  - write: ./drafts\n";

/// An agent with a skill of its own and three granted directories.
fn agent() -> Agent {
    let agent = Agent::with_soul(SOUL).guest("probe").directory("drafts").file("more/m.txt", "m");
    agent.file("docs/x.txt", "x").file("docs/deep/y.txt", "y").file("private/key", "secret")
}

/// The digest of what is in the folder, as the card shows it.
fn card(agent: &Agent) -> String {
    let words = ["agents", "add", ".", "--json"];
    agent.run(&words).json()["digest"].as_str().expect("a card has a digest").to_owned()
}

fn added() -> Agent {
    let agent = agent();
    let digest = card(&agent);
    agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(0);
    agent
}

fn trust(agent: &Agent) -> Ended {
    let shown = agent.run(&["agents", "trust", "echo", "--json"]).json();
    let digest = shown["card"]["digest"].as_str().unwrap_or_else(|| panic!("{shown:#}"));
    agent.run(&["agents", "trust", "echo", "--yes", "--digest", digest])
}

fn show(agent: &Agent) -> Value {
    agent.run(&["agents", "show", "echo", "--json"]).json()
}

fn trusted(agent: &Agent) -> String {
    show(agent)["trusted"]["digest"].as_str().unwrap().to_owned()
}

/// What a question about the agent's skill is answered: `allowed`, or the denial's id.
fn why(agent: &Agent, words: &[&str]) -> String {
    let answer = agent.program().words(&["why", "echo", "probe", "--json"]).words(words).run().json();
    match answer["decision"].as_str().unwrap() {
        "allowed" => "allowed".to_owned(),
        _ => answer["denial"]["id"].as_str().unwrap().to_owned(),
    }
}

fn may_read(agent: &Agent, path: &str) -> String {
    why(agent, &["--path", path])
}

/// The changes as `effect text`.
fn changes(agent: &Agent) -> Vec<String> {
    let ended = agent.run(&["agents", "diff", "echo", "--json"]);
    let document = ended.json();
    let changes = document["changes"].as_array().unwrap();
    assert_eq!(ended.code, Some(i32::from(!changes.is_empty())));
    let one = |change: &Value| {
        format!("{} {}", change["effect"].as_str().unwrap(), change["text"].as_str().unwrap())
    };
    changes.iter().map(one).collect()
}

fn listed(agent: &Agent) -> Value {
    agent.run(&["agents", "--json"]).json()["agents"].clone()
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

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
    assert_eq!(changes(&agent), Vec::<String>::new());
    for path in ["/docs/x.txt", "/more/m.txt", "/drafts/new"] {
        assert_eq!(may_read(&agent, path), "allowed", "{path}");
    }
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs/deep, ./private"));
    assert_eq!(may_read(&agent, "/docs/deep/y.txt"), "allowed", "what is left is where it was");
    for path in ["/docs/x.txt", "/more/m.txt", "/private/key"] {
        assert_eq!(may_read(&agent, path), "path.outside", "{path}");
    }
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
    assert_eq!(may_read(&agent, "/docs/evil/key"), "path.outside");
    assert!(changes(&agent).iter().any(|change| change.contains("path.moved")), "{:#?}", changes(&agent));
}

#[test]
fn a_directory_that_is_another_one_is_lost_until_it_is_trusted() {
    let swaps: [(&str, fn(&Agent)); 3] = [
        ("another", |agent| fs::rename(agent.path("private"), agent.path("docs")).unwrap()),
        ("a link to another", |agent| symlink("private", agent.path("docs")).unwrap()),
        ("gone", |_| {}),
    ];
    for (what, swap) in swaps {
        let agent = added();
        fs::rename(agent.path("docs"), agent.path("old")).unwrap();
        swap(&agent);
        assert_eq!(may_read(&agent, "/docs/key"), "path.outside", "{what}");
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
fn new_bytes_of_a_skill_wait_and_are_named() {
    let agent = added();
    agent.write("skills/probe/notes/new.md", "new");
    fs::remove_file(agent.skill("probe").join("SKILL.md")).unwrap();
    assert_eq!(
        changes(&agent),
        ["bytes its folder cannot be used: `".to_owned()
            + &format!(
                "{}/SKILL.md` cannot be read: entity not found",
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
fn a_soul_that_cannot_be_used_lets_nothing_run() {
    let agent = added();
    let soul = agent.soul();
    let spoil: [(&str, &dyn Fn()); 7] = [
        ("gone", &|| {}),
        ("errors", &|| fs::write(&soul, SOUL.replace("read:", "raed:")).unwrap()),
        ("too large", &|| fs::write(&soul, " ".repeat(300 << 10)).unwrap()),
        ("not UTF-8", &|| fs::write(&soul, [0xff, 0xfe]).unwrap()),
        ("a folder", &|| fs::create_dir(&soul).unwrap()),
        ("a FIFO", &|| fifo(&soul)),
        ("a link to the very bytes", &|| {
            fs::write(agent.outside("same.md"), SOUL).unwrap();
            symlink(agent.outside("same.md"), &soul).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        if soul.is_dir() {
            fs::remove_dir(&soul).unwrap();
        } else {
            let _ = fs::remove_file(&soul);
        }
        spoil();
        let started = Instant::now();
        assert_eq!(may_read(&agent, "/docs/x.txt"), "skill.not-trusted", "{what}");
        assert!(changes(&agent)[..].iter().any(|change| change.contains("nothing may run")), "{what}");
        assert!(show(&agent)["effective"].is_null(), "{what}");
        assert!(started.elapsed() < Duration::from_secs(20), "{what} was waited for");
    }
    agent.run(&["agents", "rollback", "echo"]).ends(0);
    assert_eq!(
        fs::read_to_string(agent.outside("same.md")).unwrap(),
        SOUL,
        "the link was not written through"
    );
    assert!(!soul.is_symlink());
    assert_eq!((may_read(&agent, "/docs/x.txt"), changes(&agent).len()), ("allowed".to_owned(), 0));
}

#[test]
fn rollback_puts_back_what_is_trusted_and_keeps_what_it_replaces() {
    let agent = added();
    let before = tree(&agent.skill("probe"));
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    agent.write("skills/probe/SKILL.md", "other");
    agent.write("skills/probe/extra", "extra");
    let ended = agent.run(&["agents", "rollback", "echo"]);
    ended.ends(0).complains("SOUL.md put back").complains("as trusted again");
    assert_eq!(fs::read_to_string(agent.soul()).unwrap(), SOUL);
    assert_eq!(tree(&agent.skill("probe")), before);
    assert_eq!(fs::read_to_string(agent.path("skills/.probe.replaced.1/extra")).unwrap(), "extra");
    let kept = ended.stderr.split("store as ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let kept = fs::read_to_string(agent.state().join("store/sha256").join(kept)).unwrap();
    assert!(kept.contains("./private"));
    assert_eq!(changes(&agent), Vec::<String>::new());
}

#[test]
fn rollback_of_an_unchanged_folder_returns_to_what_was_trusted_before() {
    let agent = added();
    let first = trusted(&agent);
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    trust(&agent).ends(0);
    let second = trusted(&agent);
    assert_ne!(first, second);
    agent.run(&["agents", "rollback", "echo"]).ends(0);
    assert_eq!(
        (trusted(&agent), fs::read_to_string(agent.soul()).unwrap()),
        (first.clone(), SOUL.to_owned())
    );
    agent.run(&["agents", "rollback", "echo", "--to", &second[..12]]).ends(0);
    assert_eq!(trusted(&agent), second);
    agent.run(&["agents", "rollback", "echo", "--to", "ffffffffffff"]).ends(2).complains("history");
    let history = agent.run(&["agents", "history", "echo", "--json"]).json();
    let how: Vec<&str> =
        history["history"].as_array().unwrap().iter().map(|act| act["how"].as_str().unwrap()).collect();
    assert_eq!(how, ["added", "trusted", "rolled-back", "rolled-back"]);
}

#[test]
fn rollback_writes_through_no_link() {
    let agent = added();
    let elsewhere = agent.outside("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(agent.path("skills"), agent.path("old-skills")).unwrap();
    symlink(&elsewhere, agent.path("skills")).unwrap();
    agent.run(&["agents", "rollback", "echo"]).ends(2).complains("`skills`");
    assert_eq!(tree(&elsewhere), []);
    fs::remove_file(agent.path("skills")).unwrap();
    fs::create_dir(agent.path("skills")).unwrap();
    symlink(&elsewhere, agent.skill("probe")).unwrap();
    fs::write(elsewhere.join("mine"), "mine").unwrap();
    agent.run(&["agents", "rollback", "echo"]).ends(0);
    assert_eq!(tree(&elsewhere), [(elsewhere.join("mine"), "mine".to_owned())]);
    assert!(agent.skill("probe").join("SKILL.md").is_file() && !agent.skill("probe").is_symlink());
    assert_eq!(changes(&agent), Vec::<String>::new());
    // The whole folder replaced by a link: nothing is opened through it.
    fs::rename(agent.folder(), agent.outside("moved")).unwrap();
    symlink(agent.outside("moved"), agent.folder()).unwrap();
    agent.write("SOUL.md", "other");
    agent.run(&["agents", "rollback", "echo"]).ends(2);
    assert_eq!(fs::read_to_string(agent.outside("moved").join("SOUL.md")).unwrap(), "other");
}

#[test]
fn altered_bytes_in_the_store_are_never_used() {
    let agent = added();
    let soul = show(&agent)["trusted"]["manifest"]["soul"].as_str().unwrap().to_owned();
    let path = agent.state().join("store/sha256").join(&soul);
    fs::write(&path, SOUL.replace("./more", "./private")).unwrap();
    agent.run(&["why", "echo", "probe", "--path", "/private/key"]).ends(2).complains(&soul);
    agent.run(&["agents", "rollback", "echo"]).ends(2).complains(&soul);
    assert_eq!(fs::read_to_string(agent.soul()).unwrap(), SOUL);
    fs::remove_file(&path).unwrap();
    agent.run(&["agents", "trust", "echo"]).ends(2).complains(&soul);
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
    fs::write(agent.state().join("agents/echo/audit.jsonl"), "a trail").unwrap();
    for (verb, option) in [("remove", None), ("delete", Some("--force")), ("rm", Some("--yes"))] {
        agent.program().words(&["agents", verb, "echo"]).words(option.as_slice()).run().ends(0);
        assert_eq!(listed(&agent), Value::Array(vec![]));
        agent.run(&["why", "echo", "probe", "--path", "/docs"]).ends(2).complains("was removed");
        agent.run(&["agents", "enable", "echo"]).ends(2);
        let digest = card(&agent);
        agent.run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(0);
        assert_eq!(may_read(&agent, "/docs/x.txt"), "allowed");
    }
    assert_eq!(fs::read_to_string(agent.state().join("agents/echo/audit.jsonl")).unwrap(), "a trail");
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
    let before = tree(&agent.state());
    for id in ["..", ".", "../agents/echo", "/etc", "e\u{441}ho", "echo\u{200b}", "echo/", "-", "nobody", ""]
    {
        for verb in ["show", "disable", "remove", "rollback", "history", "diff", "trust", "enable"] {
            let ended = agent.program().words(&["agents", verb, "--", id]).run();
            assert_eq!(ended.code, Some(2), "{verb} {id:?}: {ended:?}");
            assert!(!ended.stderr.contains('\u{200b}'), "{ended:?}");
        }
    }
    assert_eq!(tree(&agent.state()), before);
}

#[test]
fn another_name_is_another_agent() {
    let agent = added();
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
    let digest = run(&["agents", "add", ".", "--json"]).json()["digest"].as_str().unwrap().to_owned();
    run(&["agents", "add", ".", "--yes", "--digest", &digest]).ends(2).complains("hold one another");
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
fn killed_at_any_moment_it_is_the_old_trust_or_the_new_one() {
    let agent = added();
    let widened = SOUL.replace("./more", "./private");
    let old = trusted(&agent);
    agent.write("SOUL.md", &widened);
    let shown = agent.run(&["agents", "trust", "echo", "--json"]).json();
    let new = shown["card"]["digest"].as_str().unwrap().to_owned();
    let words = ["agents", "trust", "echo", "--yes", "--digest", &new];
    let started = Instant::now();
    agent.run(&words).ends(0);
    let whole = started.elapsed();
    let mut seen = [false; 2];
    for step in 0..40_u32 {
        agent.write("SOUL.md", SOUL);
        trust(&agent);
        agent.write("SOUL.md", &widened);
        assert_eq!(trusted(&agent), old);
        let mut child = agent.program().words(&words).start();
        let started = Instant::now();
        // Spread over the whole run, and beyond: there is no event to wait for, any moment is meant.
        while started.elapsed() < whole * step / 32 {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        child.wait().unwrap();
        let now = trusted(&agent);
        assert!(now == old || now == new, "{now}");
        seen[usize::from(now == new)] = true;
        assert_eq!(may_read(&agent, "/private/key"), if now == new { "allowed" } else { "path.outside" });
    }
    assert_eq!(seen, [true, true], "the kills missed one side");
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

//! Coming back to what is trusted: from a spoilt folder, after a kill, through planted links.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use soulbound_tests::agent::tree;
use soulbound_tests::guest;
use soulbound_tests::trusted::{SOUL, added, agent, changes, may_read, show, trust, trusted};

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
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
fn rollback_says_what_it_gives_back_against_what_was_in_force() {
    let agent = added();
    let back = |words: &[&str]| {
        let ended = agent.program().words(&["agents", "rollback", "echo"]).words(words).run();
        let stderr = ended.ends(0).stderr.clone();
        stderr.lines().filter(|line| line.starts_with("widens")).map(str::to_owned).collect::<Vec<_>>()
    };
    // What narrowed was in force; what widened never was.
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./docs, ./private"));
    let said = back(&[]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("widens probe: ") && said[0].contains("./more"), "{said:?}");
    agent.write("SOUL.md", SOUL.replace("./more", "./more, ./private"));
    assert_eq!(back(&[]), Vec::<String>::new());
    fs::remove_dir_all(agent.skill("probe")).unwrap();
    let said = back(&[]);
    assert!(said.iter().any(|line| line.contains("probe")), "{said:?}");
    agent.write("SOUL.md", "none");
    assert_eq!(back(&[]), ["widens: nothing of it ran, and what is trusted may run again"]);
    // Against what was in force too where an earlier one is named: less than what was trusted then.
    let first = trusted(&agent);
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    trust(&agent).ends(0);
    agent.write("SOUL.md", SOUL.replace("./docs, ./more", "./private"));
    let said = back(&["--to", &first]);
    assert!(said.iter().any(|line| line.contains("./docs")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("./more")), "{said:?}");
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
    // Nobody is asked, so what more may be reached again is said.
    let back = agent.run(&["agents", "rollback", "echo", "--to", &second[..12]]);
    back.ends(0).complains("widens probe: ").complains("./private");
    assert!(!back.stderr.contains("./more"), "what narrows: {}", back.stderr);
    assert_eq!(trusted(&agent), second);
    agent.run(&["agents", "rollback", "echo", "--to", "ffffffffffff"]).ends(2).complains("history");
    let history = agent.run(&["agents", "history", "echo", "--json"]).json();
    let how: Vec<&str> =
        history["history"].as_array().unwrap().iter().map(|act| act["how"].as_str().unwrap()).collect();
    assert_eq!(how, ["added", "trusted", "rolled-back", "rolled-back"]);
}

#[test]
fn rollback_twice_goes_back_twice_and_then_says_that_there_is_nothing_before() {
    let agent = added();
    let mut states = vec![trusted(&agent)];
    for more in ["./private", "./private, ./drafts/notes"] {
        fs::create_dir_all(agent.path("drafts/notes")).unwrap();
        agent.write("SOUL.md", SOUL.replace("./more", more.split(", ").next().unwrap()).replace("Try", more));
        trust(&agent).ends(0);
        states.push(trusted(&agent));
    }
    let back = || agent.run(&["agents", "rollback", "echo"]);
    for earlier in [&states[1], &states[0]] {
        back().ends(0);
        assert_eq!(&trusted(&agent), earlier);
    }
    let acts =
        || agent.run(&["agents", "history", "echo", "--json"]).json()["history"].as_array().unwrap().len();
    let recorded =
        || agent.run(&["audit", "show", "echo", "--json"]).json()["records"].as_array().unwrap().len();
    let before = (acts(), recorded());
    let already = format!("already at {}", &states[0][..12]);
    for _ in 0..2 {
        back().ends(2).complains(&already).complains("nothing to roll back").complains("agents history echo");
        agent.run(&["agents", "rollback", "echo", "--to", &states[0]]).ends(2).complains(&already);
    }
    assert_eq!(
        (trusted(&agent), (acts(), recorded())),
        (states[0].clone(), before),
        "nothing was done or recorded"
    );
    // Forth by name, and from there back to where that came from.
    agent.run(&["agents", "rollback", "echo", "--to", &states[2]]).ends(0);
    back().ends(0);
    assert_eq!(trusted(&agent), states[0]);
}

#[test]
fn rollback_says_what_it_cannot_put_back_and_does_not_go_further_back() {
    let agent = added();
    agent.write("SOUL.md", SOUL.replace("./more", "./private"));
    trust(&agent).ends(0);
    let now = trusted(&agent);
    fs::rename(agent.path("docs"), agent.path("old")).unwrap();
    fs::create_dir(agent.path("docs")).unwrap();
    let ended = agent.run(&["agents", "rollback", "echo"]);
    ended
        .ends(1)
        .complains("still differs: probe: loses `./docs`: path.moved")
        .complains("not yet as trusted")
        .complains("rollback puts files back, not directories");
    assert_eq!(trusted(&agent), now);
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
fn rollback_goes_through_no_link_above_the_folder_either() {
    let agent = agent();
    let above = agent.outside("above");
    guest::copy(&agent.folder(), &above.join("inner"));
    let words = ["agents", "add", "../above/inner"];
    let shown = agent.program().words(&words).words(&["--json"]).run().json();
    let digest = shown["digest"].as_str().unwrap();
    agent.program().words(&words).words(&["--yes", "--digest", digest]).run().ends(0);
    fs::rename(&above, agent.outside("elsewhere")).unwrap();
    symlink("elsewhere", &above).unwrap();
    fs::write(above.join("inner/SOUL.md"), "other").unwrap();
    agent.run(&["agents", "rollback", "echo"]).ends(2);
    assert_eq!(fs::read_to_string(above.join("inner/SOUL.md")).unwrap(), "other");
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
        trust(&agent).ends(0);
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

//! A sample of the paths corpus through the real program: around a grant, inside it, and what is never there.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use serde_json::{Value, json};
use soulbound_tests::{Agent, Ended, agent::tree};

/// `docs` is readable, `ws` writable, `drop` takes new files; a secret lies outside, and links to it inside.
fn agent() -> Agent {
    let agent = Agent::new("- probe: Try\n  - read: ./docs\n  - write: ./ws, ./ws2\n  - create: ./drop")
        .guest("probe");
    let agent =
        agent.file("docs/x.txt", "inside").file("docs/sub/y.txt", "deeper").file("docs/.env", "SECRET");
    let agent = agent
        .file("ws/x.txt", "mine")
        .file("ws/AGENTS.md", "steer")
        .file("ws/run.sh", "#!/bin/sh")
        .directory("drop")
        .directory("ws2");
    let agent = agent.file("secret.txt", "SECRET");
    fs::set_permissions(agent.path("ws/run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    for (target, name) in [
        ("../secret.txt", "up"),
        ("/etc/passwd", "absolute"),
        ("sub/../../secret.txt", "around"),
        ("..", "parent"),
        ("/proc/self/root", "root"),
        ("loop", "loop"),
        ("x.txt", "in"),
        ("../docs/x.txt", "out-and-in"),
    ] {
        symlink(target, agent.path("docs").join(name)).unwrap();
        symlink(target, agent.path("ws").join(name)).unwrap();
    }
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    for folder in ["docs/fifo", "ws/fifo"] {
        rustix::fs::mknodat(rustix::fs::CWD, agent.path(folder), rustix::fs::FileType::Fifo, mode, 0)
            .unwrap();
    }
    fs::hard_link(agent.path("secret.txt"), agent.path("docs/hard")).unwrap();
    fs::hard_link(agent.path("secret.txt"), agent.path("ws/hard")).unwrap();
    agent
}

fn attempt(agent: &Agent, what: &str, path: impl Into<Value>) -> Ended {
    agent.call_json("probe", "attempt-at", &json!({"attempt": {what: path.into()}}))
}

#[test]
fn what_is_granted_works() {
    let agent = agent();
    assert_eq!(attempt(&agent, "read", "docs/x.txt").result(), "inside");
    assert_eq!(attempt(&agent, "read", "docs/sub/../x.txt").result(), "inside");
    assert_eq!(attempt(&agent, "read", "docs/in").result(), "inside");
    assert_eq!(agent.call("probe", "list", &["path=/docs/sub"]).result(), json!(["y.txt"]));
    agent.call("probe", "write", &["path=/ws/new.txt", "text=hello"]).ends(0);
    agent.call("probe", "mkdir", &["path=/ws/deep"]).ends(0);
    agent.call("probe", "rename", &["source=/ws/new.txt", "destination=/ws/deep/moved.txt"]).ends(0);
    assert_eq!(fs::read_to_string(agent.path("ws/deep/moved.txt")).unwrap(), "hello");
    assert_eq!(fs::metadata(agent.path("ws/deep/moved.txt")).unwrap().permissions().mode() & 0o133, 0);
    agent.call("probe", "remove", &["path=/ws/deep/moved.txt"]).ends(0);
    agent.call("probe", "create", &["path=/drop/new.txt", "text=hello"]).ends(0);
}

#[test]
fn nothing_outside_is_read_by_any_spelling() {
    let agent = agent();
    let paths = [
        "../secret.txt",
        "docs/../../secret.txt",
        "docs/../secret.txt",
        "/etc/passwd",
        "docs//..//../secret.txt",
        "./docs/./../../secret.txt",
        "docs/sub/../../../secret.txt",
        "secret.txt",
        "etc/passwd",
        "docs/up",
        "docs/absolute",
        "docs/around",
        "docs/parent/secret.txt",
        "docs/root/etc/passwd",
        "docs/loop",
        "docs/out-and-in",
        "docs/../docs/../../secret.txt",
        "docs/x.txt/../../../secret.txt",
        "proc/self/environ",
        "dev/null",
        "docs/parent/docs/x.txt",
        "..",
        "docs/..\\..\\secret.txt",
        "docs/%2e%2e/secret.txt",
    ];
    let before = tree(&agent.folder());
    for path in paths {
        for what in [
            "read",
            "stat",
            "directory",
            "write",
            "create",
            "truncate",
            "unlink",
            "set-times",
            "metadata-hash",
        ] {
            let ended = attempt(&agent, what, path);
            ended.ends(1);
            assert!(
                !ended.said().contains("SECRET") && !ended.said().contains("root:"),
                "{what} {path}: {ended:?}"
            );
        }
    }
    assert_eq!(tree(&agent.folder()), before, "something was changed");
}

#[test]
fn what_is_outside_is_no_such_entry_to_the_guest_and_path_outside_in_the_record() {
    let agent = agent();
    for path in ["etc/passwd", "docs/up", "does/not/exist", "docs/../secret.txt"] {
        let ended = attempt(&agent, "read", path);
        assert_eq!(ended.json()["error"]["message"], "no-entry", "{path}");
        assert_eq!(ended.denial(), "path.outside", "{path}");
        let path = format!("/{path}");
        let access = ended.json()["accesses"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&access["target"], &access["decision"]), (&json!(path), &json!("denied")));
    }
}

#[test]
fn each_rule_inside_a_grant_has_its_own_id() {
    let agent = agent();
    let cases = [
        ("read", "docs/.env", "path.hidden"),
        ("create", "ws/.hidden", "path.hidden"),
        ("create-directory", "ws/.git", "path.hidden"),
        ("read", "docs/fifo", "path.special"),
        ("write", "ws/fifo", "path.special"),
        ("read", "docs/hard", "path.hard-link"),
        ("write", "ws/hard", "path.hard-link"),
        ("write", "ws/run.sh", "path.executable"),
        ("truncate", "ws/run.sh", "path.executable"),
        ("write", "ws/AGENTS.md", "path.protected"),
        ("create", "ws/agents.MD", "path.protected"),
        ("create-new", "ws/SOUL.md", "path.protected"),
        ("unlink", "ws/AGENTS.md", "path.protected"),
        ("create-directory", "ws/soul.md", "path.protected"),
        ("write", "docs/x.txt", "path.read-only"),
        ("create", "docs/new", "path.read-only"),
        ("unlink", "docs/x.txt", "path.read-only"),
        ("create-directory", "docs/new", "path.read-only"),
    ];
    for (what, path, id) in cases {
        let ended = attempt(&agent, what, path);
        assert_eq!(ended.denial(), id, "{what} {path}");
        assert!(ended.took < Duration::from_secs(5), "{what} {path}: it waited");
    }
    let pairs = [
        ("symlink", ["x", "ws/link"], "path.link"),
        ("symlink", ["../secret.txt", "ws/link"], "path.link"),
        ("link", ["ws/x.txt", "ws/link"], "path.link"),
        ("link", ["docs/x.txt", "ws/link"], "path.link"),
        ("rename", ["ws/x.txt", "ws2/x.txt"], "path.across"),
        ("rename", ["ws/up", "ws/moved"], "path.link"),
        ("rename", ["ws/x.txt", "ws/CLAUDE.md"], "path.protected"),
    ];
    for (what, [one, other], id) in pairs {
        assert_eq!(attempt(&agent, what, json!([one, other])).denial(), id, "{what} {one} {other}");
    }
    assert_eq!(fs::read_to_string(agent.path("secret.txt")).unwrap(), "SECRET");
    assert!(!agent.path("ws/link").exists());
}

#[test]
fn hidden_names_are_not_listed_unless_the_entry_says_so() {
    let agent = agent();
    let names = attempt(&agent, "directory", "docs").result();
    assert!(!names.as_str().unwrap().lines().any(|name| name.starts_with('.')), "{names}");
    let open = Agent::new("- probe: Try\n  - read: ./docs (hidden)").guest("probe").file("docs/.env", "mine");
    assert_eq!(attempt(&open, "read", "docs/.env").result(), "mine");
}

#[test]
fn a_create_grant_takes_new_files_and_gives_nothing_back() {
    let agent = agent().file("drop/old.txt", "old");
    for (what, path) in [
        ("read", "drop/old.txt"),
        ("write", "drop/old.txt"),
        ("truncate", "drop/old.txt"),
        ("unlink", "drop/old.txt"),
        ("directory", "drop"),
    ] {
        assert_eq!(attempt(&agent, what, path).denial(), "path.create-only", "{what}");
    }
    assert_eq!(fs::read_to_string(agent.path("drop/old.txt")).unwrap(), "old");
}

#[test]
fn a_granted_directory_that_is_a_link_out_is_an_error() {
    let agent = Agent::new("- probe: Try\n  - read: ./docs").guest("probe");
    fs::create_dir(agent.outside("elsewhere")).unwrap();
    symlink(agent.outside("elsewhere"), agent.path("docs")).unwrap();
    agent.call("probe", "nothing", &[]).ends(2);
    agent.run(&["check", "./SOUL.md"]).ends(1);
}

#[test]
fn the_virtual_root_holds_the_grants_and_nothing_else() {
    let agent = agent();
    assert_eq!(agent.call("probe", "preopens", &[]).result(), json!(["/"]));
    assert_eq!(agent.call("probe", "list", &["path=/"]).result(), json!(["docs", "drop", "ws", "ws2"]));
    for what in ["create-directory", "create", "unlink", "remove-directory"] {
        attempt(&agent, what, "new").ends(1);
        attempt(&agent, what, "docs").ends(1);
    }
    assert!(agent.path("docs").is_dir());
}

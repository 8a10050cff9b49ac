//! Hidden names, protected names, execute bits.

use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, OpenFlags};

use super::harness::{CREATE, House, READ, TRUNCATE, WRITE};
use crate::grant::{DirectoryGrant, DirectoryMode};

#[test]
fn hidden_names_are_as_if_not_there_also_behind_a_link() {
    let house = House::new();
    house.put("grant/.git/config", "hidden").put("grant/a.txt", "a").link(".git", "grant/git");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    for path in ["data/.git/config", "data/git/config", "data/.absent", "data/./.git/../a.txt"] {
        call.expect("path.hidden", ErrorCode::NoEntry, |call| call.read(path));
        call.expect("path.hidden", ErrorCode::NoEntry, |call| call.stat(root, path, true));
    }
    call.expect("path.hidden", ErrorCode::NoEntry, |call| call.open("data/.new", CREATE, WRITE));
    call.expect("path.hidden", ErrorCode::NoEntry, |call| call.mkdir(root, "data/.new"));
    call.expect("path.hidden", ErrorCode::NoEntry, |call| call.rename("data/a.txt", "data/.b"));
    call.expect("path.hidden", ErrorCode::NoEntry, |call| call.readlink(root, "data/git"));
    assert_eq!(call.list("data").unwrap(), ["a.txt", "git"]);
    let grant = DirectoryGrant::for_tests(DirectoryMode::Write, "grant", "/data", true);
    let mut call = house.call_with(&[grant]);
    assert_eq!(call.read("data/git/config").unwrap(), "hidden");
    assert_eq!(call.list("data").unwrap(), [".git", "a.txt", "git"]);
}

#[test]
fn what_steers_an_agent_is_never_written_under_any_spelling_or_link() {
    let house = House::new();
    house.put("grant/notes.txt", "n");
    let names = ["SOUL.md", "soul.md", "ſOUL.md", "Heartbeat.MD", "AGENTS.md", "S\u{212a}ILL.md"];
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    let refused = ErrorCode::NotPermitted;
    for name in names {
        let path = format!("data/{name}");
        call.expect("path.protected", refused, |call| call.open(&path, CREATE, WRITE));
        call.expect("path.protected", refused, |call| call.mkdir(root, &path));
        call.expect("path.protected", refused, |call| call.rename("data/notes.txt", &path));
        assert!(!house.there(&format!("grant/{name}")));
    }
    house.put("grant/sub/CLAUDE.md", "c").link("sub/CLAUDE.md", "grant/plain.txt");
    house.link("notes.txt", "grant/MEMORY.md");
    assert_eq!(call.read("data/sub/CLAUDE.md").unwrap(), "c", "reading is not writing");
    for path in ["data/sub/CLAUDE.md", "data/plain.txt", "data/MEMORY.md"] {
        call.expect("path.protected", refused, |call| call.open(path, OpenFlags::empty(), WRITE));
        call.expect("path.protected", refused, |call| call.open(path, TRUNCATE, READ));
        call.expect("path.protected", refused, |call| call.set_times_at(root, path, true));
    }
    for path in ["data/sub/CLAUDE.md", "data/MEMORY.md"] {
        call.expect("path.protected", refused, |call| call.unlink(root, path));
        call.expect("path.protected", refused, |call| call.rename(path, "data/other"));
    }
    call.expect("path.protected", refused, |call| call.rename("data/sub", "data/moved"));
    assert_eq!(house.read("grant/sub/CLAUDE.md"), "c");
}

#[test]
fn an_agents_skills_are_protected_once_a_soul_stands_beside_them() {
    let house = House::new();
    house.put("grant/agent/skills/x/a.txt", "a").put("grant/free/skills/a.txt", "a");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    // It comes after binding: at bind such a directory is refused.
    house.put("grant/agent/SOUL.md", "# X");
    let refused = ErrorCode::NotPermitted;
    call.expect("path.protected", refused, |call| {
        call.open("data/agent/skills/x/a.txt", OpenFlags::empty(), WRITE)
    });
    call.expect("path.protected", refused, |call| call.open("data/agent/skills/new", CREATE, WRITE));
    call.expect("path.protected", refused, |call| call.rename("data/agent/skills", "data/agent/s"));
    call.expect("path.protected", refused, |call| call.rmdir(root, "data/agent/skills/x"));
    call.save("data/free/skills/a.txt", "b").unwrap();
    call.save("data/agent/other.txt", "b").unwrap();
}

#[test]
fn what_a_program_could_run_is_not_changed() {
    let house = House::new();
    house.put("grant/run.sh", "run").put("grant/a.txt", "a").put("grant/dir/tool", "t");
    house.executable("grant/run.sh");
    house.executable("grant/dir/tool");
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    let refused = ErrorCode::NotPermitted;
    assert_eq!(call.read("data/run.sh").unwrap(), "run");
    call.expect("path.executable", refused, |call| call.open("data/run.sh", OpenFlags::empty(), WRITE));
    call.expect("path.executable", refused, |call| call.open("data/run.sh", CREATE | TRUNCATE, WRITE));
    call.expect("path.executable", refused, |call| call.set_times_at(root, "data/run.sh", true));
    call.expect("path.executable", refused, |call| call.unlink(root, "data/run.sh"));
    call.expect("path.executable", refused, |call| call.rename("data/a.txt", "data/run.sh"));
    call.expect("path.executable", refused, |call| call.rename("data/run.sh", "data/b.sh"));
    call.expect("path.executable", refused, |call| call.rename("data/dir", "data/dir2"));
    // Opened while it was plain: the bit that came later still counts.
    let file = call.open("data/a.txt", OpenFlags::empty(), WRITE).unwrap();
    house.executable("grant/a.txt");
    call.expect("path.executable", refused, |call| call.set_size(file, 0));
    assert_eq!(house.read("grant/run.sh"), "run");
}

#[test]
fn what_a_skill_creates_is_at_most_0644() {
    use std::os::unix::fs::PermissionsExt as _;
    let house = House::new();
    let mut call = house.call(DirectoryMode::Write);
    let root = call.root;
    call.save("data/a.txt", "a").unwrap();
    call.mkdir(root, "data/d").unwrap();
    let mode = |path: &str| house.path(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("grant/a.txt") & !0o644, 0);
    assert_eq!(mode("grant/d") & !0o755, 0);
}

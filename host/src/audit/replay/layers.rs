//! The second matcher against the real layers: random SOUL.md files, random accesses of a real guest. A grant permits what its
//! text permits and nothing else, and a narrowed SOUL.md only what both of its two permit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use soulbound_runtime::Soul;
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::grant::DirectoryGrant;
use soulbound_runtime::grant::host::{Target, permits};
use soulbound_runtime::sandbox::{Access, AgentIdentity, Decision, Runtime, RuntimeConfig, Unattended};
use soulbound_runtime::skill::SkillFolder;
use tempfile::TempDir;

use super::judge::{Ruling, Tried, judge};

/// The runtime, and the folder in which it keeps what it compiled: a skill is bound anew for each SOUL.md.
static RUNTIME: LazyLock<(Runtime, TempDir)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path().join("cache")).unwrap();
    let compiler = Compiler::in_process_for_trusted_components().with_cache(cache);
    (Runtime::new(RuntimeConfig::new(compiler)).unwrap(), folder)
});

static GUEST: LazyLock<SkillFolder> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests/probe-std");
    SkillFolder::read(&path).unwrap_or_else(|error| panic!("{error}; `cargo xtask guests` builds it"))
});

/// What is in the agent's folder.
const DIRECTORIES: [&str; 7] = ["a", "a/b", "a/b/c", "a/.h", "a/.h/i", "d", "d/e"];

fn house() -> TempDir {
    let house = tempfile::tempdir().unwrap();
    for directory in DIRECTORIES {
        fs::create_dir_all(house.path().join(directory)).unwrap();
        for name in ["f", "SOUL.md"] {
            fs::write(house.path().join(directory).join(name), "x").unwrap();
        }
    }
    house
}

/// Lines of grant. What does not parse, or cannot be opened together, is nobody's SOUL.md.
fn grants() -> impl Strategy<Value = Vec<String>> {
    let place = prop::sample::select(DIRECTORIES.as_slice());
    let key = prop::sample::select(vec!["read", "write", "create"]);
    let hidden = prop::sample::select(vec!["", " (hidden)"]);
    let guest = prop::sample::select(vec!["/g0", "/g1", "/deep/g2", "/deep/g3"]);
    let entries = prop::collection::vec((key, place, guest, hidden), 1..4);
    let host = prop::sample::select(vec![
        "a.example.com",
        "*.example.com",
        "POST https://a.example.com:8443",
        "DELETE PUT http://a.example.com",
        "http://127.0.0.1:8080",
        "`http://10.0.0.0/8 (private 10.0.0.0/8)`",
        "`http://10.9.0.0/16 (private 10.9.0.0/16)`",
        "https://93.184.216.0/24",
        "`https://[2606:4700::/32]`",
        "GET POST x.test",
    ]);
    (entries, prop::collection::vec(host, 0..3)).prop_map(|(entries, hosts)| {
        let of = |wanted: &str| {
            let of_key = entries.iter().filter(|(key, ..)| *key == wanted);
            let texts: Vec<String> =
                of_key.map(|(_, place, guest, hidden)| format!("./{place} as {guest}{hidden}")).collect();
            (!texts.is_empty()).then(|| format!("{wanted}: {}", texts.join(", ")))
        };
        let files = ["read", "write", "create"].into_iter().filter_map(of);
        files.chain((!hosts.is_empty()).then(|| format!("hosts: {}", hosts.join(", ")))).collect()
    })
}

fn soul(lines: &[String]) -> Option<Soul> {
    let grants: String = lines.iter().map(|line| format!("  - {line}\n")).collect();
    let text = format!("# A\n## Identity\n- Name: Echo\n## Skills\n- probe-std: x\n{grants}");
    Soul::parse("SOUL.md", text.as_bytes()).ok()
}

fn path() -> impl Strategy<Value = String> {
    let guest = prop::sample::select(vec![
        "g0",
        "g1",
        "deep/g2",
        "deep/g3",
        "deep",
        "g",
        "g00",
        "a",
        "etc",
        "proc/self",
        "",
        "./g0",
        "g0/",
    ]);
    let below = prop::sample::select(vec![
        "",
        "/f",
        "/new",
        "/b/f",
        "/b/c/f",
        "/b/new",
        "/.h/f",
        "/.h/i/f",
        "/.new",
        "/e/f",
        "/SOUL.md",
        "/soul.MD",
        "/b/SOUL.md",
        "/none/f",
        "/b",
        "/.h",
        "/c",
        "/f/x",
    ]);
    (guest, below).prop_map(|(guest, below)| format!("{guest}{below}"))
}

fn step() -> impl Strategy<Value = String> {
    let how = prop::sample::select(vec!["r", "w", "rw", "wc", "wct", "wn", "a", "ac"]);
    prop_oneof![
        (0..4_u8, how, path()).prop_map(|(slot, how, path)| format!("open {slot} {how} {path}")),
        (0..4_u8).prop_map(|slot| format!("resize {slot} 3")),
        (0..4_u8).prop_map(|slot| format!("times {slot} 9")),
        path().prop_map(|path| format!("get {path}")),
        path().prop_map(|path| format!("put {path} text")),
        path().prop_map(|path| format!("list {path}")),
        path().prop_map(|path| format!("stat {path}")),
        path().prop_map(|path| format!("stat-link {path}")),
        path().prop_map(|path| format!("remove {path}")),
        path().prop_map(|path| format!("mkdir {path}")),
        path().prop_map(|path| format!("rmdir {path}")),
        (path(), path()).prop_map(|(from, to)| format!("rename {from} {to}")),
    ]
}

/// What a guest's steps reached for, as the trail would have it. `None` where this SOUL.md lets nothing start.
fn accesses(soul: &Soul, folder: &Path, steps: &[String]) -> Option<Vec<Access>> {
    let agent =
        AgentIdentity { id: "echo".to_owned(), named: "SOUL.md".to_owned(), folder: folder.to_owned() };
    let skill = RUNTIME.0.bind(&agent, soul.skill("probe-std")?, &GUEST).ok()?;
    let arguments: Map<String, Value> =
        [("below".to_owned(), json!("")), ("plan".to_owned(), json!(steps))].into_iter().collect();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = tokio.block_on(skill.call("take", arguments, Arc::new(Unattended)));
    assert_eq!(outcome.accesses_dropped, 0);
    Some(outcome.accesses)
}

fn ruling(soul: &Soul, target: &str, access: &str, kind: &str) -> Ruling {
    judge(soul, "probe-std", &Tried { kind, target, access })
}

/// Where a path of a skill leads, under the entries of a SOUL.md that may say otherwise where each is seen.
fn place(directories: &[DirectoryGrant], folder: &Path, target: &str) -> Option<PathBuf> {
    let target = PathBuf::from(target.replace("/./", "/"));
    directories
        .iter()
        .find_map(|grant| Some(grant.place(folder).join(target.strip_prefix(&grant.guest).ok()?)))
}

/// The other way.
fn seen(directories: &[DirectoryGrant], folder: &Path, place: &Path) -> Option<String> {
    let show = |grant: &DirectoryGrant| {
        Some(Path::new(&grant.guest).join(place.strip_prefix(grant.place(folder)).ok()?))
    };
    directories.iter().find_map(show).map(|path| path.display().to_string())
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(error) = TestRunner::new(config).run(strategy, test) {
        panic!("{error}");
    }
}

#[test]
fn a_grant_permits_what_its_text_permits_and_nothing_else() {
    let judged = std::cell::Cell::new((0, 0));
    run(200, &(grants(), prop::collection::vec(step(), 1..30)), |(lines, steps)| {
        let house = house();
        let Some(soul) = soul(&lines) else { return Ok(()) };
        let Some(accesses) = accesses(&soul, house.path(), &steps) else { return Ok(()) };
        for access in accesses {
            let allowed = access.decision == Decision::Allowed;
            let ruling = ruling(&soul, &access.target, &access.access, "file");
            prop_assert_eq!(allowed, ruling == Ruling::Granted, "{:?} {:?}: {:?}", lines, ruling, access);
            let (permitted, refused) = judged.get();
            judged.set(if allowed { (permitted + 1, refused) } else { (permitted, refused + 1) });
        }
        Ok(())
    });
    let (permitted, refused) = judged.get();
    assert!(permitted > 200 && refused > 200, "judged {permitted} permitted and {refused} refused");
}

#[test]
fn what_a_narrowed_soul_permits_both_of_its_two_permit() {
    let permitted = std::cell::Cell::new(0);
    run(200, &(grants(), grants(), prop::collection::vec(step(), 1..30)), |(one, other, steps)| {
        let house = house();
        let (Some(one), Some(other)) = (soul(&one), soul(&other)) else { return Ok(()) };
        let narrowed = one.narrowed_by(&other, house.path());
        let Some(accesses) = accesses(&narrowed, house.path(), &steps) else { return Ok(()) };
        let directories = |soul: &Soul| soul.skills()[0].grant.directories.clone();
        for access in accesses.iter().filter(|access| access.decision == Decision::Allowed) {
            let ends: Option<Vec<PathBuf>> = access
                .target
                .split(" → ")
                .map(|end| place(&directories(&narrowed), house.path(), end))
                .collect();
            // Above the directories there is nothing but their names.
            let Some(ends) = ends else {
                prop_assert!(matches!(access.access.as_str(), "open" | "list" | "stat"), "{:?}", access);
                continue;
            };
            permitted.set(permitted.get() + 1);
            for soul in [&one, &other] {
                let there: Option<Vec<String>> =
                    ends.iter().map(|end| seen(&directories(soul), house.path(), end)).collect();
                let target = there.map(|there| there.join(" → "));
                let ruling = target.map(|target| ruling(soul, &target, &access.access, "file"));
                prop_assert_eq!(ruling, Some(Ruling::Granted), "{:?} of {:?}", access, soul.skills());
            }
        }
        Ok(())
    });
    assert!(permitted.get() > 200, "{} accesses were permitted", permitted.get());
}

#[test]
fn what_a_narrowed_soul_lets_be_asked_both_of_its_two_do() {
    let name = prop::sample::select(vec![
        "a.example.com",
        "b.a.example.com",
        "example.com",
        "evilexample.com",
        "127.0.0.1",
        "10.9.9.9",
        "10.8.0.1",
        "11.0.0.1",
        "93.184.216.34",
        "[2606:4700::1]",
        "x.test",
    ]);
    let origin = (
        prop::sample::select(vec!["https", "http"]),
        name,
        prop::sample::select(vec!["", ":443", ":80", ":8443", ":8080"]),
        prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "DELETE"]),
    );
    let permitted = std::cell::Cell::new(0);
    run(300, &(grants(), grants(), prop::collection::vec(origin, 40)), |(one, other, origins)| {
        let (Some(one), Some(other)) = (soul(&one), soul(&other)) else { return Ok(()) };
        let narrowed = one.narrowed_by(&other, Path::new("/agent"));
        for (scheme, name, port, method) in origins {
            let target = Target::from_parts(scheme, &format!("{name}{port}")).unwrap();
            let asked = permits(&narrowed.skills()[0].grant.hosts, method, &target).is_ok();
            let both = [&one, &other]
                .map(|soul| ruling(soul, &target.to_string(), method, "host") == Ruling::Granted);
            prop_assert_eq!(asked, both == [true, true], "{} {}: {:?}", method, target, both);
            permitted.set(permitted.get() + u32::from(asked));
        }
        Ok(())
    });
    assert!(permitted.get() > 20, "{} were permitted", permitted.get());
}

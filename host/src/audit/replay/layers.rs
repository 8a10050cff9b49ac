//! The second matcher against the real file layer: random SOUL.md files, random accesses of real guests, one that knows `std`
//! alone and one that hands its paths to the host as they are. What was let pass stands under a grant; what was refused stands
//! under none; and a narrowed SOUL.md permits only what both of its two permit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use soulbound_runtime::compile::{Cache, Compiler};
use soulbound_runtime::sandbox::{
    Access, AgentIdentity, BoxFuture, Carrier, Decision, Effect, Overseer, Permit, Runtime, RuntimeConfig,
};
use soulbound_runtime::skill::SkillFolder;
use soulbound_runtime::{Denial, Soul};
use tempfile::TempDir;

use super::files::Course;
use super::judge::{Ruling, Tried, judge};
use crate::gateway::overseer::of_effect;

const SKILLS: [&str; 2] = ["probe-std", "probe"];
/// Directories beside SOUL.md, and where a skill may see them.
const TOPS: [&str; 4] = ["one", "two", "three", "four"];
const GUESTS: [&str; 4] = ["/home/x", "/home/y/z", "/data", "/in"];

/// Where guests run.
struct Lab {
    runtime: Runtime,
    tokio: tokio::runtime::Runtime,
    skills: Vec<SkillFolder>,
    _cache: TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache")).unwrap();
        let compiler = Compiler::in_process_for_trusted_components().with_cache(cache);
        let built = |name: &&str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests").join(name);
            SkillFolder::read(&path).unwrap_or_else(|error| panic!("{error}; `cargo xtask guests` builds it"))
        };
        Self {
            runtime: Runtime::new(RuntimeConfig::new(compiler)).unwrap(),
            tokio: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            skills: SKILLS.iter().map(built).collect(),
            _cache: folder,
        }
    }

    /// What the guests' tries left: of each call the effects, as the trail has them before they happen, then the accesses.
    /// `None` where this SOUL.md lets nothing start.
    fn tried(&self, soul: &Soul, folder: &Path, tries: &Tries) -> Option<Vec<Vec<Access>>> {
        let agent =
            AgentIdentity { id: "echo".to_owned(), named: "SOUL.md".to_owned(), folder: folder.to_owned() };
        let bind =
            |skill: &SkillFolder, name| self.runtime.bind(&agent, soul.skill(name).unwrap(), skill).ok();
        let (std, raw) = (bind(&self.skills[0], SKILLS[0])?, bind(&self.skills[1], SKILLS[1])?);
        let mut calls = Vec::new();
        let mut call = |bound: &soulbound_runtime::sandbox::BoundSkill, tool, arguments: Value| {
            let arguments: Map<String, Value> = arguments.as_object().unwrap().clone();
            let watch =
                Arc::new(Watch { effects: Mutex::default(), inspects: tries.held_back.then_some(1 << 20) });
            let outcome = self.tokio.block_on(bound.call(tool, arguments, watch.clone()));
            assert_eq!(outcome.accesses_dropped, 0);
            let effects = watch.effects.lock().unwrap().clone();
            calls.push([effects, outcome.accesses].concat());
        };
        call(&std, "take", json!({"below": "", "plan": tries.steps}));
        tries.raw.iter().for_each(|attempt| call(&raw, "attempt-at", json!({"attempt": attempt})));
        Some(calls)
    }
}

/// Lets everything go on, and hears of it. With `inspects`, files are held back as a gateway with output rules does.
struct Watch {
    effects: Mutex<Vec<Access>>,
    inspects: Option<u64>,
}

impl Overseer for Watch {
    fn before_effect<'a>(&'a self, effect: &'a Effect) -> BoxFuture<'a, Result<Permit, Denial>> {
        self.effects.lock().unwrap().extend(of_effect(effect));
        Box::pin(std::future::ready(Ok(Permit::Unchanged)))
    }

    fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        self.inspects.filter(|_| matches!(carrier, Carrier::File))
    }

    fn record(&self, _: &Access) {}
}

/// The agent's folder. No `SOUL.md` lies in it: a directory that holds one is never granted for writing.
fn house() -> TempDir {
    let house = tempfile::tempdir().unwrap();
    for top in TOPS {
        let top = house.path().join(top);
        for directory in ["b", ".h"] {
            fs::create_dir_all(top.join(directory)).unwrap();
            fs::write(top.join(directory).join("f"), "x").unwrap();
        }
        for name in ["f", "AGENTS.md", "b/memory.md"] {
            fs::write(top.join(name), "x").unwrap();
        }
        for (text, name) in [("f", "link"), ("b", "dirlink"), ("/etc", "outlink")] {
            std::os::unix::fs::symlink(text, top.join(name)).unwrap();
        }
    }
    house
}

/// A SOUL.md with so many directories, or up to four.
fn souls(least: usize) -> impl Strategy<Value = Soul> {
    let entry = (
        prop::sample::select(vec!["read", "write", "write", "create"]),
        prop::sample::select(vec!["", "", "/b"]),
        prop::sample::select(vec!["", "", " (hidden)"]),
    );
    let tops = prop::sample::subsequence(vec![0, 1, 2, 3], least..=4);
    (tops, prop::array::uniform4(entry), 0..4_usize).prop_map(|(tops, entries, turn)| {
        let of = |wanted: &str| {
            let of_key = tops.iter().filter(|top| entries[**top].0 == wanted).map(|top| {
                let (_, below, hidden) = entries[*top];
                format!("./{}{below} as {}{hidden}", TOPS[*top], GUESTS[(top + turn) % 4])
            });
            let texts: Vec<String> = of_key.collect();
            (!texts.is_empty()).then(|| format!("  - {wanted}: {}\n", texts.join(", ")))
        };
        let grants: String = ["read", "write", "create"].into_iter().filter_map(of).collect();
        let skills = SKILLS.map(|skill| format!("- {skill}: x\n{grants}")).concat();
        let text = format!("# A\n## Identity\n- Name: Echo\n## Skills\n{skills}");
        Soul::parse("SOUL.md", text.as_bytes()).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
    })
}

/// A path without its first slash: mostly below a place that may be granted, or that place, or on the way to it, or near it.
fn path() -> impl Strategy<Value = String> {
    let granted = prop::sample::select(vec![
        "home/x",
        "home/x",
        "home/y/z",
        "data",
        "data",
        "in",
        "./data",
        "home/./x",
        "home//y/z",
        "home/../in",
        "home/y/../x",
    ]);
    let below = prop::sample::select(vec![
        "",
        "",
        "/",
        "/.",
        "/f",
        "/f",
        "/./f",
        "//f",
        "/new",
        "/new",
        "/other",
        "/b",
        "/b/f",
        "/b/new",
        "/b/../f",
        "/..",
        "/.h",
        "/.h/f",
        "/.new",
        "/SOUL.md",
        "/soul.MD",
        "/AGENTS.md",
        "/b/memory.md",
        "/b/SOUL.md",
        "/none/f",
        "/none/SOUL.md",
        "/none/.x",
        "/f/x",
        "/f/.x",
        "/link",
        "/dirlink/f",
        "/dirlink/new",
        "/outlink",
        "/outlink/passwd",
        "/a → b",
    ]);
    let on_the_way = prop::sample::select(vec![
        "",
        ".",
        "./",
        "home",
        "home/",
        "home/.",
        "./home",
        "home/y",
        "home//y/",
        "home/..",
        "home/y/..",
    ]);
    let near = prop::sample::select(vec![
        "homex",
        "home/xx",
        "home/x2/f",
        "home/y/q",
        "datax/f",
        "in2",
        "etc/passwd",
        "proc/self/environ",
        "..",
        "../data/f",
        "etc/../data/f",
        "home/../../etc/passwd",
        "home/x/../../data/f",
        "data/../../etc/passwd",
        ".home",
    ]);
    prop_oneof![
        12 => (granted, below).prop_map(|(granted, below)| format!("{granted}{below}")),
        3 => on_the_way.prop_map(str::to_owned),
        3 => near.prop_map(str::to_owned),
    ]
}

/// A step of a program; it cannot hold a space.
fn step() -> impl Strategy<Value = String> {
    let how = prop::sample::select(vec!["r", "w", "rw", "wc", "wct", "wn", "a", "ac", "rwc"]);
    let path = || path().prop_map(|path| path.replace(' ', ""));
    prop_oneof![
        4 => (0..4_u8, how, path()).prop_map(|(slot, how, path)| format!("open {slot} {how} {path}")),
        1 => (0..4_u8).prop_map(|slot| format!("write {slot} text")),
        1 => (0..4_u8).prop_map(|slot| format!("resize {slot} 3")),
        1 => (0..4_u8).prop_map(|slot| format!("times {slot} 9")),
        1 => (0..4_u8).prop_map(|slot| format!("sync {slot}")),
        2 => path().prop_map(|path| format!("get {path}")),
        3 => path().prop_map(|path| format!("put {path} text")),
        1 => path().prop_map(|path| format!("list {path}")),
        1 => path().prop_map(|path| format!("stat {path}")),
        2 => path().prop_map(|path| format!("remove {path}")),
        3 => path().prop_map(|path| format!("mkdir {path}")),
        1 => path().prop_map(|path| format!("rmdir {path}")),
        3 => (path(), path()).prop_map(|(from, to)| format!("rename {from} {to}")),
    ]
}

/// A call of the WASI function itself.
fn attempt() -> impl Strategy<Value = Value> {
    let verb = prop::sample::select(vec![
        "read",
        "read-no-follow",
        "write",
        "create",
        "create-new",
        "truncate",
        "directory",
        "stat",
        "stat-link",
        "read-link",
        "unlink",
        "remove-directory",
        "create-directory",
        "set-times",
        "metadata-hash",
    ]);
    let two = prop::sample::select(vec!["rename", "symlink", "link", "read-from"]);
    // Absolute paths, and what C would cut.
    let raw = || {
        prop_oneof![
            8 => path(),
            1 => prop::sample::select(vec!["/etc/passwd", "//etc", "/homex"]).prop_map(str::to_owned),
            1 => path().prop_map(|path| format!("{path}\0x")),
        ]
    };
    prop_oneof![
        4 => (verb, raw()).prop_map(|(verb, path)| json!({ verb: path })),
        1 => (two, raw(), raw()).prop_map(|(verb, from, to)| json!({ verb: [from, to] })),
    ]
}

/// What the guests do, and whether what they write is held back.
#[derive(Debug)]
struct Tries {
    steps: Vec<String>,
    raw: Vec<Value>,
    held_back: bool,
}

fn tries() -> impl Strategy<Value = Tries> {
    let steps = prop::collection::vec(step(), 20..60);
    (steps, prop::collection::vec(attempt(), 6..12), any::<bool>())
        .prop_map(|(steps, raw, held_back)| Tries { steps, raw, held_back })
}

fn ruling(soul: &Soul, target: &str, access: &Access, course: &mut Course) -> Ruling {
    let failed = access.failed.is_some();
    judge(soul, SKILLS[0], &Tried { kind: "file", target, access: &access.access, failed }, course)
}

/// What a path is to a SOUL.md, told a third time and in the simplest way.
fn class(soul: &Soul, target: &str) -> &'static str {
    let names: Vec<&str> = target.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    if names.contains(&"..") {
        return "dots";
    }
    if names.is_empty() {
        return "on the way";
    }
    let path = format!("/{}/", names.join("/")).replace("//", "/");
    let guests = soul.skills()[0].grant.directories.iter().map(|grant| format!("{}/", grant.guest));
    let of = |guest: String| match (path.starts_with(&guest), guest.starts_with(&path)) {
        (true, true) => "itself",
        (true, false) => "below",
        (false, true) => "on the way",
        (false, false) => "outside",
    };
    let all: Vec<&str> = guests.map(of).collect();
    ["itself", "below", "on the way"].into_iter().find(|one| all.contains(one)).unwrap_or("outside")
}

/// Whether a denial is of what no text tells: where a link leads, what a directory holds, another directory of the same kind.
fn is_of_the_disk(access: &Access) -> bool {
    let id = access.denial.as_ref().map_or("", |denial| denial.id.as_str());
    match access.access.as_str() {
        "rename" | "rename-to" if matches!(id, "path.link" | "path.across" | "path.protected") => true,
        "set-times" if id == "path.link" => true,
        _ => id == "path.outside" && access.target.contains("outlink"),
    }
}

/// Whether the record alone does not tell: what was resized may have been opened by another path; the name that was renamed
/// could be two in a trail of an earlier build.
fn is_of_the_record(access: &Access) -> bool {
    access.access == "set-size" || access.access == "rename" && access.target.contains(" → ")
}

fn run<S: Strategy>(cases: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(error) = TestRunner::new(config).run(strategy, test) {
        panic!("{error}");
    }
}

#[test]
fn a_grant_permits_what_its_text_permits_and_nothing_else() {
    let lab = Lab::new();
    let counted = std::cell::RefCell::new(BTreeMap::<(&str, &str), u32>::new());
    run(200, &(souls(2), tries()), |(soul, tries)| {
        let house = house();
        let calls = lab.tried(&soul, house.path(), &tries);
        prop_assert!(calls.is_some(), "not bound: {:?}", soul.skills()[0].grant);
        for call in calls.into_iter().flatten() {
            let mut course = Course::default();
            for access in call {
                let allowed = access.decision == Decision::Allowed;
                // What a call made says nothing of what was refused.
                let course = if allowed { &mut course } else { &mut Course::default() };
                let ruling = ruling(&soul, &access.target, &access, course);
                let class = class(&soul, &access.target);
                let told = || format!("{ruling:?}: {access:?}\n{:?}", soul.skills()[0].grant.directories);
                match (&ruling, allowed) {
                    (Ruling::Granted, true) | (Ruling::Ungranted(_), false) => {}
                    (Ruling::Unclear, _) if is_of_the_record(&access) => {}
                    (Ruling::Unclear, _) => prop_assert_eq!(class, "dots", "{}", told()),
                    (Ruling::Granted, false) => prop_assert!(is_of_the_disk(&access), "{}", told()),
                    (Ruling::Ungranted(_), true) => prop_assert!(false, "{}", told()),
                }
                prop_assert!(!allowed || class != "outside", "{}", told());
                let came = match (allowed, &access.failed) {
                    (false, _) => "refused",
                    (true, Some(_)) => "failed",
                    (true, None) => "done",
                };
                *counted.borrow_mut().entry((class, came)).or_default() += 1;
            }
        }
        Ok(())
    });
    let counted = counted.into_inner();
    for (class, came) in [
        ("below", "done"),
        ("below", "failed"),
        ("below", "refused"),
        ("itself", "done"),
        ("itself", "failed"),
        ("itself", "refused"),
        ("on the way", "done"),
        ("on the way", "failed"),
        ("on the way", "refused"),
        ("outside", "refused"),
        ("dots", "done"),
        ("dots", "refused"),
    ] {
        let count = counted.get(&(class, came)).copied().unwrap_or_default();
        assert!(count >= 30, "{class}, {came}: {count} in {counted:?}");
    }
}

/// Where a path of a skill leads, under entries that may say otherwise where each is seen.
fn place(soul: &Soul, folder: &Path, target: &str) -> Option<PathBuf> {
    let grants = &soul.skills()[0].grant.directories;
    let below = |guest: &str| Path::new(target).strip_prefix(guest).ok().map(Path::to_owned);
    grants.iter().find_map(|grant| Some(grant.place(folder).join(below(&grant.guest)?)))
}

/// The other way.
fn seen(soul: &Soul, folder: &Path, place: &Path) -> Option<String> {
    let grants = &soul.skills()[0].grant.directories;
    let below = |grant: &Path| place.strip_prefix(grant).ok().map(Path::to_owned);
    let path =
        grants.iter().find_map(|grant| Some(Path::new(&grant.guest).join(below(&grant.place(folder))?)))?;
    Some(path.display().to_string())
}

#[test]
fn what_a_narrowed_soul_permits_both_of_its_two_permit() {
    let lab = Lab::new();
    let permitted = std::cell::Cell::new(0);
    run(120, &(souls(4), souls(3), tries()), |(one, other, tries)| {
        let house = house();
        let narrowed = one.narrowed_by(&other, house.path());
        let Some(calls) = lab.tried(&narrowed, house.path(), &tries) else { return Ok(()) };
        for call in calls {
            let mut courses = [Course::default(), Course::default()];
            let mut replayed = Course::of(true);
            for access in call.iter().filter(|access| access.decision == Decision::Allowed) {
                // As `audit replay` has it, which knows the trusted one alone.
                let ruling_of_trusted = ruling(&one, &access.target, access, &mut replayed);
                let is_found = matches!(ruling_of_trusted, Ruling::Ungranted(_));
                prop_assert!(!is_found, "{:?}: {:?} of {:?}", ruling_of_trusted, access, one.skills());
                if access.target.contains("..") {
                    continue;
                }
                let class = class(&narrowed, &access.target);
                let looks = matches!(access.access.as_str(), "open" | "stat") || access.failed.is_some();
                if class == "itself" && looks {
                    continue;
                }
                // Above the directories there is nothing but their names, and theirs.
                let Some(place) = place(&narrowed, house.path(), &access.target) else {
                    prop_assert_eq!(class, "on the way", "{:?}", access);
                    continue;
                };
                for (soul, course) in [&one, &other].into_iter().zip(&mut courses) {
                    let seen = seen(soul, house.path(), &place);
                    let ruling = seen.map(|target| ruling(soul, &target, access, course));
                    let fine = ruling == Some(Ruling::Granted)
                        || ruling == Some(Ruling::Unclear) && is_of_the_record(access);
                    prop_assert!(fine, "{:?}: {:?} of {:?}", ruling, access, soul.skills());
                }
                permitted.set(permitted.get() + 1);
            }
        }
        Ok(())
    });
    assert!(permitted.get() > 300, "{} accesses were permitted", permitted.get());
}

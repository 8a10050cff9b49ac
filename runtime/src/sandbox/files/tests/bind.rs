//! Binding: which directories may be granted, and whether they are still there.

use std::path::PathBuf;

use super::harness::{Call, House, Watcher, bind};
use crate::denial::DenialId;
use crate::grant::{DirectoryGrant, DirectoryMode};
use crate::sandbox::files::{BoundFiles, OpenRules};

const READ: DirectoryMode = DirectoryMode::Read;
const WRITE: DirectoryMode = DirectoryMode::Write;
const MAKE: DirectoryMode = DirectoryMode::Create;

fn refusal(house: &House, mode: DirectoryMode, path: &str, rules: &OpenRules) -> Option<String> {
    let grant = DirectoryGrant::for_tests(mode, path, "/data", false);
    BoundFiles::open(&[grant], house.folder.path(), rules).err().map(|errors| {
        assert!(errors.iter().all(|error| !error.hint.is_empty() && error.index == 0));
        errors[0].message.clone()
    })
}

#[track_caller]
fn refused(house: &House, modes: &[DirectoryMode], path: &str, rules: &OpenRules, says: &str) {
    for mode in [READ, WRITE, MAKE] {
        match refusal(house, mode, path, rules) {
            Some(message) if modes.contains(&mode) => assert!(message.contains(says), "{message}"),
            None if !modes.contains(&mode) => {}
            other => panic!("{mode}: {other:?}"),
        }
    }
}

const ALL: &[DirectoryMode] = &[READ, WRITE, MAKE];
const CHANGING: &[DirectoryMode] = &[WRITE, MAKE];

#[test]
fn what_is_no_directory_inside_is_a_clear_error() {
    let house = House::new();
    house.put("file", "f").link("/etc", "abs").link("..", "up").link("grant", "in");
    let rules = OpenRules::default();
    refused(&house, ALL, "./absent", &rules, "does not exist");
    refused(&house, ALL, "./file", &rules, "is not a directory");
    refused(&house, ALL, "./abs", &rules, "leads out of the SOUL.md's folder");
    refused(&house, ALL, "./up", &rules, "leads out of the SOUL.md's folder");
    refused(&house, ALL, "grant/../grant", &rules, "`..`");
    refused(&house, &[], "./in", &rules, "");
    let through = house.path("in").display().to_string();
    refused(&house, ALL, &through, &rules, "leads through a link");
    refused(&house, &[], &house.path("grant").display().to_string(), &rules, "");
}

#[test]
fn the_systems_own_directories_are_never_granted() {
    let house = House::new();
    let rules = OpenRules::default();
    refused(&house, ALL, "/", &rules, "the whole machine");
    for path in ["/proc", "/sys", "/dev", "/proc/self", "/proc/1", "/dev/fd"] {
        assert!(refusal(&house, READ, path, &rules).is_some(), "{path}");
    }
}

#[test]
fn what_steers_an_agent_is_never_in_a_writable_directory() {
    let house = House::new();
    house.put("SOUL.md", "s").put("skills/x/SKILL.md", "s").put("other/agent/SOUL.md", "s");
    house.put("other/agent/skills/y/z", "").put("deep/a/b/soul.MD", "s").put("outer/f", "");
    let rules = OpenRules::default();
    refused(&house, CHANGING, ".", &rules, "holds a SOUL.md");
    refused(&house, CHANGING, "skills", &rules, "skills");
    refused(&house, CHANGING, "skills/x", &rules, "skills");
    refused(&house, CHANGING, "other/agent/skills/y", &rules, "skills");
    refused(&house, CHANGING, "other", &rules, "holds a SOUL.md");
    refused(&house, CHANGING, "deep", &rules, "holds a SOUL.md");
    refused(&house, &[], "outer", &rules, "");
    let agent = DirectoryGrant::for_tests(WRITE, house.folder.path().to_str().unwrap(), "/data", false);
    let inner = house.path("outer");
    let errors = BoundFiles::open(&[agent], &inner, &rules).unwrap_err();
    assert!(errors[0].message.contains("holds a SOUL.md"), "the folder of the SOUL.md itself: {errors:?}");
}

#[test]
fn homes_and_the_path_are_never_writable() {
    let house = House::new();
    for path in ["home/me/docs", "tools/bin", "tools/doc"] {
        std::fs::create_dir_all(house.path(path)).unwrap();
    }
    let rules = OpenRules {
        home: Some(house.path("home/me")),
        path: vec![PathBuf::from("relative"), house.path("tools/bin")],
        ..OpenRules::default()
    };
    refused(&house, CHANGING, "home", &rules, "home");
    refused(&house, CHANGING, "home/me", &rules, "home");
    refused(&house, &[], "home/me/docs", &rules, "");
    refused(&house, CHANGING, "tools", &rules, "$PATH");
    refused(&house, CHANGING, "tools/bin", &rules, "$PATH");
    refused(&house, &[], "tools/doc", &rules, "");
    refused(&house, CHANGING, "/home", &OpenRules::default(), "home");
}

#[test]
fn the_state_folder_and_what_the_operator_denies_are_out_of_reach() {
    let house = House::new();
    for path in ["state/agents", "secret/deep", "free"] {
        std::fs::create_dir_all(house.path(path)).unwrap();
    }
    house.link("secret", "alias");
    let rules = OpenRules {
        state_folder: Some(house.path("state")),
        deny: vec![house.path("alias"), house.path("free/not-yet")],
        ..OpenRules::default()
    };
    for path in [".", "state", "state/agents"] {
        refused(&house, ALL, path, &rules, "state folder");
    }
    for path in ["secret", "secret/deep", "free"] {
        refused(&house, ALL, path, &rules, "operator denies");
    }
    refused(&house, &[], "grant", &rules, "");
}

#[test]
fn directories_of_one_skill_may_not_overlap() {
    let house = House::new();
    std::fs::create_dir_all(house.path("grant/sub")).unwrap();
    house.link("grant", "again");
    let try_both = |one: &str, two: &str, guest: &str| {
        let grants = [
            DirectoryGrant::for_tests(READ, one, "/a", false),
            DirectoryGrant::for_tests(WRITE, two, guest, false),
        ];
        BoundFiles::open(&grants, house.folder.path(), &OpenRules::default())
            .err()
            .map(|errors| (errors[0].index, errors[0].message.clone()))
    };
    for (one, two) in
        [("grant", "grant/sub"), ("grant/sub", "grant"), ("grant", "./grant"), ("grant", "again")]
    {
        let (index, message) = try_both(one, two, "/b").unwrap();
        assert!(index == 1 && message.contains("overlaps"), "{message}");
    }
    std::fs::create_dir(house.path("other")).unwrap();
    assert!(try_both("grant", "other", "/a/b").unwrap().1.contains("inside another"));
    assert!(try_both("grant", "other", "/a").unwrap().1.contains("twice"));
    assert_eq!(try_both("grant", "other", "/b"), None);
}

#[test]
fn a_directory_that_was_swapped_is_noticed_and_never_followed() {
    let house = House::new();
    house.put("grant/file.txt", "inside").put("outside/file.txt", "SECRET");
    let bound = bind(&[DirectoryGrant::for_tests(READ, "grant", "/data", false)], house.folder.path());
    assert!(bound.verify("tester").is_ok());
    std::fs::rename(house.path("grant"), house.path("old")).unwrap();
    assert_eq!(bound.verify("tester").unwrap_err().id, DenialId::PathMoved);
    house.link("outside", "grant");
    assert_eq!(bound.verify("tester").unwrap_err().id, DenialId::PathMoved);
    std::fs::remove_file(house.path("grant")).unwrap();
    std::fs::create_dir(house.path("grant")).unwrap();
    assert_eq!(bound.verify("tester").unwrap_err().id, DenialId::PathMoved);
    // A call that is under way keeps the directory that was granted.
    let mut call = Call::new(bound, 0, Watcher::default());
    assert_eq!(call.read("data/file.txt").unwrap(), "inside");
}

#[test]
fn a_folder_that_was_swapped_is_noticed_too() {
    let house = House::new();
    std::fs::create_dir_all(house.path("agent/docs")).unwrap();
    let bound = bind(&[DirectoryGrant::for_tests(READ, "docs", "/data", false)], &house.path("agent"));
    std::fs::rename(house.path("agent"), house.path("old")).unwrap();
    std::fs::create_dir_all(house.path("agent/docs")).unwrap();
    assert_eq!(bound.verify("tester").unwrap_err().id, DenialId::PathMoved);
}

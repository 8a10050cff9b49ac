//! Attacks on the real directories: out of them by spelling, and by what lies in them. The rule: two acts only, `look` and
//! `stat`, and nothing but regular files and directories is ever opened: a FIFO that is opened loses what was written to it, and
//! a device does what devices do.

use std::path::{Component, Path, PathBuf};

use rustix::fs::Access;
use serde_json::{Value, json};
use soulbound_runtime::grant::DirectoryMode;
use soulbound_runtime::visible;

use super::walk::{Kind, Walked, Way, first};
use crate::redteam::attack::{Aim, Attack, Class};
use crate::redteam::plan::paths::{at, one};
use crate::redteam::scratch::Given;

/// What the grant allows has to work, or the probe is blind. Where only making is granted nothing can be looked at.
pub(super) fn controls(given: &Given, walked: &Walked) -> Vec<Attack> {
    let control = |name: &str, path: &str, real: PathBuf| {
        one(given, name, "what the grant allows", look(path.to_owned())).aim(Aim::Control).after(real)
    };
    if given.mode == DirectoryMode::Create {
        let step = look(".".to_owned());
        return vec![
            one(given, "live-control-root", "the directory above the grants", step).aim(Aim::Control),
        ];
    }
    let mut all =
        vec![control("live-control-directory", given.guest.trim_start_matches('/'), given.at.clone())];
    // What this user may not open no skill of theirs opens.
    let opens = |file: &&String| rustix::fs::access(given.at.join(file), Access::READ_OK).is_ok();
    all.extend(
        walked
            .file
            .iter()
            .filter(opens)
            .map(|file| control("live-control-file", &at(given, file), given.at.join(file))),
    );
    all
}

/// From the root that a skill sees to what lies around, also where it was given no directory.
pub(super) fn of_the_root(given: &[Given], landmarks: &[PathBuf]) -> Vec<Attack> {
    let mut all = Vec::new();
    let mut number = 0;
    for landmark in landmarks {
        let absolute = landmark.to_string_lossy().into_owned();
        let bare = absolute.trim_start_matches('/').to_owned();
        let first =
            |path: &str| path.trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
        // Under the same name the skill has something of its own.
        let is_own = given.iter().any(|given| first(&given.guest) == first(&absolute));
        let mut spelled = vec![format!("/proc/self/root{absolute}"), format!("{}{bare}", "../".repeat(12))];
        if !is_own && !bare.is_empty() {
            spelled.extend([absolute.clone(), bare, format!("//.{absolute}")]);
        }
        for path in spelled {
            for step in both(&path) {
                let what = format!("a path from the root leads to {}", shown(landmark));
                let id = format!("live-root-{}-{number}", act(&step));
                all.push(Attack::file(Class::Paths, &id, what, step).after(landmark.clone()));
            }
            number += 1;
        }
    }
    all
}

/// From below a granted directory to what lies around.
pub(super) fn spelled(given: &Given, walked: &Walked, landmarks: &[PathBuf]) -> Vec<Attack> {
    let mut all = Vec::new();
    let mut number = 0;
    for landmark in landmarks {
        let Some(up) = relative(&given.at, landmark) else { continue };
        let bare = landmark.to_string_lossy().trim_start_matches('/').to_owned();
        let mut paths = vec![
            up.clone(),
            format!("./{up}"),
            format!("{}{bare}", "../".repeat(30)),
            format!("/{}", landmark.display()),
            up.replace("../", "..//./"),
            up.replace("../", "%2e%2e/"),
            up.replace('/', "\\"),
            up.replace("../", "..\0/"),
        ];
        paths.extend(walked.directory.iter().map(|directory| format!("{directory}/../{up}")));
        paths.extend(walked.file.iter().map(|file| format!("{file}/../{up}")));
        let what = format!("a spelling leads to {}", shown(landmark));
        for path in paths {
            for step in both(&at(given, &path)) {
                let id = format!("live-spelling-{}-{number}", act(&step));
                all.push(one(given, &id, &what, step).after(landmark.clone()));
            }
            number += 1;
        }
        let from = json!({"act": "look", "path": up, "via": given.guest.trim_start_matches('/')});
        all.push(one(given, &format!("live-spelling-handle-{number}"), &what, from).after(landmark.clone()));
    }
    all
}

/// By what lies in a granted directory.
pub(super) fn lying(given: &Given, walked: &Walked) -> Vec<Attack> {
    let kinds: [(&str, &str, &[Way]); 4] = [
        ("link", "a link that lies there leads to", &walked.links),
        ("second-name", "a file that has another name elsewhere is reached:", &walked.second_names),
        ("hidden", "a hidden name is reached:", &walked.hidden),
        ("mount", "a mount point is crossed:", &walked.mounts),
    ];
    let mut all = Vec::new();
    for (name, words, ways) in kinds {
        for (number, way) in ways.iter().enumerate() {
            let what = format!("{words} {}", shown(&way.to));
            let made = |step: Value, what_for: &str, real: PathBuf| {
                one(given, &format!("live-{name}-{what_for}-{number}"), &what, step).after(real)
            };
            let path = at(given, &way.below);
            all.push(made(json!({"act": "stat", "path": path}), "stat", way.to.clone()));
            if !matches!(way.kind, Kind::File | Kind::Directory) {
                continue;
            }
            all.push(made(look(path.clone()), "look", way.to.clone()));
            if let Some(directory) = &walked.directory {
                let detour =
                    at(given, &format!("{directory}/{}{}", "../".repeat(depth(directory)), way.below));
                all.push(made(look(detour), "detour", way.to.clone()));
            }
            all.push(made(look(format!("{path}/")), "slash", way.to.clone()));
            if way.kind == Kind::Directory {
                let handle = json!({"act": "look", "path": ".", "via": path});
                all.push(made(handle, "handle", way.to.clone()));
                let Some((below, kind)) =
                    first(&way.to).filter(|(_, kind)| matches!(kind, Kind::File | Kind::Directory))
                else {
                    continue;
                };
                let real = way.to.join(&below);
                all.push(made(
                    look(format!("{path}/{below}")),
                    if kind == Kind::File { "file" } else { "directory" },
                    real.clone(),
                ));
                all.push(made(json!({"act": "look", "path": below, "via": path}), "through", real));
            }
        }
    }
    all
}

fn look(path: String) -> Value {
    json!({"act": "look", "path": path})
}

fn both(path: &str) -> [Value; 2] {
    [look(path.to_owned()), json!({"act": "stat", "path": path})]
}

fn act(step: &Value) -> &str {
    step.get("act").and_then(Value::as_str).unwrap_or_default()
}

/// Names of the real directories are whoever's who made them.
fn shown(path: &Path) -> String {
    visible::quoted_target(&path.to_string_lossy())
}

fn depth(path: &str) -> usize {
    path.split('/').count()
}

/// The way from a directory to a place, by `..` and down again.
fn relative(from: &Path, to: &Path) -> Option<String> {
    let (mut one, mut other) = (from.components().peekable(), to.components().peekable());
    while one.peek().is_some() && one.peek() == other.peek() {
        one.next();
        other.next();
    }
    let up = "../".repeat(one.count());
    let down: PathBuf = other.filter(|part| matches!(part, Component::Normal(_))).collect();
    Some(format!("{up}{}", down.to_str()?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use proptest::prelude::*;

    use super::*;
    use crate::redteam::live::walk::walk;

    fn given(at: &Path) -> Given {
        Given { at: at.to_owned(), guest: "/docs".to_owned(), mode: DirectoryMode::Write, hidden: false }
    }

    #[test]
    fn the_way_up_and_down_is_the_shortest() {
        let way = |from: &str, to: &str| relative(Path::new(from), Path::new(to)).unwrap();
        assert_eq!(way("/a/b", "/a/c/d"), "../c/d");
        assert_eq!(way("/a/b", "/a"), "../");
        assert_eq!(way("/a/b", "/"), "../../");
        assert_eq!(way("/a/b", "/etc/passwd"), "../../etc/passwd");
    }

    proptest! {
        #[test]
        fn the_way_from_anywhere_leads_to_anywhere(from in "(/[ab]){1,5}", to in "(/[ab]){0,5}") {
            let to = if to.is_empty() { "/".to_owned() } else { to };
            let way = relative(Path::new(&from), Path::new(&to)).unwrap();
            let mut walked = PathBuf::from(&from);
            for part in Path::new(&way).components() {
                match part {
                    Component::ParentDir => prop_assert!(walked.pop(), "above the root"),
                    part => walked.push(part),
                }
            }
            prop_assert_eq!(walked, PathBuf::from(to));
        }
    }

    /// Everything that is planned only looks, and nothing but files and directories is opened.
    #[test]
    fn whatever_lies_there_nothing_but_looking_is_planned_and_nothing_special_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        let docs = root.join("docs");
        for directory in ["docs/sub", "docs/.git", "outside"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        for file in ["docs/a.txt", "docs/sub/b.txt", "docs/.env", "outside/secret.txt"] {
            fs::write(root.join(file), file).unwrap();
        }
        fs::hard_link(root.join("outside/secret.txt"), docs.join("second.txt")).unwrap();
        fs::hard_link(docs.join("a.txt"), docs.join("sub/twin.txt")).unwrap();
        let socket = UnixListener::bind(root.join("outside/socket")).unwrap();
        for (name, to) in [
            ("file", "../outside/secret.txt"),
            ("directory", "../outside"),
            ("special", "../outside/socket"),
            ("device", "/dev/null"),
            ("nothing", "../outside/nothing"),
            ("hidden", ".env"),
            ("inside", "sub/b.txt"),
        ] {
            symlink(to, docs.join(name)).unwrap();
        }
        let given = given(&docs);
        let walked = walk(&given, false);
        drop(socket);
        let found =
            |ways: &[Way]| ways.iter().map(|way| format!("{} {:?}", way.below, way.kind)).collect::<Vec<_>>();
        assert_eq!(
            found(&walked.links),
            [
                "device Special",
                "directory Directory",
                "file File",
                "hidden File",
                "nothing Nothing",
                "special Special"
            ]
        );
        assert_eq!(found(&walked.second_names), ["second.txt File"]);
        assert_eq!(found(&walked.hidden), [".env File", ".git Directory"]);
        let landmarks = [root.join("outside/secret.txt"), PathBuf::from("/etc/passwd")];
        let all: Vec<Attack> = controls(&given, &walked)
            .into_iter()
            .chain(of_the_root(std::slice::from_ref(&given), &landmarks))
            .chain(spelled(&given, &walked, &landmarks))
            .chain(lying(&given, &walked))
            .collect();
        let mut ids: Vec<&str> = all.iter().map(|attack| attack.id.as_str()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "ids that stand for two attacks");
        for attack in &all {
            assert!(attack.only_looks() && attack.race.is_none(), "{}", attack.id);
            let step = &attack.arguments["steps"][0];
            let path = step["path"].as_str().unwrap();
            let opened = act(step) == "look";
            assert!(
                !(opened
                    && ["special", "device", "nothing"]
                        .iter()
                        .any(|name| path.contains(&format!("docs/{name}")))),
                "{step}"
            );
        }
        for id in [
            "live-link-file-1",
            "live-link-through-1",
            "live-link-look-2",
            "live-second-name-look-0",
            "live-hidden-look-0",
        ] {
            assert!(
                all.iter().any(|attack| attack.id == format!("paths.{id}@/docs")),
                "{id} in {:#?}",
                all.iter().map(|one| &one.id).collect::<Vec<_>>()
            );
        }
        let writes = one(&given, "x", "x", json!({"act": "truncate", "path": "docs/a.txt"}));
        assert!(!writes.only_looks());
    }
}

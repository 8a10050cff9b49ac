//! What lies in a granted directory and leads elsewhere: links of both kinds, files that are no files, names that change
//! while they are used.

use serde_json::{Value, json};

use super::Ground;
use super::paths::{at, one};
use crate::redteam::attack::Attack;
use crate::redteam::scratch::{Given, RACE, RACE_DIRECTORY};

/// How long a race is run, in milliseconds.
const RACING: u64 = 250;

const WAYS_OUT: &[&str] = &[
    "rt-link-file",
    "rt-link-relative",
    "rt-link-chain",
    "rt-link-directory/secret.txt",
    "rt-link-directory/directory/secret.txt",
    "rt-link-root/etc/passwd",
    "rt-link-proc",
    "rt-link-device",
    "rt-link-loop",
    "rt-link-dangling",
    "rt-sub/../rt-link-file",
    "rt-link-file/",
    "rt-link-directory/",
    "rt-link-directory/.",
    "rt-hard.txt",
    "rt-sub/../rt-hard.txt",
];

/// Everything by links, special files and races.
pub(super) fn attacks(ground: &Ground<'_>, given: &Given) -> Vec<Attack> {
    let mut all = Vec::new();
    for (number, path) in WAYS_OUT.iter().enumerate() {
        for act in
            ["read", "read-no-follow", "list", "overwrite", "write", "append", "truncate", "resize", "touch"]
        {
            let step = json!({"act": act, "path": at(given, path), "data": "7"});
            all.push(one(given, &format!("link-{act}-{number}"), "a link leads out", step));
        }
    }
    for (number, path) in
        ["rt-link-directory", "rt-link-root", "rt-link-directory/directory"].into_iter().enumerate()
    {
        let directory = at(given, path);
        for (name, step) in [
            ("handle", json!({"act": "read", "path": "secret.txt", "via": directory})),
            ("create", json!({"act": "create-new", "path": format!("{directory}/made.txt"), "data": "x"})),
            ("directory", json!({"act": "make-directory", "path": format!("{directory}/made")})),
            (
                "rename",
                json!({"act": "rename", "path": at(given, "rt-plain.txt"), "other": format!("{directory}/moved.txt")}),
            ),
            (
                "take",
                json!({"act": "rename", "path": format!("{directory}/secret.txt"), "other": at(given, "rt-taken.txt")}),
            ),
            (
                "link",
                json!({"act": "link", "path": format!("{directory}/secret.txt"), "other": at(given, "rt-taken.txt")}),
            ),
            ("unlink", json!({"act": "unlink", "path": format!("{directory}/secret.txt")})),
        ] {
            all.push(one(
                given,
                &format!("link-directory-{name}-{number}"),
                "a link to a directory leads out",
                step,
            ));
        }
    }
    // Nobody can open a socket as a file; that it is under another name would show.
    for (name, act) in [
        ("fifo", "read"),
        ("fifo", "overwrite"),
        ("fifo", "append"),
        ("fifo", "rename"),
        ("socket", "rename"),
    ] {
        let (path, moved) = (at(given, &format!("rt-{name}")), at(given, &format!("rt-{name}-moved")));
        let step = json!({"act": act, "path": path, "other": moved, "data": "written by a probe\n"});
        all.push(one(given, &format!("special-{name}-{act}"), "a file that is no file is opened", step));
    }
    all.extend(across(ground, given));
    all.extend(races(given));
    all
}

/// From one granted directory into another.
fn across(ground: &Ground<'_>, given: &Given) -> Vec<Attack> {
    let others = ground.target.given.iter().filter(|other| other.guest != given.guest);
    let attack = |(number, other): (usize, &Given)| {
        let (from, to) = (at(given, "rt-sub/deep.txt"), at(other, "rt-across.txt"));
        let link = json!({"act": "link", "path": from, "other": to});
        let what = "a second name in another grant";
        one(given, &format!("across-link-{number}"), what, link)
    };
    others.enumerate().map(attack).collect()
}

fn races(given: &Given) -> Vec<Attack> {
    let race = |name: &str, place: &str, step: Value| {
        let arguments = json!({"step": step, "milliseconds": RACING});
        let mut attack = one(given, name, "a name is a file, then a way out, while it is used", Value::Null);
        attack.tool = "hammer";
        attack.arguments = arguments.as_object().cloned().unwrap_or_default();
        attack.race = Some(given.at.join(place));
        attack
    };
    let file = at(given, RACE);
    let below = at(given, &format!("{RACE_DIRECTORY}/secret.txt"));
    vec![
        race("race-read", RACE, json!({"act": "read", "path": file})),
        race("race-overwrite", RACE, json!({"act": "overwrite", "path": file, "data": "raced"})),
        race("race-truncate", RACE, json!({"act": "truncate", "path": file})),
        race("race-directory", RACE_DIRECTORY, json!({"act": "read", "path": below})),
        race(
            "race-handle",
            RACE_DIRECTORY,
            json!({"act": "read", "path": "secret.txt", "via": at(given, RACE_DIRECTORY)}),
        ),
    ]
}

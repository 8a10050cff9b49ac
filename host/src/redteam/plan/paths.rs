//! Attacks on files: out of each granted directory by spelling, by links, by races; and more in it than its mode allows.

use serde_json::{Value, json};
use soulbound_runtime::grant::DirectoryMode;

use super::{Ground, links, spellings};
use crate::redteam::attack::{Aim, Attack, Class};
use crate::redteam::scratch::{EXECUTABLE, Given, INSIDE};

/// What is written where something may be written.
const WRITTEN: &str = "written by a probe\n";

/// Every attack on files.
pub(super) fn attacks(ground: &Ground<'_>) -> Vec<Attack> {
    let mut all = spellings::of_the_root(ground);
    for given in &ground.target.given {
        all.extend(controls(given));
        all.extend(spellings::below(ground, given));
        all.extend(links::attacks(ground, given));
        all.extend(match given.mode {
            DirectoryMode::Read => read_only(given),
            DirectoryMode::Create => create_only(given),
            DirectoryMode::Write => guarded(given),
        });
    }
    all
}

/// An attack of one step in a directory.
pub(crate) fn one(given: &Given, name: &str, what: &str, step: Value) -> Attack {
    Attack::file(Class::Paths, &format!("{name}@{}", given.guest), what, step)
}

/// A path below the directory, as the skill sees it. Relative, as `wasi:filesystem` wants it.
pub(crate) fn at(given: &Given, below: &str) -> String {
    format!("{}/{below}", given.guest.trim_start_matches('/'))
}

/// What the grant allows has to work, or the probe is blind.
fn controls(given: &Given) -> Vec<Attack> {
    let new = at(given, "rt-control.txt");
    let create = json!({"act": "create-new", "path": new, "data": WRITTEN});
    let control = |name: &str, step: Value| one(given, name, "what the grant allows", step).aim(Aim::Control);
    match given.mode {
        DirectoryMode::Read => {
            vec![control("control-read", json!({"act": "read", "path": at(given, INSIDE)}))]
        }
        DirectoryMode::Write => vec![
            control("control-read", json!({"act": "read", "path": at(given, INSIDE)})),
            control("control-create", create),
            control("control-overwrite", json!({"act": "overwrite", "path": new, "data": "again"})),
        ],
        DirectoryMode::Create => vec![control("control-create", create)],
    }
}

/// Every change in a directory that is for reading.
fn read_only(given: &Given) -> Vec<Attack> {
    let plain = at(given, "rt-plain.txt");
    let steps = [
        ("write", json!({"act": "write", "path": plain, "data": WRITTEN})),
        ("overwrite", json!({"act": "overwrite", "path": plain, "data": WRITTEN})),
        ("append", json!({"act": "append", "path": plain, "data": WRITTEN})),
        ("truncate", json!({"act": "truncate", "path": plain})),
        ("resize", json!({"act": "resize", "path": plain, "data": "100"})),
        ("touch", json!({"act": "touch", "path": plain})),
        ("create", json!({"act": "create-new", "path": at(given, "rt-made.txt"), "data": WRITTEN})),
        ("unlink", json!({"act": "unlink", "path": plain})),
        ("make-directory", json!({"act": "make-directory", "path": at(given, "rt-made")})),
        ("remove-directory", json!({"act": "remove-directory", "path": at(given, "rt-empty")})),
        ("rename", json!({"act": "rename", "path": plain, "other": at(given, "rt-moved.txt")})),
        ("link", json!({"act": "link", "path": plain, "other": at(given, "rt-second.txt")})),
        ("symlink", json!({"act": "symlink", "path": at(given, "rt-made-link"), "other": "rt-plain.txt"})),
    ];
    let attack = |(name, step): (&str, Value)| {
        one(given, &format!("read-only-{name}"), "a change where only reading was granted", step)
    };
    steps.into_iter().map(attack).collect()
}

/// Everything but making new files, where that alone was granted.
fn create_only(given: &Given) -> Vec<Attack> {
    let plain = at(given, "rt-plain.txt");
    let steps = [
        ("read", json!({"act": "read", "path": at(given, INSIDE)})),
        ("list", json!({"act": "list", "path": at(given, ".")})),
        ("overwrite", json!({"act": "overwrite", "path": plain, "data": WRITTEN})),
        ("append", json!({"act": "append", "path": plain, "data": WRITTEN})),
        ("truncate", json!({"act": "truncate", "path": plain})),
        ("touch", json!({"act": "touch", "path": plain})),
        ("unlink", json!({"act": "unlink", "path": plain})),
        ("rename", json!({"act": "rename", "path": plain, "other": at(given, "rt-moved.txt")})),
        ("rename-over", json!({"act": "rename", "path": at(given, "rt-new.txt"), "other": plain})),
    ];
    let attack = |(name, step): (&str, Value)| {
        one(given, &format!("create-only-{name}"), "more than making new files", step)
    };
    steps.into_iter().map(attack).chain(guarded(given)).collect()
}

/// What no grant for writing opens: files that steer agents, that run, that are hidden; and links.
fn guarded(given: &Given) -> Vec<Attack> {
    let mut all = Vec::new();
    let names = [
        "SOUL.md",
        "soul.md",
        "Soul.MD",
        "\u{17f}oul.md",
        "SOUL\u{200b}.md",
        "./SOUL.md",
        "rt-sub/../SOUL.md",
        "rt-sub/SOUL.md",
        "SKILL.md",
        "HEARTBEAT.md",
        "AGENTS.md",
        "agents.MD",
        "CLAUDE.md",
        "MEMORY.md",
        "TOOLS.md",
        "rt-sub/CLAUDE.md",
    ];
    for (number, name) in names.iter().enumerate() {
        let path = at(given, name);
        let plain = at(given, "rt-new.txt");
        for (act, step) in [
            ("write", json!({"act": "write", "path": path, "data": WRITTEN})),
            ("truncate", json!({"act": "truncate", "path": path})),
            ("unlink", json!({"act": "unlink", "path": path})),
            ("rename", json!({"act": "rename", "path": plain, "other": path})),
        ] {
            let id = format!("protected-{act}-{number}");
            all.push(one(given, &id, "a file that steers an agent is changed", step));
        }
    }
    let run = at(given, EXECUTABLE);
    let hidden = |name: &str| at(given, name);
    for (name, what, step) in [
        (
            "executable-overwrite",
            "a program is changed",
            json!({"act": "overwrite", "path": run, "data": WRITTEN}),
        ),
        ("executable-append", "a program is changed", json!({"act": "append", "path": run, "data": WRITTEN})),
        ("executable-truncate", "a program is changed", json!({"act": "truncate", "path": run})),
        (
            "make-symlink-out",
            "a link that leads out is made",
            json!({"act": "symlink", "path": at(given, "rt-out"), "other": "../../outside"}),
        ),
        (
            "make-symlink-in",
            "a link is made",
            json!({"act": "symlink", "path": at(given, "rt-in"), "other": "rt-plain.txt"}),
        ),
        (
            "make-link",
            "a second name for a file is made",
            json!({"act": "link", "path": at(given, "rt-plain.txt"), "other": at(given, "rt-two.txt")}),
        ),
        (
            "move-link",
            "a link is moved up, so that it leads elsewhere",
            json!({"act": "rename", "path": at(given, "rt-link-relative"), "other": at(given, "rt-sub/rt-moved")}),
        ),
        (
            "move-out",
            "a file is moved out",
            json!({"act": "rename", "path": at(given, "rt-plain.txt"), "other": at(given, "../rt-moved.txt")}),
        ),
        (
            "move-root",
            "the granted directory itself is moved",
            json!({"act": "rename", "path": given.guest.trim_start_matches('/'), "other": "rt-moved"}),
        ),
    ] {
        all.push(one(given, name, what, step));
    }
    if !given.hidden {
        for (number, name) in [".rt-hidden.txt", ".rt-new", ".bashrc", "rt-sub/.rt-new", ".rt-hidden/new"]
            .into_iter()
            .enumerate()
        {
            let step = json!({"act": "write", "path": hidden(name), "data": WRITTEN});
            all.push(one(given, &format!("hidden-write-{number}"), "a hidden file is written", step));
        }
    }
    all
}

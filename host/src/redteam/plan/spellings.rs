//! Paths that mean something else than they seem: `..`, absolute ones, encodings, names that only begin alike.

use serde_json::json;

use super::Ground;
use super::paths::{at, one};
use crate::redteam::attack::{Attack, Class};
use crate::redteam::scratch::{Given, INSIDE};

/// Places of a Unix machine that every attacker tries.
const MACHINE: &[&str] = &[
    "/etc/passwd",
    "etc/passwd",
    "/proc/self/environ",
    "/proc/self/cmdline",
    "/proc/self/maps",
    "/proc/1/environ",
    "/dev/fd/0",
    "/dev/stdin",
    "/proc/self/fd/3",
    "/proc/self/cwd/SOUL.md",
    "//etc//passwd",
    "/./etc/passwd",
];

/// Attacks that start at the root that a skill sees, also where it was given no directory.
pub(super) fn of_the_root(ground: &Ground<'_>) -> Vec<Attack> {
    let secret = ground.scratch.outside().join("secret.txt").display().to_string();
    let root = ground.scratch.root().display().to_string();
    let mut paths: Vec<String> = MACHINE.iter().map(|path| (*path).to_owned()).collect();
    paths.extend([
        secret.clone(),
        secret.trim_start_matches('/').to_owned(),
        format!("/proc/self/root{secret}"),
        format!("/proc/1/root{secret}"),
        format!("../../../../../../../../../../../..{secret}"),
        format!("{root}/agent/SOUL.md"),
        format!("{root}/agent/.env"),
        format!("{root}/secret.txt"),
        "..".to_owned(),
        "../..".to_owned(),
        ".".repeat(300),
        "a/".repeat(3_000),
        format!("{}..", "x/../".repeat(500)),
    ]);
    for other in ground.others {
        paths.push(other.at.join(INSIDE).display().to_string());
        paths.push(at(other, INSIDE));
    }
    let mut all = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        for act in ["read", "list", "write"] {
            let what = "a path from the root leads out";
            let step = json!({"act": act, "path": path, "data": "written by a probe\n"});
            all.push(Attack::file(Class::Paths, &format!("root-{act}-{number}"), what, step));
        }
    }
    all
}

/// Attacks that start below a granted directory.
pub(super) fn below(ground: &Ground<'_>, given: &Given) -> Vec<Attack> {
    let up = ground.scratch.up(&given.at);
    let name = given.at.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let secret = ground.scratch.outside().join("secret.txt").display().to_string();
    let spelled = [
        format!("{up}outside/secret.txt"),
        format!("./{up}outside/secret.txt"),
        format!("rt-sub/../{up}outside/secret.txt"),
        format!("rt-sub/./.././{up}outside/./secret.txt"),
        format!("rt-none/../{up}outside/secret.txt"),
        format!("rt-plain.txt/../{up}outside/secret.txt"),
        format!("rt-link-directory/../{up}outside/secret.txt"),
        format!("{up}{up}{up}{up}{}", secret.trim_start_matches('/')),
        format!("/{secret}"),
        format!("../{name}-private/secret.txt"),
        format!("../{name}/../{name}-private/secret.txt"),
        "../rt-secret.txt".to_owned(),
        "../.env".to_owned(),
        up.replace('/', "\\") + "outside\\secret.txt",
        up.replace("../", "%2e%2e/") + "outside/secret.txt",
        up.replace("../", "%2e%2e%2f") + "outside%2fsecret.txt",
        up.replace("../", "..%00/") + "outside/secret.txt",
        up.replace("../", "..\0/") + "outside/secret.txt",
        up.replace("../", "..;/") + "outside/secret.txt",
        up.replace("../", "....//") + "outside/secret.txt",
        up.replace("../", ".. /") + "outside/secret.txt",
        up.replace("../", "\u{2025}/") + "outside/secret.txt",
        up.replace("../", "\u{ff0e}\u{ff0e}/") + "outside/secret.txt",
        up.replace("../", ".\u{200b}./") + "outside/secret.txt",
        up.replace("../", "..\u{2215}") + "outside/secret.txt",
        format!("rt-inside.txt\0/../{up}outside/secret.txt"),
        "..".to_owned(),
        "../".to_owned(),
        "rt-sub/../..".to_owned(),
        format!("{up}state/keys"),
        format!("{}{up}outside/secret.txt", "rt-sub/../".repeat(200)),
    ];
    let mut all = Vec::new();
    for (number, path) in spelled.iter().enumerate() {
        for act in ["read", "list", "write", "unlink"] {
            let step = json!({"act": act, "path": at(given, path), "data": "written by a probe\n"});
            all.push(one(given, &format!("spelling-{act}-{number}"), "a spelling leads out", step));
        }
        // The same from a handle on the directory: another resolver's start.
        let step = json!({"act": "read", "path": path, "via": given.guest.trim_start_matches('/')});
        all.push(one(
            given,
            &format!("spelling-handle-{number}"),
            "a spelling leads out, from a handle",
            step,
        ));
        let step = json!({"act": "rename", "path": at(given, "rt-plain.txt"), "other": at(given, path)});
        all.push(one(
            given,
            &format!("spelling-rename-{number}"),
            "a rename to a spelling that leads out",
            step,
        ));
    }
    let twin = format!("{}-private/secret.txt", given.guest.trim_start_matches('/'));
    all.push(one(
        given,
        "twin",
        "a name that only begins like the grant's",
        json!({"act": "read", "path": twin}),
    ));
    let hidden = [
        ".rt-hidden.txt",
        ".rt-hidden/secret.txt",
        "rt-sub/.rt-hidden.txt",
        "./.rt-hidden.txt",
        ".RT-hidden.txt",
        ".rt-hidden/./secret.txt",
        "rt-sub/../.rt-hidden.txt",
        ".rt-hidden.txt/",
        ".rt-hidden.txt\0x",
    ];
    if !given.hidden {
        for (number, path) in hidden.into_iter().enumerate() {
            for act in ["read", "read-no-follow"] {
                let step = json!({"act": act, "path": at(given, path)});
                all.push(one(given, &format!("hidden-{act}-{number}"), "a hidden file is read", step));
            }
        }
    }
    all
}

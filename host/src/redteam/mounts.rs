//! Mount points inside a granted directory: another file system, a directory and a file from outside, put there once
//! everything is bound, as an operator plugs in a disk.
//!
//! Mounting takes a mount namespace of one's own. A run starts itself once more in such a one, by util-linux' `unshare`, with
//! `--mounts`: that one mounts and does nothing else. What cannot be tried on this machine is told as not tried, with the reason.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};
use soulbound_runtime::DenialId;
use soulbound_runtime::grant::DirectoryMode;

use super::attack::{Aim, Attack, Class};
use super::oracle::Verdict;
use super::plan::paths::{at, one};
use super::report::Finding;
use super::scratch::{FILE_MOUNT, Given, MOUNT, Scratch, TREE_MOUNT};
use super::stage::NO_SKILL;
use super::{Ground, Order};

/// What the other run may take: it compiles nothing, and tries a few dozen things.
const LONGEST: Duration = Duration::from_secs(60);

/// What is mounted, until it is dropped.
pub(super) struct Mounted(Vec<PathBuf>);

impl Mounted {
    /// Mounts something at each of the three names in every copy.
    ///
    /// # Errors
    ///
    /// This process may not mount.
    pub(super) fn put(scratch: &Scratch) -> Result<Self> {
        let mut mounted = Self(Vec::new());
        for (number, copied) in scratch.copies.iter().enumerate() {
            let outside = scratch.outside();
            let [other, tree, file] = [MOUNT, TREE_MOUNT, FILE_MOUNT].map(|name| copied.at.join(name));
            std::fs::create_dir(&other)?;
            std::fs::create_dir(&tree)?;
            std::fs::write(&file, "covered\n")?;
            mounted.mount(&["-t", "tmpfs", "-o", "size=1m", "redteam"], &other)?;
            scratch.plant_mounted(&other, number)?;
            mounted.mount(&["--bind", &outside.display().to_string()], &tree)?;
            mounted.mount(&["--bind", &outside.join("secret.txt").display().to_string()], &file)?;
        }
        Ok(mounted)
    }

    fn mount(&mut self, words: &[&str], at: &Path) -> Result<()> {
        let done = Command::new("mount").args(words).arg(at).output().context("`mount`")?;
        if !done.status.success() {
            bail!("{}", String::from_utf8_lossy(&done.stderr).trim());
        }
        self.0.push(at.to_owned());
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        for at in self.0.iter().rev() {
            // What stays mounted ends with the namespace.
            let _ = Command::new("umount").arg("--lazy").arg(at).output();
        }
    }
}

/// Every attack on what is mounted in the directories of one skill.
pub(super) fn plan(ground: &Ground<'_>) -> Vec<Attack> {
    ground.target.given.iter().flat_map(attacks).collect()
}

fn attacks(given: &Given) -> Vec<Attack> {
    let mut all = Vec::new();
    // What lies beside a mount point is what the grant allows.
    if given.mode != DirectoryMode::Create {
        let step = json!({"act": "read", "path": at(given, super::scratch::INSIDE)});
        all.push(one(given, "mount-control", "a file beside a mount point", step).aim(Aim::Control));
    }
    let through = ["secret.txt", "directory/secret.txt", "../rt-mount/secret.txt"];
    let mut reached: Vec<String> = [MOUNT, TREE_MOUNT]
        .into_iter()
        .flat_map(|mount| through.map(|below| at(given, &format!("{mount}/{below}"))))
        .collect();
    reached.push(at(given, FILE_MOUNT));
    for (number, path) in reached.iter().enumerate() {
        for act in ["read", "read-no-follow", "overwrite", "append", "truncate", "touch", "unlink"] {
            let step = json!({"act": act, "path": path, "data": "mounted"});
            all.push(one(given, &format!("mount-{act}-{number}"), "a mount point leads out", step));
        }
    }
    for (number, mount) in [MOUNT, TREE_MOUNT].into_iter().enumerate() {
        let directory = at(given, mount);
        for (name, step) in [
            ("list", json!({"act": "list", "path": directory})),
            ("handle", json!({"act": "read", "path": "secret.txt", "via": directory})),
            ("create", json!({"act": "create-new", "path": format!("{directory}/made.txt"), "data": "x"})),
            ("directory", json!({"act": "make-directory", "path": format!("{directory}/made")})),
            (
                "move",
                json!({"act": "rename", "path": at(given, "rt-plain.txt"), "other": format!("{directory}/moved")}),
            ),
            (
                "take",
                json!({"act": "rename", "path": format!("{directory}/secret.txt"), "other": at(given, "rt-taken")}),
            ),
            ("remove", json!({"act": "remove-directory", "path": directory})),
            ("rename", json!({"act": "rename", "path": directory, "other": at(given, "rt-renamed")})),
        ] {
            all.push(one(
                given,
                &format!("mount-directory-{name}-{number}"),
                "a mounted directory leads out",
                step,
            ));
        }
    }
    all
}

/// One finding of the other run, as its JSON has it.
#[derive(Debug, Deserialize)]
struct Told {
    id: String,
    skill: String,
    line: u32,
    what: String,
    verdict: String,
    denials: Vec<String>,
    evidence: Option<String>,
}

/// The other run: what came of it, or why it was not to be had.
pub(super) async fn in_a_namespace(order: &Order, scratch: &Scratch) -> Vec<Finding> {
    if order.soul.skills().iter().all(|entry| entry.grant.directories.is_empty()) {
        return Vec::new();
    }
    match told(order, scratch).await {
        Ok(found) => found,
        Err(error) => vec![not_tried(&format!("{error:#}"))],
    }
}

/// A run that could not mount.
pub(super) fn not_tried(why: &str) -> Finding {
    let what = "mount points inside granted directories";
    let attack = Attack::new(Class::Paths, "mount", what, "mount", Value::Null);
    Finding::new(&attack, NO_SKILL, 0, Verdict::NotTried(why.to_owned()))
}

async fn told(order: &Order, scratch: &Scratch) -> Result<Vec<Finding>> {
    // The very bytes under attack; directories that are missing there become empty ones.
    let place = scratch.root().join("mounted");
    std::fs::create_dir(&place)?;
    let soul = place.join("SOUL.md");
    std::fs::write(&soul, &order.text)?;
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "--"]).arg(std::env::current_exe()?);
    command.arg("redteam").arg(&soul).args(["--mounts", "--json", "--seed", &order.seed.to_string()]);
    for skill in &order.skills {
        command.args(["--skill", skill]);
    }
    if let Some(attack) = &order.attack {
        command.args(["--attack", attack]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().context("`unshare` of util-linux")?;
    let pid = Pid::from_child(&child);
    let mut ends = tokio::task::spawn_blocking(|| child.wait_with_output());
    let output = match tokio::time::timeout(LONGEST, &mut ends).await {
        Ok(ended) => ended??,
        Err(_) => {
            // `unshare` became the run itself; nobody has waited for it yet, so the number is still its own.
            kill_process(pid, Signal::KILL)?;
            bail!("it did not end within {} s", LONGEST.as_secs());
        }
    };
    let Ok(document) = serde_json::from_slice::<Value>(&output.stdout) else {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{}", said.lines().next().unwrap_or("it said nothing"));
    };
    let attacks: Vec<Told> = serde_json::from_value(document.get("attacks").cloned().unwrap_or_default())?;
    attacks.into_iter().map(Told::finding).collect()
}

impl Told {
    fn finding(self) -> Result<Finding> {
        let why = self.evidence.unwrap_or_default();
        let verdict = match self.verdict.as_str() {
            "refused" => {
                let ids = self.denials.iter().map(|id| {
                    DenialId::parse(id).map(|id| id.as_str()).with_context(|| format!("`{id}` is no denial"))
                });
                Verdict::Refused(ids.collect::<Result<_>>()?)
            }
            "no-effect" => Verdict::NoEffect,
            "allowed" => Verdict::Allowed,
            "residual" => Verdict::Residual(why),
            "escaped" => Verdict::Escaped(why),
            "blind" => Verdict::Blind(why),
            "not-tried" => Verdict::NotTried(why),
            other => bail!("`{other}` is no verdict"),
        };
        Ok(Finding {
            id: self.id,
            class: Class::Paths,
            skill: self.skill,
            line: self.line,
            what: self.what,
            verdict,
        })
    }
}

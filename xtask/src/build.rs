//! Building guests: the standard skills, the tests' probes, the example skill; and the program itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::setup::{self, TARGET, cargo, root, run, say};

/// Components of this kind attack grants: the program finds them, no SOUL.md does.
const PROBE: &str = "probe-";

/// The standard skills, into `target/skills/NAME/`: the folder that the program finds beside its own. The probes of
/// `soulbound redteam` go into `target/redteam/NAME/`, where no skill is looked for.
pub(crate) fn skills() -> Result<()> {
    setup::wasm_target()?;
    say("building the standard skills");
    build("skills")?;
    for source in folders(&root().join("skills"))? {
        // Libraries that skills share have no `SKILL.md`.
        if !source.join("SKILL.md").is_file() {
            continue;
        }
        let name = source.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let place = if name.starts_with(PROBE) { "target/redteam" } else { "target/skills" };
        assemble(&source, &root().join(place))?;
    }
    Ok(())
}

/// The tests' probes, into `target/guests/NAME/`, and the example skill, into `target/guests/` as well.
pub(crate) fn guests() -> Result<()> {
    setup::wasm_target()?;
    say("building the tests' guests and the example skill");
    build("tests/guests")?;
    for source in folders(&root().join("tests/guests"))? {
        assemble(&source, &root().join("target/guests"))?;
    }
    build("examples/skills/word-count")?;
    assemble(&root().join("examples/skills/word-count"), &root().join("target/guests"))
}

/// The program, `target/debug/soulbound`.
pub(crate) fn program() -> Result<PathBuf> {
    say("building the program (the first time takes some minutes: it compiles a compiler)");
    run(cargo().args(["build", "--package", "soulbound"]))?;
    Ok(root().join("target/debug/soulbound"))
}

fn target_folder() -> PathBuf {
    root().join("target/wasm")
}

fn build(workspace: &str) -> Result<()> {
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--locked", "--target", TARGET, "--manifest-path"]);
    cargo.arg(root().join(workspace).join("Cargo.toml")).env("CARGO_TARGET_DIR", target_folder());
    // Flags meant for the machine's own programs are not for the guests.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(variable);
    }
    run(&mut cargo)
}

/// The folders of a workspace that are guests: those with a `Cargo.toml`.
fn folders(workspace: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(workspace).with_context(|| format!("{} cannot be read", workspace.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A skill's folder as it is handed over: `SKILL.md`, one component, `wit/`, `schemas/`.
fn assemble(source: &Path, into: &Path) -> Result<()> {
    let name = source.file_name().and_then(|name| name.to_str()).context("a guest's folder has no name")?;
    let folder = into.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let component =
        target_folder().join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
    fs::copy(&component, folder.join(format!("{name}.wasm")))
        .with_context(|| format!("{} is missing", component.display()))?;
    match source.join("SKILL.md") {
        manifest if manifest.is_file() => drop(fs::copy(manifest, folder.join("SKILL.md"))?),
        _ => fs::write(
            folder.join("SKILL.md"),
            format!("---\nname: {name}\ndescription: A guest of Soulbound's own tests.\n---\n"),
        )?,
    }
    for beside in ["references", "schemas"] {
        if source.join(beside).is_dir() {
            copy_tree(&source.join(beside), &folder.join(beside))?;
        }
    }
    // Probes share one world's text; their tools are read from the component.
    let wit = source.join("wit");
    if wit.is_dir() { copy_tree(&wit, &folder.join("wit")) } else { Ok(()) }
}

/// Copies a folder of files and folders.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_tree(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

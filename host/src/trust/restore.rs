//! The trusted bytes, put back into an agent's folder: SOUL.md, and the skills beside it.
//!
//! The folder belongs to whoever runs the agent, who may have left links in the way. So everything goes through handles that
//! were opened without following any, new files are made under names that are not there, and whole things are swapped in by
//! renaming. The rule: nothing is deleted. What stood in the way is kept beside it under a hidden name, which no skill's
//! folder and no grant shows, and SOUL.md's old bytes also go to the store.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use soulbound_runtime::skill::{Digest, Origin, SkillFolder, SkillSources};
use soulbound_runtime::soul::bytes_of;

use super::act::short;
use super::manifest::TrustedSkill;
use super::standing::put_folder_back;
use super::store::Store;
use super::trusted::Trusted;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Puts everything back that differs. Says what was replaced, a line each.
pub(super) fn put_back(store: &Store, trusted: &Trusted) -> Result<Vec<String>> {
    let folder = open_folder(&trusted.folder).map_err(|error| match trusted.folder.is_dir() {
        true => error,
        false => anyhow::anyhow!("{error:#}\n  hint: {}", put_folder_back(&trusted.id)),
    })?;
    let mut said = Vec::new();
    said.extend(soul(store, trusted, &folder)?);
    for skill in &trusted.manifest.skills {
        said.extend(one_skill(store, trusted, skill, &folder)?);
    }
    Ok(said)
}

/// The agent's folder, by its path without links.
fn open_folder(path: &Path) -> Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(rustix::fs::CWD, path, DIRECTORY, Mode::empty(), resolve)
        .with_context(|| format!("the agent's folder `{}` cannot be opened", path.display()))
}

fn soul(store: &Store, trusted: &Trusted, folder: &OwnedFd) -> Result<Option<String>> {
    let path = trusted.folder.join("SOUL.md");
    let mut kept = None;
    if let Ok(bytes) = bytes_of(&path) {
        if Digest::of(&bytes) == trusted.manifest.soul {
            return Ok(None);
        }
        kept = Some(store.put(&bytes)?);
    }
    let new = free_name(folder, ".SOUL.md.trusted")?;
    write_new(folder, &new, &store.get(trusted.manifest.soul)?)?;
    let mut said = match kept {
        Some(kept) => format!("SOUL.md put back; the bytes replaced are in the store as {kept}"),
        None => "SOUL.md put back".to_owned(),
    };
    // Bytes that are in the store may be overwritten; a link, a FIFO or a folder is set aside.
    if kept.is_none()
        && let Some(aside) = set_aside(folder, "SOUL.md")?
    {
        said.push_str(&format!("; what stood there is `{}` now", aside.to_string_lossy()));
    }
    rustix::fs::renameat(folder, &new, folder, "SOUL.md").context("SOUL.md cannot be replaced")?;
    sync(folder)?;
    Ok(Some(said))
}

/// One skill: its folder beside SOUL.md swapped for one with the trusted files, or set aside where it was not there.
fn one_skill(
    store: &Store,
    trusted: &Trusted,
    skill: &TrustedSkill,
    folder: &OwnedFd,
) -> Result<Option<String>> {
    let name = skill.name.as_str();
    let place = trusted.folder.join("skills");
    let beside = SkillSources::new().with(Origin::Agent, &place).locate(name);
    if skill.origin != Origin::Agent {
        // Trusted from elsewhere: a folder beside SOUL.md would stand before it.
        let Some(_) = beside else { return Ok(None) };
        let skills = rustix::fs::openat(folder, "skills", DIRECTORY, Mode::empty())
            .context("`skills` is no folder, or a link")?;
        let aside = set_aside(&skills, name)?;
        sync(&skills)?;
        return Ok(aside.map(|aside| format!("skills/{name} is `skills/{}` now", aside.to_string_lossy())));
    }
    if beside.is_some_and(|(_, path)| is_as_trusted(skill, &path)) {
        return Ok(None);
    }
    match rustix::fs::mkdirat(folder, "skills", Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error).context("`skills` cannot be made"),
    }
    let skills = rustix::fs::openat(folder, "skills", DIRECTORY, Mode::empty())
        .context("`skills` is no folder, or a link\n  hint: put a folder there")?;
    let new = free_name(&skills, &format!(".{name}.trusted"))?;
    fill(store, skill, &skills, &new)?;
    let aside = set_aside(&skills, name)?;
    rustix::fs::renameat_with(&skills, &new, &skills, name, RenameFlags::NOREPLACE)
        .with_context(|| format!("`skills/{name}` cannot be put back"))?;
    sync(&skills)?;
    let said = match aside {
        Some(aside) => format!(
            "skills/{name} put back ({}); the folder replaced is `skills/{}`",
            short(skill.component),
            aside.to_string_lossy()
        ),
        None => format!("skills/{name} put back ({})", short(skill.component)),
    };
    Ok(Some(said))
}

fn is_as_trusted(skill: &TrustedSkill, path: &Path) -> bool {
    SkillFolder::read(path).is_ok_and(|found| {
        let files = found.files();
        files.len() == skill.files.len()
            && files
                .iter()
                .zip(&skill.files)
                .all(|((path, bytes), file)| *path == file.path && Digest::of(bytes) == file.digest)
    })
}

/// Makes a new folder with the skill's trusted files.
fn fill(store: &Store, skill: &TrustedSkill, skills: &OwnedFd, new: &OsString) -> Result<()> {
    let make = |parent: &OwnedFd, name: &std::ffi::OsStr| -> Result<OwnedFd> {
        match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).context("a folder cannot be made"),
        }
        rustix::fs::openat(parent, name, DIRECTORY, Mode::empty()).context("a folder cannot be opened")
    };
    let top = make(skills, new)?;
    for file in &skill.files {
        let mut names: Vec<&str> = file.path.split('/').collect();
        let last = names.pop().context("a path has a last name")?;
        let mut parent = top.try_clone().context("a handle cannot be copied")?;
        for name in names {
            parent = make(&parent, name.as_ref())?;
        }
        write_new(&parent, last.as_ref(), &store.get(file.digest)?)?;
        sync(&parent)?;
    }
    sync(&top)
}

/// Writes a file that is not there yet.
fn write_new(parent: &OwnedFd, name: &std::ffi::OsStr, bytes: &[u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let shown = || format!("`{}` cannot be written", name.to_string_lossy());
    let handle = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644)).with_context(shown)?;
    let mut file = File::from(handle);
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(shown)
}

/// Renames what has this name to a hidden one that is free; none if nothing has it.
fn set_aside(parent: &OwnedFd, name: &str) -> Result<Option<OsString>> {
    let aside = free_name(parent, &format!(".{name}.replaced"))?;
    match rustix::fs::renameat_with(parent, name, parent, &aside, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Some(aside)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("`{name}` cannot be set aside")),
    }
}

/// A name that begins like this and that nothing has. Whoever takes it meanwhile makes the next step fail, no more.
fn free_name(parent: &OwnedFd, begins: &str) -> Result<OsString> {
    for number in 1..10_000_u32 {
        let name = OsString::from(format!("{begins}.{number}"));
        if let Err(Errno::NOENT) = rustix::fs::statat(parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
            return Ok(name);
        }
    }
    anyhow::bail!("`{begins}.N` are all taken\n  hint: delete what you no longer need of them")
}

fn sync(folder: &OwnedFd) -> Result<()> {
    rustix::fs::fsync(folder).context("a folder cannot be written to disk")
}

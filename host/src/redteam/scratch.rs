//! The scratch copy: an agent's folder as its grants see it, in a temporary place of this user alone, with canaries around
//! and traps inside. The real directories are read once, and bounded; nothing is written to them.

mod copy;
mod plant;
mod watch;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use soulbound_runtime::Soul;
use soulbound_runtime::grant::{DirectoryGrant, DirectoryMode};
use soulbound_runtime::sandbox::AgentIdentity;
use soulbound_runtime::soul::SkillEntry;
use tempfile::TempDir;

use super::canary::{Canary, Seed};
use super::interrupt;

pub(crate) use plant::{EXECUTABLE, FILE_MOUNT, INSIDE, MOUNT, RACE, RACE_DIRECTORY, TREE_MOUNT};
pub(crate) use watch::Watch;

/// The temporary place; it is gone with this value.
pub(crate) struct Scratch {
    place: TempDir,
    /// Every canary that was put down.
    pub(crate) canaries: Vec<Canary>,
    /// The copies of granted directories, each once.
    pub(crate) copies: Vec<Copied>,
    /// What was left out of the copies, in words.
    pub(crate) left_out: Vec<String>,
    /// This side's ends of the FIFOs: without them a FIFO has nothing to read, and nobody to write to.
    ends: Vec<fs::File>,
}

/// A granted directory and its copy.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    /// As SOUL.md has it.
    pub(crate) path: String,
    /// The copy.
    pub(crate) at: PathBuf,
}

/// A directory of one skill, in the scratch copy.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    /// Where it is.
    pub(crate) at: PathBuf,
    /// Where the skill sees it.
    pub(crate) guest: String,
    /// What may be done there.
    pub(crate) mode: DirectoryMode,
    /// Whether names with a dot are there.
    pub(crate) hidden: bool,
}

impl Given {
    /// Whether a skill with this directory may read what is at a path.
    fn reads(&self, path: &Path) -> bool {
        self.mode != DirectoryMode::Create
            && path.strip_prefix(&self.at).is_ok_and(|rest| self.hidden || !is_hidden(rest))
    }
}

/// Whether a name on the path starts with a dot.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.components().any(|name| name.as_os_str().as_encoded_bytes().first() == Some(&b'.'))
}

impl Scratch {
    /// Copies what the skills of an agent are granted, and puts canaries beside, above and below it.
    pub(crate) fn make(soul: &Soul, text: &[u8], folder: &Path, seed: Seed) -> Result<Self> {
        // Copies of what the agent may read are nobody else's to read.
        let private = fs::Permissions::from_mode(0o700);
        let mut builder = tempfile::Builder::new();
        builder.prefix("soulbound-redteam-").permissions(private);
        let place = interrupt::cleared(|| builder.tempdir()).context("no temporary folder can be made")?;
        let (canaries, copies) = (Vec::new(), Vec::new());
        let mut scratch = Self { place, canaries, copies, left_out: Vec::new(), ends: Vec::new() };
        fs::create_dir_all(scratch.agent())?;
        let granted = soul.skills().iter().flat_map(|entry| entry.grant.directories.iter());
        let mut budget = copy::Budget::default();
        for grant in granted {
            if scratch.copy_of(&grant.path).is_some() {
                continue;
            }
            let at = scratch.place_for(grant);
            let from = folder.join(&grant.path);
            copy::copy(&from, &at, &mut budget, &mut scratch.left_out)
                .with_context(|| format!("`{}` cannot be copied", from.display()))?;
            scratch.copies.push(Copied { path: grant.path.clone(), at });
        }
        fs::write(scratch.agent().join("SOUL.md"), scratch.rewritten(soul, text))?;
        scratch.plant(seed)?;
        Ok(scratch)
    }

    /// The folder that holds everything.
    pub(crate) fn root(&self) -> PathBuf {
        // Granted absolute paths go through no link; the temporary folder may lie behind one.
        fs::canonicalize(self.place.path()).unwrap_or_else(|_| self.place.path().to_owned())
    }

    /// The agent's folder.
    pub(crate) fn agent(&self) -> PathBuf {
        self.root().join("agent")
    }

    /// A folder that no grant reaches.
    pub(crate) fn outside(&self) -> PathBuf {
        self.root().join("outside")
    }

    /// Where a state folder may be made.
    pub(crate) fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// The copy of a granted path.
    pub(crate) fn copy_of(&self, path: &str) -> Option<&Path> {
        self.copies.iter().find(|copied| copied.path == path).map(|copied| copied.at.as_path())
    }

    fn place_for(&self, grant: &DirectoryGrant) -> PathBuf {
        match grant.path.strip_prefix('/') {
            // The last component stays: it is what the skill sees it by.
            Some(path) => {
                let last = path.rsplit('/').next().unwrap_or(path);
                self.root().join("absolute").join(self.copies.len().to_string()).join(last)
            }
            None => self.agent().join(grant.location()),
        }
    }

    /// A skill's entry over the copies: only absolute paths differ.
    pub(crate) fn moved(&self, entry: &SkillEntry) -> SkillEntry {
        let mut entry = entry.clone();
        for grant in entry.grant.directories.iter_mut().filter(|grant| grant.path.starts_with('/')) {
            if let Some(at) = self.copy_of(&grant.path) {
                grant.path = at.display().to_string();
            }
        }
        entry
    }

    /// SOUL.md with the copies' places where it has absolute paths.
    fn rewritten(&self, soul: &Soul, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let grants = soul.skills().iter().flat_map(|entry| entry.grant.directories.iter());
        for grant in grants.filter(|grant| grant.path.starts_with('/')) {
            let place = (grant.rule.line as usize).checked_sub(1).and_then(|line| lines.get_mut(line));
            if let (Some(line), Some(at)) = (place, self.copy_of(&grant.path)) {
                // The key stands before; a path may begin like another, so only whole ones are replaced.
                let ends = |rest: &str| {
                    rest.chars().next().is_none_or(|next| matches!(next, ' ' | ',' | '`' | '\n' | '\r' | '/'))
                };
                let found = line
                    .match_indices(&grant.path)
                    .find(|(index, found)| line.get(index + found.len()..).is_some_and(ends))
                    .map(|(index, _)| index);
                if let Some(index) = found {
                    line.replace_range(index..index + grant.path.len(), &at.display().to_string());
                }
            }
        }
        lines.concat()
    }

    /// The directories of a skill's (unmoved) entry.
    pub(crate) fn given(&self, entry: &SkillEntry) -> Vec<Given> {
        let given = entry.grant.directories.iter().filter_map(|grant| {
            let at = self.copy_of(&grant.path)?.to_owned();
            Some(Given { at, guest: grant.guest.clone(), mode: grant.mode, hidden: grant.hidden })
        });
        given.collect()
    }

    /// The canaries that a skill with these directories must not get.
    pub(crate) fn forbidden(&self, given: &[Given]) -> Vec<Canary> {
        let may = |canary: &&Canary| !given.iter().any(|one| one.reads(&canary.path));
        self.canaries.iter().filter(may).cloned().collect()
    }

    /// The canary that a skill finds in a directory that it may read.
    pub(crate) fn inside(&self, given: &Given) -> Option<&Canary> {
        self.canaries.iter().find(|canary| canary.path == given.at.join(INSIDE))
    }

    /// Who the probes act for.
    pub(crate) fn identity(&self, soul: &Soul) -> AgentIdentity {
        AgentIdentity { id: soul.id().to_owned(), named: soul.id().to_owned(), folder: self.agent() }
    }
}

//! One agent as it is trusted: its manifest, its SOUL.md read from the store, its skills' bytes.
//!
//! The rule: everything in here comes from the store. Nothing of the agent's folder is read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use soulbound_runtime::sandbox::AgentIdentity;
use soulbound_runtime::sandbox::files::OpenedDirectory;
use soulbound_runtime::skill::{Digest, FolderFile, SkillFolder};
use soulbound_runtime::{Denial, DenialId, Soul, visible};

use super::manifest::{Manifest, TrustedSkill};
use super::store::Store;

/// What is trusted of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Trusted {
    /// The agent's id.
    pub(crate) id: String,
    /// The folder of its SOUL.md.
    pub(crate) folder: PathBuf,
    /// The manifest's digest.
    pub(crate) digest: Digest,
    /// What is trusted, by digest.
    pub(crate) manifest: Manifest,
    /// The trusted SOUL.md. What may run is this, narrowed by the file on disk ([`super::Standing`]).
    pub(crate) soul: Soul,
}

impl Trusted {
    /// Loads what this manifest trusts of an agent.
    pub(crate) fn load(store: &Store, id: &str, folder: &Path, digest: Digest) -> Result<Self> {
        let manifest = Manifest::load(store, digest)?;
        let bytes = store.get(manifest.soul).context("the trusted SOUL.md")?;
        let soul = Soul::parse("SOUL.md", &bytes).map_err(|errors| {
            anyhow::anyhow!("the trusted SOUL.md is not understood by this build:\n{errors}")
        })?;
        if manifest.id != id || soul.id() != id {
            bail!("the trust manifest {digest} is that of agent `{}`, not of `{id}`", manifest.id);
        }
        let listed = soul.skills().iter().map(|skill| skill.name.as_str());
        if !listed.eq(manifest.skills.iter().map(|skill| skill.name.as_str())) {
            bail!("the trust manifest {digest} has other skills than its SOUL.md");
        }
        Ok(Self { id: id.to_owned(), folder: folder.to_owned(), digest, manifest, soul })
    }

    /// A skill with exactly the trusted bytes, from the store.
    pub(crate) fn skill(&self, store: &Store, name: &str) -> Result<SkillFolder> {
        let skill = self.entry(name)?;
        let mut files = Vec::with_capacity(skill.files.len());
        for file in &skill.files {
            let bytes =
                store.get(file.digest).with_context(|| format!("`{}` of skill `{name}`", file.path))?;
            files.push(FolderFile { path: file.path.clone(), bytes });
        }
        // Messages name the skill, not a place on disk: there is none.
        let folder = SkillFolder::from_files(Path::new(name), files)?;
        if folder.digest != skill.component {
            bail!("skill `{name}` has another component than its trust manifest names");
        }
        Ok(folder)
    }

    /// Who its bound skills act for.
    pub(crate) fn identity(&self) -> AgentIdentity {
        AgentIdentity { id: self.id.clone(), named: self.id.clone(), folder: self.folder.clone() }
    }

    /// Checks that the directories that a skill was bound to (`bound.files().opened()`) are trusted ones, or lie in one.
    /// Asked after binding: between two looks at a path it can lead elsewhere.
    pub(crate) fn admits(&self, skill: &str, opened: &[OpenedDirectory]) -> Result<(), Box<Denial>> {
        match opened.iter().find(|directory| !self.is_trusted(skill, directory)) {
            None => Ok(()),
            Some(other) => Err(Box::new(self.moved(skill, other))),
        }
    }

    /// Whether a directory is one that was trusted for the skill, or lies in one.
    pub(super) fn is_trusted(&self, skill: &str, opened: &OpenedDirectory) -> bool {
        let Some((trusted, entry)) = self.manifest.skill(skill).zip(self.soul.skill(skill)) else {
            return false;
        };
        trusted.directories.iter().any(|directory| {
            let granted = entry.grant.directories.iter().find(|granted| granted.path == directory.path);
            granted.is_some_and(|granted| {
                granted.mode.meet(opened.grant.mode) == Some(opened.grant.mode)
                    && opened.is_within(&directory.place(), granted.hidden)
            })
        })
    }

    fn moved(&self, skill: &str, directory: &OpenedDirectory) -> Denial {
        let path = visible::quoted_target(&directory.grant.path);
        Denial::new(
            DenialId::PathMoved,
            format!("skill `{skill}` may not use {path}: it is not the directory that was trusted"),
        )
        .rule(directory.grant.rule.clone())
        .hint(format!("put the directory back, or look at `soulbound agents diff {}`", self.id))
    }

    fn entry(&self, name: &str) -> Result<&TrustedSkill> {
        self.manifest.skill(name).with_context(|| format!("skill `{name}` is not trusted"))
    }
}

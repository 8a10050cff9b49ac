//! What is attacked, as bytes that were read once: an agent's folder, what is trusted of it, or what was.
//!
//! The rule: where a run is to say something of a trust manifest, everything that is attacked comes from what that manifest
//! names. A folder that is changed while the attacks go on, or back again, changes nothing of them.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use soulbound_runtime::Soul;
use soulbound_runtime::skill::{Digest, SkillFolder};

use crate::agent::{self, SoulFile, is_path};
use crate::settings::Settings;
use crate::state::StateFolder;
use crate::trust::{Candidate, Registry, Standing, Trusted, registry};

/// An agent under attack.
pub(crate) struct Subject {
    /// As the operator named it.
    pub(crate) named: String,
    /// Its SOUL.md, as it may run.
    pub(crate) soul: Soul,
    /// Its folder: where its directories are.
    pub(crate) folder: PathBuf,
    /// SOUL.md's bytes.
    pub(crate) text: Vec<u8>,
    /// The skills' files.
    pub(crate) files: Vec<(String, SkillFolder)>,
    /// The trust manifest that this is all of.
    pub(crate) manifest: Option<Digest>,
}

impl Subject {
    /// What an argument means: a SOUL.md as it is on disk; what may run of an agent now.
    ///
    /// # Errors
    ///
    /// It is not there, or SOUL.md has errors.
    pub(crate) fn of(argument: &str, state: &StateFolder, settings: &Settings) -> Result<Self> {
        if is_path(argument) {
            return Self::of_file(argument, state);
        }
        let registry = Registry::open(state);
        let id = registry::id(argument)?;
        let agent = registry.load(&id).map_err(|error| agent::or_a_file(&registry, &id, error))?;
        let sources = agent::sources(&agent.record.folder, Some(state.path()));
        let standing = Standing::of(&agent.trusted, &sources, &settings.files);
        let mut subject = Self::of_trusted(&registry, argument, agent.trusted)?;
        if !standing.is_as_trusted() {
            // What is left of it was never shown to anybody, so what is found says nothing of the manifest.
            subject.manifest = None;
            subject.soul = standing.effective.unwrap_or(subject.soul);
        }
        Ok(subject)
    }

    /// What is, or was, trusted of an agent, by the beginning of its digest: its folder does not count.
    ///
    /// # Errors
    ///
    /// The agent's history has none that begins so, or several.
    pub(crate) fn of_history(argument: &str, begins: &str, state: &StateFolder) -> Result<Self> {
        let registry = Registry::open(state);
        let record = registry.record(&registry::id(argument)?)?;
        let digest = record.of_history(begins)?;
        let trusted = Trusted::load(registry.store(), &record.id, &record.folder, digest)?;
        Self::of_trusted(&registry, argument, trusted)
    }

    /// A folder that was read to be shown to an operator.
    ///
    /// # Errors
    ///
    /// It has errors, so it is nothing that could be trusted.
    pub(crate) fn of_candidate(named: &str, candidate: &Candidate) -> Result<Self> {
        let (Some(soul), Some((_, digest))) = (&candidate.review.soul, candidate.manifest()) else {
            bail!("a folder with errors is not attacked");
        };
        let skills = candidate.review.skills.iter();
        Ok(Self {
            named: named.to_owned(),
            soul: soul.clone(),
            folder: candidate.folder.clone(),
            text: candidate.text().to_vec(),
            files: skills.map(|skill| (skill.name.clone(), skill.folder.clone())).collect(),
            manifest: Some(digest),
        })
    }

    fn of_file(argument: &str, state: &StateFolder) -> Result<Self> {
        let file = SoulFile::from_argument(argument)?;
        if file.path.file_name().is_some_and(|name| name == "SOUL.md") {
            let start = |settings: Settings| super::runtime(state, &settings, None);
            let candidate = Candidate::read(&file.path, state, Settings::read(state)?, start)?;
            if candidate.manifest().is_some() {
                return Self::of_candidate(&file.named, &candidate);
            }
        }
        // It could not be trusted as it is: a skill is missing, say. Its grants are attacked all the same.
        let text =
            std::fs::read(&file.path).with_context(|| format!("`{}` cannot be read", file.path.display()))?;
        let soul = Soul::read(&file.path)?;
        Ok(Self { folder: file.folder(), named: file.named, soul, text, files: Vec::new(), manifest: None })
    }

    fn of_trusted(registry: &Registry, named: &str, trusted: Trusted) -> Result<Self> {
        let store = registry.store();
        let files = trusted.manifest.skills.iter();
        let files = files.map(|skill| Ok((skill.name.clone(), trusted.skill(store, &skill.name)?)));
        Ok(Self {
            named: named.to_owned(),
            files: files.collect::<Result<_>>()?,
            text: store.get(trusted.manifest.soul)?,
            manifest: Some(trusted.digest),
            folder: trusted.folder,
            soul: trusted.soul,
        })
    }
}

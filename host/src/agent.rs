//! An agent named on the command line by its SOUL.md: the file read, and where its skills are looked for.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use soulbound_runtime::Soul;
use soulbound_runtime::sandbox::AgentIdentity;
use soulbound_runtime::skill::{Origin, SkillSources};

use crate::standard;
use crate::state::StateFolder;

/// A SOUL.md argument.
#[derive(Debug, Clone)]
pub(crate) struct SoulFile {
    /// As the operator wrote it.
    pub(crate) named: String,
    /// The file.
    pub(crate) path: PathBuf,
}

impl SoulFile {
    /// A path has a `/` or ends in `.md`; anything else is an agent's id, which needs the gateway. A folder stands for
    /// its SOUL.md.
    pub(crate) fn from_argument(argument: &str) -> Result<Self> {
        if !Self::is_path(argument) {
            bail!("`{argument}` names an agent of the gateway\n  hint: give the path of its SOUL.md");
        }
        let path = PathBuf::from(argument);
        let path = if path.is_dir() && !argument.ends_with(".md") { path.join("SOUL.md") } else { path };
        Ok(Self { named: argument.to_owned(), path })
    }

    /// Whether an argument is a path rather than an agent's id.
    pub(crate) fn is_path(argument: &str) -> bool {
        argument.contains('/') || argument.ends_with(".md") || argument == "."
    }

    /// The folder that holds it.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
    }

    /// Who a bound skill acts for.
    pub(crate) fn identity(&self, soul: &Soul) -> AgentIdentity {
        AgentIdentity { id: soul.id().to_owned(), named: self.named.clone(), folder: self.folder() }
    }

    /// Where its skills are looked for: beside it, in the state folder if the caller wants it, among the standard ones.
    pub(crate) fn sources(&self, state: Option<&StateFolder>) -> SkillSources {
        sources(&self.folder(), state.map(StateFolder::path))
    }
}

/// Where the skills of the agent in this folder are looked for: beside it, in the state folder if the caller wants it, among
/// the standard ones.
pub(crate) fn sources(folder: &Path, state: Option<&Path>) -> SkillSources {
    let mut sources = SkillSources::new().with(Origin::Agent, folder.join("skills"));
    if let Some(state) = state {
        sources = sources.with(Origin::State, state.join("skills"));
    }
    if let Some(standard) = standard::skills() {
        sources = sources.with(Origin::Standard, standard);
    }
    sources
}

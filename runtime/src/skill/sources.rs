//! Where the skill that SOUL.md names is found: beside the agent, then in the state folder, then among the standard
//! ones that come with the program. The first place that has the folder decides, usable or not: a broken skill
//! beside the agent is never quietly replaced by another of the same name.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::skill::folder::{FolderError, SkillFolder};

/// Which place a skill came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `skills/NAME/` beside the agent's SOUL.md.
    Agent,
    /// `skills/NAME/` in the state folder.
    State,
    /// Shipped with the program.
    Standard,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Agent => "beside SOUL.md",
            Self::State => "state folder",
            Self::Standard => "standard",
        })
    }
}

/// The places to look, in order.
#[derive(Debug, Clone, Default)]
pub struct SkillSources {
    places: Vec<(Origin, PathBuf)>,
}

/// A skill and where it was.
#[derive(Debug)]
#[non_exhaustive]
pub struct Found {
    /// The place.
    pub origin: Origin,
    /// The skill.
    pub folder: SkillFolder,
}

/// Why a skill cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// In none of the places.
    #[error("no skill `{name}` in {}", shown(places))]
    Missing {
        /// The name looked for.
        name: String,
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// There, and unusable.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

fn shown(places: &[PathBuf]) -> String {
    let shown: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
    shown.join(", ")
}

impl SourceError {
    /// What to do: where a missing skill's folder would be found first.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { name, places } => places
                .first()
                .map(|place| format!("put the skill's folder at `{}`", place.join(name).display())),
            Self::Folder(_) => None,
        }
    }
}

impl SkillSources {
    /// No places yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder that holds skill folders, to be looked at after those before it.
    #[must_use]
    pub fn with(mut self, origin: Origin, skills: impl Into<PathBuf>) -> Self {
        self.places.push((origin, skills.into()));
        self
    }

    /// Where the skill of this name is, unread: the first place that has anything of the name.
    #[must_use]
    pub fn locate(&self, name: &str) -> Option<(Origin, PathBuf)> {
        let found = self.places.iter().map(|(origin, place)| (*origin, place.join(name)));
        found.into_iter().find(|(_, path)| exists(path))
    }

    /// The paths at which the skill of this name would be found, in order.
    pub fn paths(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.places.iter().map(move |(_, place)| place.join(name))
    }

    /// Finds and reads the skill of this name, which is a slug and so no path.
    ///
    /// # Errors
    ///
    /// It is nowhere, or the first place that has it has it broken.
    pub fn find(&self, name: &str) -> Result<Found, SourceError> {
        if let Some((origin, path)) = self.locate(name) {
            return Ok(Found { origin, folder: SkillFolder::read(&path)? });
        }
        let places = self.places.iter().map(|(_, place)| place.clone()).collect();
        Err(SourceError::Missing { name: name.to_owned(), places })
    }
}

/// Whether anything has this name, a dangling link too.
fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

//! What lies around the granted directories anyhow, and must not be reached: the machine's own files, the agent's folder, the
//! state folder, the operator's home, neighbours, other skills' directories. Nothing is put anywhere to be found.

use std::fs;
use std::path::{Path, PathBuf};

use super::walk::{Kind, entries};
use crate::redteam::scratch::Given;

/// Places of every machine.
const MACHINE: [&str; 5] = ["/", "/etc", "/etc/passwd", "/proc/self/environ", "/proc/self/maps"];
/// In an agent's folder, and in a home.
const AGENT: [&str; 4] = ["", "SOUL.md", ".env", "skills"];
const HOME: [&str; 4] = ["", ".ssh", ".bashrc", ".config"];
/// So many neighbours of a directory, and so many entries of the state folder.
const NEIGHBOURS: usize = 6;

/// Where to look.
pub(super) struct Around<'a> {
    /// The agent's folder.
    pub(super) folder: &'a Path,
    /// The state folder.
    pub(super) state: &'a Path,
    /// The operator's home.
    pub(super) home: Option<&'a Path>,
    /// What the skill was given.
    pub(super) given: &'a [Given],
    /// What other skills of the agent were given.
    pub(super) others: &'a [Given],
}

impl Around<'_> {
    /// Everything that is there and that the skill may not reach, by absolute paths, each once.
    pub(super) fn landmarks(&self) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = MACHINE.iter().map(PathBuf::from).collect();
        all.extend(AGENT.iter().map(|name| self.folder.join(name)));
        all.push(self.state.to_owned());
        all.extend(below(self.state, NEIGHBOURS));
        all.extend(self.home.iter().flat_map(|home| HOME.iter().map(|name| home.join(name))));
        for given in self.given {
            all.extend(neighbours(&given.at));
        }
        for other in self.others {
            all.push(other.at.clone());
            all.extend(below(&other.at, 1));
        }
        let mut found: Vec<PathBuf> = Vec::new();
        for path in all {
            // As it is written it may go through links; without `/` at its end it is one spelling more.
            let path: PathBuf = path.components().collect();
            if self.is_outside(&path) && path.to_str().is_some() && !found.contains(&path) {
                found.push(path);
            }
        }
        found
    }

    /// Whether it is there, can be opened without changing anything, and is in no directory that the skill was given.
    fn is_outside(&self, path: &Path) -> bool {
        let Ok(real) = fs::canonicalize(path) else { return false };
        let opens = fs::metadata(&real).is_ok_and(|metadata| Kind::of(&metadata) != Kind::Special);
        opens && !self.given.iter().any(|given| real.starts_with(&given.at))
    }
}

/// What is above a directory and beside it, names that begin like its own first.
fn neighbours(at: &Path) -> Vec<PathBuf> {
    let (Some(above), Some(name)) = (at.parent(), at.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    let mut beside = entries(above);
    beside.retain(|other| other != name);
    beside.sort_by_key(|other| !other.to_string_lossy().starts_with(name));
    let beside = beside.into_iter().take(NEIGHBOURS).map(|other| above.join(other));
    std::iter::once(above.to_owned()).chain(beside).collect()
}

fn below(directory: &Path, most: usize) -> Vec<PathBuf> {
    entries(directory).into_iter().take(most).map(|name| directory.join(name)).collect()
}

//! An agent's folder, read once, to be accepted or not: what is displayed is what is stored is what is trusted.
//!
//! The rule: after [`Candidate::read`] nothing of the folder is read again. Whatever changes in it from then on is no part of
//! what the operator says yes to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use soulbound_runtime::Soul;
use soulbound_runtime::sandbox::Runtime;
use soulbound_runtime::sandbox::files::Born;
use soulbound_runtime::skill::Digest;
use soulbound_runtime::soul::{ReadError, bytes_of};

use super::change::{Amounts, Change};
use super::manifest::{Manifest, TrustedSkill};
use super::store::Store;
use super::trusted::Trusted;
use crate::agent::SoulFile;
use crate::review::Review;
use crate::settings::Settings;
use crate::state::StateFolder;

/// An agent's folder as it was at one moment.
pub(crate) struct Candidate {
    /// The folder, without links.
    pub(crate) folder: PathBuf,
    /// What is in it, and what is wrong with it.
    pub(crate) review: Review,
    bytes: Vec<u8>,
    accepted: Option<(Manifest, Digest)>,
}

impl Candidate {
    /// Reads an agent's folder, or the folder of the SOUL.md that is named.
    pub(crate) fn read(
        folder: &Path,
        state: &StateFolder,
        settings: Settings,
        start: impl FnOnce(Settings) -> Result<Runtime>,
    ) -> Result<Self> {
        let named = folder.display();
        let folder = match folder.file_name() {
            Some(name) if name == "SOUL.md" && !folder.is_dir() => folder.parent().unwrap_or(folder),
            _ => folder,
        };
        // Once: from here on there is one folder, whatever a link on the way to it leads to later.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = std::fs::canonicalize(folder).with_context(|| {
            format!("`{named}` cannot be found\n  hint: name the folder that holds a SOUL.md")
        })?;
        let path = folder.join("SOUL.md");
        let file = SoulFile { named: path.display().to_string(), path: path.clone() };
        let (bytes, parsed) = match bytes_of(&path) {
            Ok(bytes) => {
                let parsed = Soul::parse("SOUL.md", &bytes);
                (bytes, parsed)
            }
            Err(ReadError::Content(errors)) => (Vec::new(), Err(errors)),
            Err(error) => return Err(error.into()),
        };
        let mut review = Review::of_file(parsed);
        review.bind_all(&file, state, settings, start)?;
        let accepted = match &review.soul {
            Some(soul) if review.is_clean() => {
                let manifest = manifest(soul, Digest::of(&bytes), &review);
                let digest = manifest.digest()?;
                Some((manifest, digest))
            }
            _ => None,
        };
        Ok(Self { folder, review, bytes, accepted })
    }

    /// What would be trusted, and its digest; none while there are errors.
    pub(crate) fn manifest(&self) -> Option<(&Manifest, Digest)> {
        self.accepted.as_ref().map(|(manifest, digest)| (manifest, *digest))
    }

    /// SOUL.md as it was read.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes
    }

    /// Keeps every byte of it, the manifest last. Trusts nothing.
    pub(crate) fn store(&self, store: &Store) -> Result<Digest> {
        let Some((manifest, digest)) = self.manifest() else { bail!("a folder with errors is not stored") };
        store.put(&self.bytes)?;
        for skill in &self.review.skills {
            for (_, bytes) in skill.folder.files() {
                store.put(bytes)?;
            }
        }
        store.put(&manifest.bytes()?)?;
        Ok(digest)
    }

    /// What would change for an agent if this were trusted.
    pub(crate) fn changes(&self, trusted: &Trusted) -> Vec<Change> {
        let (Some(soul), Some((manifest, _))) = (&self.review.soul, self.manifest()) else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        if manifest.soul != trusted.manifest.soul {
            changes.push(Change::of_file(None, "SOUL.md", Some(trusted.manifest.soul), Some(manifest.soul)));
            let differences = trusted.soul.differences(soul, &trusted.folder);
            changes.extend(differences.into_iter().map(Change::from));
        }
        for skill in &manifest.skills {
            if let Some(old) = trusted.manifest.skill(&skill.name) {
                changes.extend(old.file_changes(skill));
                changes.extend(moved(old, skill));
            }
        }
        changes
    }
}

fn manifest(soul: &Soul, digest: Digest, review: &Review) -> Manifest {
    let skills = review
        .skills
        .iter()
        .map(|skill| TrustedSkill::of(&skill.name, skill.origin, &skill.folder, &skill.opened))
        .collect();
    Manifest::new(soul.id(), digest, skills)
}

/// Directories of one name that are others now.
fn moved(old: &TrustedSkill, new: &TrustedSkill) -> Vec<Change> {
    let of = |directory: &super::manifest::TrustedDirectory| {
        format!("{} (device {}, inode {})", directory.real.display(), directory.device, directory.inode)
    };
    let pairs = new.directories.iter().filter_map(|new| {
        let old = old.directories.iter().find(|old| old.path == new.path && *old != new)?;
        let is_numbered_alike = (&old.real, old.device, old.inode) == (&new.real, new.device, new.inode);
        if is_numbered_alike && Born::agree(old.born, new.born) {
            return None;
        }
        Some(match is_numbered_alike {
            true => {
                format!("`{}` leads to another directory, made later in the place of {}", new.path, of(old))
            }
            false => format!("`{}` leads to {}, and led to {}", new.path, of(new), of(old)),
        })
    });
    pairs.map(|text| Change::new(Amounts::Widening, Some(&new.name), &text)).collect()
}

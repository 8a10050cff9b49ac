//! A skill's folder, read once into memory: what is checked, hashed and shown is what runs.
//!
//! Here its files become a skill, wherever they come from: from disk ([`files`]), or from a store of trusted bytes.

use std::path::{Path, PathBuf};

use crate::skill::bytes::{self, COMPONENT_BYTES, Digest, NotAComponent};
use crate::skill::files::{self, FolderFile};
use crate::skill::manifest::{Manifest, ManifestError};

/// The texts of one `wit/` folder together, in bytes.
const WIT_BYTES: u64 = 1 << 20;
/// Files in one `wit/` folder.
const WIT_FILES: usize = 128;

/// A skill as it lies on disk.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SkillFolder {
    /// The folder.
    pub path: PathBuf,
    /// The front matter of its `SKILL.md`; none for a bare component.
    pub manifest: Option<Manifest>,
    /// The component's file.
    pub component_path: PathBuf,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// SHA-256 of [`SkillFolder::component`].
    pub digest: Digest,
    /// The texts below `wit/`: path within it, content. Sorted by path.
    pub wit: Vec<(String, String)>,
    /// All files but the component.
    beside: Vec<FolderFile>,
}

/// Why a skill's folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file or the folder itself cannot be read.
    #[error("`{path}` cannot be read: {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A FIFO, a device, a directory or a link where a file is expected.
    #[error("`{0}` is not a regular file")]
    NotAFile(PathBuf),
    /// Over the limit for its kind.
    #[error("`{path}` has more than {limit} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// No component.
    #[error("`{0}` holds no `*.wasm`; build the skill and put its component there")]
    NoComponent(PathBuf),
    /// More than one component.
    #[error("`{folder}` holds more than one `*.wasm`: {found}; keep one")]
    SeveralComponents {
        /// Where.
        folder: PathBuf,
        /// Their names.
        found: String,
    },
    /// The file is not a component.
    #[error("`{path}`: {error}")]
    NotAComponent {
        /// Which.
        path: PathBuf,
        /// What it is instead.
        error: NotAComponent,
    },
    /// `SKILL.md` is unusable.
    #[error("`{path}`: {error}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        error: ManifestError,
    },
    /// More files, folders or levels than a skill may have, or one path twice.
    #[error("`{folder}` holds more than {limit} files or folders, or too deep ones; a skill is small")]
    TooMany {
        /// Where.
        folder: PathBuf,
        /// How many files, and how many folders, there may be.
        limit: usize,
    },
    /// A name that is not UTF-8, or that nobody can see.
    #[error("`{path}` has a name that cannot be shown; rename it")]
    Name {
        /// Which.
        path: PathBuf,
    },
    /// Folder, `name` in `SKILL.md` and slug differ.
    #[error("the folder is `{folder}`, its `SKILL.md` says `name: {name}`; the two are one")]
    OtherName {
        /// The folder's name.
        folder: String,
        /// The manifest's.
        name: String,
    },
    /// A text of `wit/` is not UTF-8, or there are too many.
    #[error("`{path}`: {message}")]
    Wit {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

impl SkillFolder {
    /// Reads a skill's folder: `SKILL.md`, the one `*.wasm`, `wit/`, and every other file.
    ///
    /// # Errors
    ///
    /// What is missing, doubled or unreadable.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        Self::from_files(path, files::read(path)?)
    }

    /// Makes a skill of a folder's files as they were read before, under the same checks. `path` is where they were, or
    /// what messages are to call it; its last component is the skill's name.
    ///
    /// # Errors
    ///
    /// What is missing, doubled or no part of a skill.
    pub fn from_files(path: &Path, mut all: Vec<FolderFile>) -> Result<Self, FolderError> {
        all.sort_by(|one, other| one.path.cmp(&other.path));
        if let Some(odd) = all.iter().find(|file| !files::is_path(&file.path)) {
            return Err(FolderError::Name { path: path.join(&odd.path) });
        }
        if all.len() > files::FILES || all.windows(2).any(|pair| matches!(pair, [a, b] if a.path == b.path)) {
            return Err(FolderError::TooMany { folder: path.to_owned(), limit: files::FILES });
        }
        let manifest = read_manifest(path, &all)?;
        let folder = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if folder != manifest.name {
            return Err(FolderError::OtherName { folder: folder.to_owned(), name: manifest.name });
        }
        let top: Vec<String> =
            all.iter().filter(|file| !file.path.contains('/')).map(|file| file.path.clone()).collect();
        let component_name = files::one_component(path, &top)?;
        let (component, beside): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|file| file.path == component_name);
        let component = component.into_iter().next().map(|file| file.bytes).unwrap_or_default();
        let component_path = path.join(component_name);
        bytes::recognise(&component)
            .map_err(|error| FolderError::NotAComponent { path: component_path.clone(), error })?;
        Ok(Self {
            path: path.to_owned(),
            manifest: Some(manifest),
            component_path,
            digest: Digest::of(&component),
            component,
            wit: wit(path, &beside)?,
            beside,
        })
    }

    /// Reads a bare component, with nothing beside it.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no component.
    pub fn read_bare(path: &Path) -> Result<Self, FolderError> {
        let component = files::read_file(path, COMPONENT_BYTES)?;
        bytes::recognise(&component)
            .map_err(|error| FolderError::NotAComponent { path: path.to_owned(), error })?;
        Ok(Self {
            path: path.parent().unwrap_or(path).to_owned(),
            manifest: None,
            component_path: path.to_owned(),
            digest: Digest::of(&component),
            component,
            wit: Vec::new(),
            beside: Vec::new(),
        })
    }

    /// The files below `schemas/`: path within the folder, bytes. Sorted by path.
    pub(crate) fn schemas(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.beside.iter().filter(|file| file.path.starts_with("schemas/"));
        files.map(|file| (file.path.as_str(), file.bytes.as_slice()))
    }

    /// Every file of the skill: its path within the folder with `/`, and its bytes. Sorted by path.
    #[must_use]
    pub fn files(&self) -> Vec<(&str, &[u8])> {
        let name = self.component_path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut files: Vec<(&str, &[u8])> =
            self.beside.iter().map(|file| (file.path.as_str(), file.bytes.as_slice())).collect();
        files.push((name, &self.component));
        files.sort_by_key(|(path, _)| *path);
        files
    }
}

fn read_manifest(folder: &Path, files: &[FolderFile]) -> Result<Manifest, FolderError> {
    let path = folder.join("SKILL.md");
    let Some(file) = files.iter().find(|file| file.path == "SKILL.md") else {
        let error = std::io::Error::from(rustix::io::Errno::NOENT);
        return Err(FolderError::Io { path, error });
    };
    let error = |error| FolderError::Manifest { path: path.clone(), error };
    let text = std::str::from_utf8(&file.bytes)
        .map_err(|bad| error(ManifestError::Yaml(format!("it is not UTF-8: {bad}"))))?;
    Manifest::parse(text).map_err(error)
}

/// The `*.wit` of `wit/` and of `wit/deps/NAME/` (or `wit/deps/NAME.wit`).
fn wit(folder: &Path, files: &[FolderFile]) -> Result<Vec<(String, String)>, FolderError> {
    let (mut texts, mut total) = (Vec::new(), 0_u64);
    for file in files {
        let Some(name) = file.path.strip_prefix("wit/").filter(|name| name.ends_with(".wit")) else {
            continue;
        };
        let place: Vec<&str> = name.split('/').collect();
        if !matches!(place.as_slice(), [_] | ["deps", _] | ["deps", _, _]) {
            continue;
        }
        total += file.bytes.len() as u64;
        let wit = |message: String| FolderError::Wit { path: folder.join(&file.path), message };
        if total > WIT_BYTES || texts.len() >= WIT_FILES {
            return Err(wit(format!("`wit/` holds more than {WIT_FILES} files or {WIT_BYTES} bytes")));
        }
        let text = std::str::from_utf8(&file.bytes).map_err(|bad| wit(format!("it is not UTF-8: {bad}")))?;
        texts.push((name.to_owned(), text.to_owned()));
    }
    texts.sort();
    Ok(texts)
}

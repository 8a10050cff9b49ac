//! A skill's folder, read once into memory: what is checked, hashed and shown is what runs.
//!
//! Files are opened without following links and without waiting, and only regular ones are read: the folder may have
//! come from an archive that somebody else packed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::skill::bytes::{self, COMPONENT_BYTES, Digest, NotAComponent};
use crate::skill::manifest::{MANIFEST_BYTES, Manifest, ManifestError};

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
    /// Folder, `name` in `SKILL.md` and slug differ.
    #[error("the folder is `{folder}`, its `SKILL.md` says `name: {name}`; the two are one")]
    Name {
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
    /// Reads a skill's folder: `SKILL.md`, the one `*.wasm`, and `wit/`.
    ///
    /// # Errors
    ///
    /// What is missing, doubled or unreadable.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        let manifest = read_manifest(&path.join("SKILL.md"))?;
        let folder = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if folder != manifest.name {
            return Err(FolderError::Name { folder: folder.to_owned(), name: manifest.name });
        }
        let component_path = the_component(path)?;
        let mut skill = Self::read_bare(&component_path)?;
        skill.path = path.to_owned();
        skill.wit = read_wit(&path.join("wit"))?;
        skill.manifest = Some(manifest);
        Ok(skill)
    }

    /// Reads a bare component, with nothing beside it.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no component.
    pub fn read_bare(path: &Path) -> Result<Self, FolderError> {
        let component = read_regular(path, COMPONENT_BYTES)?;
        bytes::recognise(&component)
            .map_err(|error| FolderError::NotAComponent { path: path.to_owned(), error })?;
        Ok(Self {
            path: path.parent().unwrap_or(path).to_owned(),
            manifest: None,
            component_path: path.to_owned(),
            digest: Digest::of(&component),
            component,
            wit: Vec::new(),
        })
    }
}

fn read_manifest(path: &Path) -> Result<Manifest, FolderError> {
    let bytes = read_regular(path, MANIFEST_BYTES)?;
    let error = |error| FolderError::Manifest { path: path.to_owned(), error };
    let text = std::str::from_utf8(&bytes)
        .map_err(|bad| error(ManifestError::Yaml(format!("it is not UTF-8: {bad}"))))?;
    Manifest::parse(text).map_err(error)
}

fn the_component(folder: &Path) -> Result<PathBuf, FolderError> {
    let mut found: Vec<PathBuf> = entries(folder)?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|ext| ext == "wasm"))
        .collect();
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(FolderError::NoComponent(folder.to_owned())),
        (Some(one), true) => Ok(one),
        (Some(one), false) => {
            found.push(one);
            let names: Vec<String> = found
                .iter()
                .map(|path| format!("`{}`", path.file_name().unwrap_or_default().to_string_lossy()))
                .collect();
            Err(FolderError::SeveralComponents { folder: folder.to_owned(), found: names.join(", ") })
        }
    }
}

/// The entries of a folder, sorted. Hidden ones are no part of a skill.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let io = |error| FolderError::Io { path: folder.to_owned(), error };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)?.take(10_000) {
        let entry = entry.map_err(io)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The `*.wit` of `wit/` and of `wit/deps/NAME/` (or `wit/deps/NAME.wit`); none when there is no such folder.
fn read_wit(folder: &Path) -> Result<Vec<(String, String)>, FolderError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders = vec![folder.to_owned()];
    let deps = folder.join("deps");
    if deps.is_dir() {
        folders.extend(entries(&deps)?.into_iter().filter(|path| path.is_dir()));
        folders.push(deps);
    }
    let (mut texts, mut total) = (Vec::new(), 0_u64);
    for folder_path in folders {
        for path in
            entries(&folder_path)?.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "wit"))
        {
            let bytes = read_regular(&path, WIT_BYTES)?;
            total += bytes.len() as u64;
            let wit = |message: String| FolderError::Wit { path: path.clone(), message };
            if total > WIT_BYTES || texts.len() >= WIT_FILES {
                return Err(wit(format!("`wit/` holds more than {WIT_FILES} files or {WIT_BYTES} bytes")));
            }
            let text = String::from_utf8(bytes).map_err(|bad| wit(format!("it is not UTF-8: {bad}")))?;
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            texts.push((name, text));
        }
    }
    texts.sort();
    Ok(texts)
}

/// Reads a regular file of at most `limit` bytes. A FIFO does not block, a link is not followed.
pub(crate) fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, FolderError> {
    let io = |error: std::io::Error| FolderError::Io { path: path.to_owned(), error };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO) => {
            return Err(FolderError::NotAFile(path.to_owned()));
        }
        Err(error) => return Err(io(error.into())),
    };
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(FolderError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or_default() + 1);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(FolderError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

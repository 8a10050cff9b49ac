//! Every file of a skill's folder, read once into memory: what is hashed, shown, stored and bound are these bytes.
//!
//! The folder may have come from an archive that somebody else packed, or be changed while it is read. So each entry is
//! opened from its folder's handle without following links and without waiting, and everything is counted. Names that
//! start with a dot are no part of a skill; whatever else is no regular file or folder refuses it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::bytes::COMPONENT_BYTES;
use super::folder::FolderError;
use super::manifest::MANIFEST_BYTES;
use crate::visible;

/// Files, and folders, of one skill.
pub const FILES: usize = 512;
/// All files of a skill beside its component, in bytes.
pub const BESIDE_BYTES: u64 = 16 << 20;
/// Names in one folder that are looked at, hidden ones too: more are an error, never passed over.
const NAMES: usize = 10_000;
/// How deep folders lie in one another.
const DEPTH: usize = 16;

/// One file of a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFile {
    /// The path within the folder, with `/`; no component of it starts with a dot.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Reads all files below a folder, sorted by path.
pub(super) fn read(folder: &Path) -> Result<Vec<FolderFile>, FolderError> {
    // The folder itself may be a link: an operator can keep skills elsewhere. Nothing in it may.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let handle = rustix::fs::openat(CWD, folder, flags, Mode::empty()).map_err(|error| at(folder, error))?;
    let mut reading = Reading { folder, files: Vec::new(), folders: 0, left: BESIDE_BYTES };
    reading.folder(&handle, "", 0)?;
    reading.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(reading.files)
}

struct Reading<'a> {
    folder: &'a Path,
    files: Vec<FolderFile>,
    folders: usize,
    left: u64,
}

impl Reading<'_> {
    fn folder(&mut self, handle: &OwnedFd, below: &str, depth: usize) -> Result<(), FolderError> {
        let names = names(handle, &self.folder.join(below))?;
        // Known before the first of them is read. That there is none is said later, after what SKILL.md lacks.
        if depth == 0 && names.iter().filter(|name| is_component(name)).count() > 1 {
            one_component(self.folder, &names)?;
        }
        for name in names {
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            self.entry(handle, &path, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, parent: &OwnedFd, path: &str, depth: usize) -> Result<(), FolderError> {
        let shown = self.folder.join(path);
        let name = path.rsplit('/').next().unwrap_or(path);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let handle = match rustix::fs::openat(parent, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::LOOP | Errno::NXIO) => return Err(FolderError::NotAFile(shown)),
            Err(error) => return Err(at(&shown, error)),
        };
        let stat = rustix::fs::fstat(&handle).map_err(|error| at(&shown, error))?;
        let is_component = depth == 0 && is_component(name);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if !is_component && path != "SKILL.md" => {
                self.folders += 1;
                if self.folders > FILES || depth == DEPTH {
                    return Err(self.too_many());
                }
                self.folder(&handle, path, depth + 1)
            }
            FileType::RegularFile => {
                if self.files.len() == FILES {
                    return Err(self.too_many());
                }
                let limit = match path {
                    _ if is_component => COMPONENT_BYTES,
                    "SKILL.md" => MANIFEST_BYTES,
                    _ => self.left,
                };
                let bytes = bytes(File::from(handle), &shown, limit)?;
                if !is_component {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                }
                self.files.push(FolderFile { path: path.to_owned(), bytes });
                Ok(())
            }
            _ => Err(FolderError::NotAFile(shown)),
        }
    }

    fn too_many(&self) -> FolderError {
        FolderError::TooMany { folder: self.folder.to_owned(), limit: FILES }
    }
}

/// Whether a name at the top of a folder is a component's.
pub(super) fn is_component(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "wasm")
}

/// The name of the one component among the names at a folder's top.
pub(super) fn one_component<'a>(folder: &Path, names: &'a [String]) -> Result<&'a str, FolderError> {
    let found: Vec<&String> = names.iter().filter(|name| is_component(name)).collect();
    match found.as_slice() {
        [] => Err(FolderError::NoComponent(folder.to_owned())),
        [one] => Ok(one),
        several => {
            let shown: Vec<String> =
                several.iter().map(|name| format!("`{}`", visible::line(name))).collect();
            Err(FolderError::SeveralComponents { folder: folder.to_owned(), found: shown.join(", ") })
        }
    }
}

/// The names in a folder, sorted, without hidden ones.
fn names(handle: &OwnedFd, shown: &Path) -> Result<Vec<String>, FolderError> {
    let mut names = Vec::new();
    for (count, entry) in Dir::read_from(handle).map_err(|error| at(shown, error))?.enumerate() {
        let entry = entry.map_err(|error| at(shown, error))?;
        if count > NAMES {
            return Err(FolderError::TooMany { folder: shown.to_owned(), limit: FILES });
        }
        let name = entry.file_name().to_bytes();
        if name.starts_with(b".") {
            continue;
        }
        let name = std::str::from_utf8(name)
            .map_err(|_| FolderError::Name { path: shown.join(OsStr::from_bytes(name)) })?;
        // A name that cannot be seen could not be shown to whoever is asked to trust it.
        if name.chars().any(visible::is_invisible) {
            return Err(FolderError::Name { path: shown.join(name) });
        }
        names.push(name.to_owned());
    }
    names.sort();
    Ok(names)
}

/// Whether a path could have come from [`read`].
pub(super) fn is_path(path: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('.');
    path.split('/').all(is_name)
        && path.split('/').count() <= DEPTH + 1
        && !path.chars().any(visible::is_invisible)
}

/// Reads an opened regular file of at most `limit` bytes.
fn bytes(file: File, path: &Path, limit: u64) -> Result<Vec<u8>, FolderError> {
    let io = |error: std::io::Error| FolderError::Io { path: path.to_owned(), error };
    let length = file.metadata().map_err(io)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(limit)).unwrap_or_default() + 1);
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(FolderError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// Reads a regular file of at most `limit` bytes. A FIFO does not block, a link is not followed.
///
/// # Errors
///
/// It is no regular file, is larger, or cannot be read.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, FolderError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP | Errno::NXIO) => return Err(FolderError::NotAFile(path.to_owned())),
        Err(error) => return Err(at(path, error)),
    };
    let is_file =
        file.metadata().map_err(|error| FolderError::Io { path: path.to_owned(), error })?.is_file();
    if is_file { bytes(file, path, limit) } else { Err(FolderError::NotAFile(path.to_owned())) }
}

fn at(path: &Path, error: Errno) -> FolderError {
    FolderError::Io { path: PathBuf::from(path), error: error.into() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn house() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.wasm"), b"\0asm\x0d\0\x01\0").unwrap();
        fs::write(folder.path().join("SKILL.md"), "x").unwrap();
        folder
    }

    #[test]
    fn every_file_is_read_but_hidden_ones() {
        let folder = house();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::create_dir_all(folder.path().join(".git")).unwrap();
        for path in ["a/b/c.txt", "a/z.wasm", ".git/config", ".hidden", "README.md"] {
            fs::write(folder.path().join(path), path).unwrap();
        }
        let files = read(folder.path()).unwrap();
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["README.md", "SKILL.md", "a/b/c.txt", "a/z.wasm", "s.wasm"]);
        assert!(paths.iter().all(|path| is_path(path)));
    }

    #[test]
    fn a_link_anywhere_refuses_the_folder() {
        let folder = house();
        fs::create_dir(folder.path().join("a")).unwrap();
        symlink("/etc", folder.path().join("a/etc")).unwrap();
        assert!(matches!(read(folder.path()), Err(FolderError::NotAFile(path)) if path.ends_with("a/etc")));
    }

    #[test]
    fn a_flood_of_files_ends_early_hidden_ones_too() {
        for (prefix, count) in [("f", FILES), (".f", NAMES)] {
            let folder = house();
            for number in 0..count {
                fs::write(folder.path().join(format!("{prefix}{number}")), "").unwrap();
            }
            assert!(matches!(read(folder.path()), Err(FolderError::TooMany { .. })), "{prefix}");
        }
    }

    #[test]
    fn the_limits_on_bytes_and_depth_hold() {
        let folder = house();
        let file = File::create(folder.path().join("large")).unwrap();
        file.set_len(BESIDE_BYTES + 1).unwrap();
        assert!(matches!(read(folder.path()), Err(FolderError::TooLarge { .. })));
        fs::remove_file(folder.path().join("large")).unwrap();
        fs::create_dir_all(folder.path().join("d/".repeat(DEPTH + 1))).unwrap();
        assert!(matches!(read(folder.path()), Err(FolderError::TooMany { .. })));
    }

    #[test]
    fn what_no_folder_could_hold_is_no_path() {
        for path in ["", "/", "/a", "a/", "a//b", ".a", "a/../b", "a/.b", "a\n", "a\u{202e}b"] {
            assert!(!is_path(path), "{path:?}");
        }
    }
}

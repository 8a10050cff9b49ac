//! `save`: a whole file at once. The rule: where the grant allows it, a reader finds the old content or the
//! new, never a part of either, and a failed save leaves the old. Where the host holds back what is written until it was
//! judged, it does just that itself, and this writes to the one name that it is about: a person is asked once.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hasher};
use std::io::{ErrorKind, Write};

use granted::{DirectoryMode, Failure, Kind, mode_of, quoted};

use crate::bindings::Written;
use crate::path::{name_of, plain};

/// Most file systems end names here, in bytes.
const LONGEST_NAME: usize = 255;

/// Attempts at a name for the unfinished file that is not taken.
const ATTEMPTS: u32 = 8;

/// Writes `content` as the whole of `path`.
pub(crate) fn save(path: &str, content: &str) -> Result<Written, Failure> {
    let path = plain(path)?;
    let created = match mode_of(&path) {
        // New files only: there is no rename over, and no second name to write to that could be removed.
        Some(DirectoryMode::Create) => create(&path, content)?,
        _ if granted::writes_are_held() => write(&path, content)?,
        _ => replace(&path, content)?,
    };
    Ok(Written { path, bytes: content.len() as u64, created })
}

/// Makes the new file `path`.
fn create(path: &str, content: &str) -> Result<bool, Failure> {
    let mut file = new_file(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::new(Kind::Exists, format!("{} exists; only new files were granted here", quoted(path)))
        }
        _ => failure_to_make(&error, path),
    })?;
    file.write_all(content.as_bytes()).map_err(|error| {
        let failure = failure_to_write(&error, path);
        Failure::new(
            failure.kind,
            format!("{}; a part of it may be there, and can't be removed here", failure.message),
        )
    })?;
    Ok(true)
}

/// Whether nothing is at `path` so far.
fn is_new(path: &str) -> Result<bool, Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(Failure::new(Kind::NotAFile, format!("{} is a directory; name a file in it", quoted(path))))
        }
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(Failure::from_io(&error, path)),
    }
}

/// Writes `path` itself, which the host puts in place as a whole, or leaves as it is.
fn write(path: &str, content: &str) -> Result<bool, Failure> {
    let created = is_new(path)?;
    let mut options = OpenOptions::new();
    let opened = options.write(true).truncate(true).create(true).open(path);
    let mut file = opened.map_err(|error| failure_to_make(&error, path))?;
    // Judged here, where the answer can be told.
    let done = file.write_all(content.as_bytes()).and_then(|()| file.sync_data());
    done.map_err(|error| match granted::kind_of(&error) {
        ErrorKind::PermissionDenied => failure_refused(path),
        _ => failure_to_write(&error, path),
    })?;
    Ok(created)
}

/// Writes a file beside `path` and gives it that name.
fn replace(path: &str, content: &str) -> Result<bool, Failure> {
    let created = is_new(path)?;
    let (unfinished, mut file) =
        unfinished_beside(path, content).map_err(|error| failure_to_make(&error, path))?;
    let done = file.write_all(content.as_bytes()).and_then(|()| {
        drop(file);
        fs::rename(&unfinished, path)
    });
    done.map_err(|error| {
        let failure = failure_to_write(&error, path);
        // What was refused may have been taken back by the host; only what is still there was left.
        if fs::remove_file(&unfinished).is_err() && fs::symlink_metadata(&unfinished).is_ok() {
            return Failure::new(
                failure.kind,
                format!("{}; {} was left", failure.message, quoted(&unfinished)),
            );
        }
        failure
    })?;
    Ok(created)
}

/// A new file beside `path`, under a name of its own. The name can't start with `.`: such names don't exist
/// in a grant.
fn unfinished_beside(path: &str, content: &str) -> std::io::Result<(String, File)> {
    let mut attempt = 0;
    loop {
        let unfinished = unfinished_name(path, content, attempt);
        match new_file(&unfinished) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
            Ok(file) => return Ok((unfinished, file)),
        }
    }
}

/// Such as `/drafts/report.md.unfinished-18f3a` for `/drafts/report.md`. From the content: where a person is asked before
/// a file is made, the same save asks the same, and what they said about it holds.
fn unfinished_name(path: &str, content: &str, attempt: u32) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(content.as_bytes());
    let ending = format!(".unfinished-{:x}", (hasher.finish() as u32).wrapping_add(attempt));
    let name = name_of(path);
    let directory = path.strip_suffix(name).unwrap_or_default();
    format!("{directory}{}{ending}", granted::cut(name, LONGEST_NAME - ending.len()))
}

/// What the file system answered for a file that is not there yet.
pub(crate) fn failure_to_make(error: &std::io::Error, path: &str) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => Failure::no_directory_for(path),
        _ => Failure::from_io(error, path),
    }
}

/// What the file system answered for a file that is open: it is there, so 'no such entry' is the host's refusal (of the
/// content, or by a person), and says nothing of what is at `path`.
pub(crate) fn failure_to_write(error: &std::io::Error, path: &str) -> Failure {
    match error.kind() {
        ErrorKind::NotFound => failure_refused(path),
        _ => Failure::from_io(error, path),
    }
}

fn failure_refused(path: &str) -> Failure {
    Failure::new(Kind::Denied, format!("the write of {} was refused", quoted(path)))
}

fn new_file(path: &str) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unfinished_file_lies_beside_and_is_not_hidden() {
        let name = unfinished_name("/drafts/report.md", "a", 0);
        assert_eq!(name, unfinished_name("/drafts/report.md", "a", 0));
        assert_ne!(name, unfinished_name("/drafts/report.md", "b", 0));
        assert!(name.starts_with("/drafts/report.md.unfinished-"));
        let long = unfinished_name(&format!("/drafts/{}", "ü".repeat(127)), "a", 0);
        assert!(name_of(&long).len() <= LONGEST_NAME && long.starts_with("/drafts/ü"));
    }
}

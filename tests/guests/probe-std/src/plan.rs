//! A plan of file operations, taken by `std` alone: the same source inside the sandbox and outside of it.
//!
//! A step is a line: a verb, then its words. What is open stands in numbered slots. The rule: an answer holds nothing that
//! differs from one correct system to the next, such as an inode, an error's wording or the time of day.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Slots for open files.
pub(crate) const SLOTS: usize = 4;
/// Times before this, in seconds since 1970, were set by a plan; all others are «now».
const LONG_AGO: u64 = 1_000_000_000;

/// Takes the steps below a directory. Each one's answer, or the kind of its error.
pub(crate) fn take(base: &Path, steps: &[String]) -> Vec<String> {
    let mut plan = Plan { base, open: [const { None }; SLOTS] };
    steps
        .iter()
        .map(|step| match plan.step(step) {
            Ok(answer) => answer,
            Err(error) => name(&error),
        })
        .collect()
}

/// An error's kind. For two of them, some systems' `std` has no kind, and numbers differ.
fn name(error: &io::Error) -> String {
    let (not_empty, bad_descriptor) = if cfg!(target_family = "wasm") { (55, 8) } else { (39, 9) };
    match error.raw_os_error() {
        Some(number) if number == not_empty => "DirectoryNotEmpty".to_owned(),
        Some(number) if number == bad_descriptor => "BadDescriptor".to_owned(),
        _ => format!("{:?}", error.kind()),
    }
}

struct Open {
    file: File,
    appends: bool,
}

struct Plan<'a> {
    base: &'a Path,
    open: [Option<Open>; SLOTS],
}

fn unreadable() -> io::Error {
    io::Error::other("a step that is none")
}

fn number<T: std::str::FromStr>(word: &str) -> io::Result<T> {
    word.parse().map_err(|_| unreadable())
}

impl Plan<'_> {
    fn path(&self, name: &str) -> PathBuf {
        // Not `join` alone: what follows a `/` stays as it is written.
        PathBuf::from(format!("{}/{name}", self.base.display()))
    }

    fn file(&mut self, slot: &str) -> io::Result<&mut File> {
        let slot = self.open.get_mut(number::<usize>(slot)?).ok_or_else(unreadable)?;
        let open = slot.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
        Ok(&mut open.file)
    }

    /// Whether a file is only added to. wasi-libc keeps no position of its own for those: nothing may depend on it.
    fn appends(&self, slot: &str) -> io::Result<bool> {
        let open = self.open.get(number::<usize>(slot)?).ok_or_else(unreadable)?;
        Ok(open.as_ref().is_some_and(|open| open.appends))
    }

    fn step(&mut self, step: &str) -> io::Result<String> {
        let words: Vec<&str> = step.split(' ').collect();
        let done = |(): ()| "done".to_owned();
        match *words.as_slice() {
            ["open", slot, how, path] => {
                let has = |letter| how.contains(letter);
                let file = OpenOptions::new()
                    .read(has('r'))
                    .write(has('w'))
                    .append(has('a'))
                    .truncate(has('t'))
                    .create(has('c'))
                    .create_new(has('n'))
                    .open(self.path(path))?;
                if file.metadata()?.is_dir() {
                    return Ok("a directory".to_owned());
                }
                let open = Open { file, appends: has('a') };
                *self.open.get_mut(number::<usize>(slot)?).ok_or_else(unreadable)? = Some(open);
                Ok("open".to_owned())
            }
            ["close", slot] => {
                drop(self.open.get_mut(number::<usize>(slot)?).and_then(Option::take));
                Ok("closed".to_owned())
            }
            ["write", slot, text] => self.file(slot)?.write_all(text.as_bytes()).map(done),
            ["read", slot, count] => {
                // wasi-libc reads on where it last read, whatever was written since: so it is told where to.
                let at = if self.appends(slot)? { 0 } else { self.file(slot)?.stream_position()? };
                self.file(slot)?.seek(SeekFrom::Start(at))?;
                let mut bytes = Vec::new();
                self.file(slot)?.take(number(count)?).read_to_end(&mut bytes)?;
                Ok(bytes.escape_ascii().to_string())
            }
            ["seek", slot, from, by] => {
                let to = match from {
                    "start" => SeekFrom::Start(number(by)?),
                    "end" => SeekFrom::End(number(by)?),
                    _ if self.appends(slot)? => return Ok("no position".to_owned()),
                    _ => SeekFrom::Current(number(by)?),
                };
                let file = self.file(slot)?;
                match file.seek(to) {
                    Ok(place) => Ok(place.to_string()),
                    Err(error) => {
                        // wasi-libc forgets where it was when a seek fails.
                        file.rewind()?;
                        Err(error)
                    }
                }
            }
            ["resize", slot, size] => self.file(slot)?.set_len(number(size)?).map(done),
            ["sync", slot] => self.file(slot)?.sync_all().map(done),
            ["times", slot, seconds] => {
                let time = SystemTime::UNIX_EPOCH + Duration::from_secs(number(seconds)?);
                self.file(slot)?.set_times(FileTimes::new().set_accessed(time).set_modified(time)).map(done)
            }
            ["known", slot] => Ok(told(&self.file(slot)?.metadata()?)),
            ["stat", path] => Ok(told(&fs::metadata(self.path(path))?)),
            ["stat-link", path] => Ok(told(&fs::symlink_metadata(self.path(path))?)),
            ["get", path] => Ok(fs::read(self.path(path))?.escape_ascii().to_string()),
            ["put", path, text] => fs::write(self.path(path), text).map(done),
            ["copy", from, to] => Ok(fs::copy(self.path(from), self.path(to))?.to_string()),
            ["rename", from, to] => fs::rename(self.path(from), self.path(to)).map(done),
            ["remove", path] => fs::remove_file(self.path(path)).map(done),
            ["mkdir", path] => fs::create_dir(self.path(path)).map(done),
            ["mkdir-all", path] => fs::create_dir_all(self.path(path)).map(done),
            ["rmdir", path] => fs::remove_dir(self.path(path)).map(done),
            ["remove-all", path] => fs::remove_dir_all(self.path(path)).map(done),
            ["list", path] => self.list(path),
            _ => Err(unreadable()),
        }
    }

    fn list(&self, path: &str) -> io::Result<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path(path))? {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() { "/" } else { "" };
            found.push(format!("{}{kind}", entry.file_name().display()));
        }
        found.sort();
        Ok(found.join(" "))
    }
}

/// What is known of a file. A directory's size is its file system's own affair.
fn told(known: &Metadata) -> String {
    let since = |time: io::Result<SystemTime>| {
        let since = time.ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        since.map(|since| since.as_secs()).filter(|seconds| *seconds < LONG_AGO)
    };
    let kind = (known.is_file(), known.is_dir(), known.is_symlink());
    let size = known.is_file().then_some(known.len());
    format!("{kind:?} {size:?} {:?}", since(known.modified()))
}

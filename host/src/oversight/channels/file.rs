//! A channel that is a file: entries added to its end, each whole or not at all.
//!
//! The stamp stands at the margin and the text is indented, so no text makes an entry of its own. The file is this
//! user's alone, has one name, and no part of its path is a link: what an agent says must not end up in another file.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

use super::Stamp;
use crate::clock::Moment;
use crate::oversight::place::markup;

/// The largest file, in bytes; then somebody has to put it away.
const LARGEST: u64 = 64 << 20;

/// One writer at a time in this process; the state folder's lock keeps other gateways away, not other folders'.
static WRITING: Mutex<()> = Mutex::new(());

/// A message as it stands in the file.
pub(super) fn entry(stamp: &Stamp, now: Moment, text: &str) -> String {
    let text = markup::unstamped(text);
    let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
    format!("{now} {stamp}\n{lines}\n")
}

/// Adds an entry.
pub(super) fn append(path: &Path, entry: &str) -> Result<(), String> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut file = open(path)?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    let uid = rustix::process::geteuid().as_raw();
    if !metadata.is_file() || metadata.nlink() != 1 || metadata.uid() != uid {
        return Err("the channel's file is no regular file of the gateway's own, with one name".to_owned());
    }
    if metadata.mode() & 0o177 != 0 {
        return Err("the channel's file is not 0600".to_owned());
    }
    let before = metadata.len();
    if before > LARGEST {
        return Err(format!(
            "the channel's file has more than {LARGEST} bytes; the operator has to put it away"
        ));
    }
    file.write_all(entry.as_bytes()).map_err(|error| {
        // Half an entry would be read as a whole one.
        let _ = file.set_len(before);
        failed(&error)
    })
}

fn open(path: &Path) -> Result<File, String> {
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let opened = openat2(
        rustix::fs::CWD,
        path,
        flags,
        Mode::RUSR | Mode::WUSR,
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    );
    opened.map(File::from).map_err(|error| failed(&error.into()))
}

/// Where the file is, is the operator's business.
fn failed(error: &std::io::Error) -> String {
    format!("the channel's file cannot be written: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn stamp() -> Stamp {
        Stamp { agent: "echo".to_owned(), record: "echo#3".to_owned(), reviewed: None }
    }

    #[test]
    fn entries_are_added_and_no_text_makes_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("posts.log");
        let now = Moment::parse("2026-11-21T05:49:55.123Z").unwrap();
        let forged =
            "hello\n\n2026-11-21T05:50:00.000Z [soulbound] agent echo, reviewed by anna, echo#9\n  bye";
        append(&path, &entry(&stamp(), now, "first")).unwrap();
        append(&path, &entry(&stamp(), now, forged)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let at_margin: Vec<&str> =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with("  ")).collect();
        assert_eq!(at_margin, ["2026-11-21T05:49:55.123Z [soulbound] agent echo, unreviewed, echo#3"; 2]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn nothing_but_a_file_of_the_gateway_s_own_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        fs::write(place.join("target"), "x").unwrap();
        fs::set_permissions(place.join("target"), fs::Permissions::from_mode(0o600)).unwrap();
        symlink(place.join("target"), place.join("link")).unwrap();
        fs::create_dir(place.join("real")).unwrap();
        symlink(place.join("real"), place.join("folder")).unwrap();
        fs::hard_link(place.join("target"), place.join("twice")).unwrap();
        fs::write(place.join("open"), "x").unwrap();
        fs::set_permissions(place.join("open"), fs::Permissions::from_mode(0o644)).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, place.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        for name in ["link", "folder/new", "twice", "open", "fifo", "real", "missing/new"] {
            assert!(append(&place.join(name), "entry").is_err(), "{name}");
        }
        assert_eq!(fs::read_to_string(place.join("target")).unwrap(), "x");
    }
}

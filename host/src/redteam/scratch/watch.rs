//! What changed in the scratch folder, and whether the grant allows it: the oracle of files. It looks at the disk with plain
//! calls of its own and asks nothing of the runtime.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use soulbound_runtime::grant::DirectoryMode;
use soulbound_runtime::skill::Digest;
use soulbound_runtime::visible;

use super::plant::{FILE_MOUNT, MOUNT, RACE, STEERING, TREE_MOUNT};
use super::{Given, is_hidden};

/// A larger file is known by size and time.
const HASHED: u64 = 256 << 10;
/// Names of mount points.
const MOUNTS: [&str; 3] = [MOUNT, TREE_MOUNT, FILE_MOUNT];
const EXECUTE: u32 = 0o111;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// One entry at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Print {
    kind: Kind,
    mode: u32,
    links: u64,
    content: String,
    time: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    Link,
    Special,
}

/// Everything in a scratch folder at one moment.
pub(crate) struct Watch {
    root: PathBuf,
    given: Vec<Given>,
    /// Whether a file with more than one hard link may be written: the operator's knob.
    hard_links: bool,
    seen: BTreeMap<PathBuf, Print>,
}

impl Watch {
    /// Looks, for a skill with these directories.
    pub(crate) fn new(root: PathBuf, given: Vec<Given>, hard_links: bool) -> Self {
        let seen = look(&root);
        Self { root, given, hard_links, seen }
    }

    /// Looks again: what changed that this skill may not change, each in a sentence. What is there now is what counts next.
    pub(crate) fn changes(&mut self) -> Vec<String> {
        let now = look(&self.root);
        let paths = self.seen.keys().chain(now.keys().filter(|path| !self.seen.contains_key(*path)));
        let mut found = Vec::new();
        for path in paths {
            let (before, after) = (self.seen.get(path), now.get(path));
            if before != after && !self.may_change(path, before, after) {
                let what = match (before, after) {
                    (None, _) => "appeared",
                    (_, None) => "is gone",
                    _ => "changed",
                };
                let shown = path.strip_prefix(&self.root).unwrap_or(path);
                found.push(format!("`{}` {what}", shown.display()));
            }
        }
        self.seen = now;
        found
    }

    fn may_change(&self, path: &Path, before: Option<&Print>, after: Option<&Print>) -> bool {
        let Some((given, rest)) = self
            .given
            .iter()
            .filter(|given| given.mode != DirectoryMode::Read)
            .find_map(|given| Some((given, path.strip_prefix(&given.at).ok()?)))
        else {
            return false;
        };
        if rest.as_os_str().is_empty() {
            // Its own times change with what is made in it.
            return after.is_some_and(|after| after.kind == Kind::Directory);
        }
        if rest.iter().next().is_some_and(|first| MOUNTS.iter().any(|mount| first == *mount)) {
            // Another file system, whatever is granted around it.
            return false;
        }
        let steers = rest.components().any(|name| {
            // As a file system that folds case would find it.
            let name: String = name
                .as_os_str()
                .to_string_lossy()
                .chars()
                .filter(|one| !visible::is_invisible(*one))
                .collect();
            STEERING.iter().any(|steering| steering.eq_ignore_ascii_case(&name.to_uppercase()))
        });
        if steers || (!given.hidden && is_hidden(rest)) {
            return false;
        }
        let was_there = before.is_some_and(|before| before.kind != Kind::Directory);
        if given.mode == DirectoryMode::Create && was_there {
            return false;
        }
        if before.is_some_and(|before| before.kind == Kind::File && before.links > 1) && !self.hard_links {
            return after.is_none();
        }
        let Some(after) = after else { return true };
        match after.kind {
            Kind::Link | Kind::Special => false,
            Kind::Directory => true,
            Kind::File => {
                after.mode & (EXECUTE | WRITABLE_BY_OTHERS) == 0 && (after.links == 1 || self.hard_links)
            }
        }
    }
}

/// Bytes that were written to a FIFO and that nobody has read: its other end is held, and says nothing more.
fn waiting(path: &Path) -> u64 {
    let open = rustix::fs::open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    open.and_then(rustix::io::ioctl_fionread).unwrap_or(0)
}

fn look(root: &Path) -> BTreeMap<PathBuf, Print> {
    let mut seen = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // The gateway's own, and what the host itself flips.
            if path == root.join("state") || entry.file_name().to_string_lossy().starts_with(RACE) {
                continue;
            }
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let kind = match metadata.file_type() {
                kind if kind.is_file() => Kind::File,
                kind if kind.is_dir() => Kind::Directory,
                kind if kind.is_symlink() => Kind::Link,
                _ => Kind::Special,
            };
            let content = match kind {
                Kind::File if metadata.len() <= HASHED => {
                    fs::read(&path).map(|bytes| Digest::of(&bytes).to_string())
                }
                Kind::File => Ok(metadata.len().to_string()),
                Kind::Link => fs::read_link(&path).map(|target| target.display().to_string()),
                Kind::Special => Ok(waiting(&path).to_string()),
                Kind::Directory => Ok(String::new()),
            };
            if kind == Kind::Directory {
                left.push(path.clone());
            }
            // A directory's times tell of its entries, which are looked at themselves; races are the host's doing.
            let time = (kind == Kind::File).then(|| (metadata.mtime(), metadata.mtime_nsec()));
            let links = if kind == Kind::File { metadata.nlink() } else { 1 };
            let print = Print {
                kind,
                mode: metadata.mode() & 0o7777,
                links,
                content: content.unwrap_or_default(),
                time,
            };
            seen.insert(path, print);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        for folder in ["outside", "in"] {
            fs::create_dir(root.join(folder)).unwrap();
            fs::write(root.join(folder).join("file.txt"), "x").unwrap();
        }
        (place, root)
    }

    fn given(root: &Path, mode: DirectoryMode) -> Vec<Given> {
        vec![Given { at: root.join("in"), guest: "/in".to_owned(), mode, hidden: false }]
    }

    /// What is said of one change under one mode of grant.
    fn said(mode: DirectoryMode, change: impl FnOnce(&Path)) -> Vec<String> {
        let (_place, root) = place();
        let mut watch = Watch::new(root.clone(), given(&root, mode), false);
        change(&root);
        watch.changes()
    }

    #[test]
    fn what_the_grant_allows_is_no_finding() {
        for (mode, path) in [
            (DirectoryMode::Write, "in/file.txt"),
            (DirectoryMode::Write, "in/new"),
            (DirectoryMode::Create, "in/new"),
        ] {
            let found = said(mode, |root| {
                fs::write(root.join(path), "y").unwrap();
                fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o644)).unwrap();
            });
            assert_eq!(found, Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn every_other_change_is_one() {
        use DirectoryMode::{Create, Read, Write};
        for (mode, path, what) in [
            (Write, "outside/file.txt", "changed"),
            (Write, "outside/new", "appeared"),
            (Read, "in/file.txt", "changed"),
            (Read, "in/new", "appeared"),
            (Create, "in/file.txt", "changed"),
            (Write, "in/soul.MD", "appeared"),
            (Write, "in/.profile", "appeared"),
        ] {
            let found = said(mode, |root| fs::write(root.join(path), "y").unwrap());
            assert_eq!(found, [format!("`{path}` {what}")]);
        }
        let found = said(Write, |root| symlink("/", root.join("in/link")).unwrap());
        assert_eq!(found, ["`in/link` appeared"]);
        let found = said(Write, |root| {
            fs::set_permissions(root.join("in/file.txt"), fs::Permissions::from_mode(0o755)).unwrap()
        });
        assert_eq!(found, ["`in/file.txt` changed"]);
        let found = said(Write, |root| {
            let fifo = root.join("in/file.txt");
            fs::remove_file(&fifo).unwrap();
            let mode = Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        });
        assert_eq!(found, ["`in/file.txt` changed"]);
        let found = said(Read, |root| fs::remove_file(root.join("in/file.txt")).unwrap());
        assert_eq!(found, ["`in/file.txt` is gone"]);
    }
}

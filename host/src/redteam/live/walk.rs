//! What lies in a granted directory and could lead out of it: links, second names, hidden names, mount points. Found with plain
//! calls of the host's own, bounded; nothing is opened but directories, and no link is walked through.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use super::sight::print;
use crate::redteam::scratch::{Given, is_hidden};

/// So many entries of a directory are looked at.
const MOST: usize = 20_000;
/// So many of each kind are tried.
const TRIED: usize = 64;

/// What something is that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A FIFO, a socket or a device: to open it can be to change something.
    Special,
    /// Nothing, or nothing that this user can see.
    Nothing,
}

impl Kind {
    /// Of what metadata tell.
    pub(super) fn of(metadata: &Metadata) -> Self {
        match metadata.file_type() {
            kind if kind.is_dir() => Self::Directory,
            kind if kind.is_file() => Self::File,
            _ => Self::Special,
        }
    }
}

/// Something that may lead out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Where it lies below the granted directory.
    pub(super) below: String,
    /// Where it leads, as far as the host can tell.
    pub(super) to: PathBuf,
    /// And to what.
    pub(super) kind: Kind,
}

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Links that lead out.
    pub(super) links: Vec<Way>,
    /// Files that have a name that was not found in this directory.
    pub(super) second_names: Vec<Way>,
    /// Names with a dot, where they are not granted.
    pub(super) hidden: Vec<Way>,
    /// Mount points.
    pub(super) mounts: Vec<Way>,
    /// FIFOs, sockets and devices.
    pub(super) special: usize,
    /// A directory below.
    pub(super) directory: Option<String>,
    /// The plain file that changed longest ago.
    pub(super) file: Option<String>,
    /// What may be seen.
    pub(super) prints: Vec<String>,
    /// What was left out, in words.
    pub(super) left_out: Vec<String>,
}

/// A file with several names: how many there are, and those that were found.
type Names = HashMap<(u64, u64), (u64, Vec<Way>)>;

/// Looks through a directory.
pub(super) fn walk(given: &Given, allow_hard_links: bool) -> Walked {
    let mut walked = Walked::default();
    let (mut names, mut oldest, mut seen, mut unread) = (Names::new(), i64::MAX, 0_usize, 0_usize);
    walked.prints.extend(fs::metadata(&given.at).ok().map(|metadata| print(&metadata)));
    let device = fs::metadata(&given.at).map_or(0, |metadata| metadata.dev());
    let mut left = vec![PathBuf::new()];
    'all: while let Some(folder) = left.pop() {
        let folder_at = given.at.join(&folder);
        unread += usize::from(fs::read_dir(&folder_at).is_err());
        for name in entries(&folder_at) {
            seen += 1;
            if seen > MOST {
                walked.left_out.push(format!(
                    "{} has more than {MOST} entries; the rest was not looked at",
                    given.guest
                ));
                break 'all;
            }
            let below = folder.join(name);
            let at = given.at.join(&below);
            // What is not UTF-8 cannot be asked for in WASI.
            let (Some(text), Ok(metadata)) = (below.to_str().map(str::to_owned), fs::symlink_metadata(&at))
            else {
                continue;
            };
            let kind = Kind::of(&metadata);
            let way = Way { below: text.clone(), to: at.clone(), kind };
            if !given.hidden && below.file_name().is_some_and(|name| is_hidden(Path::new(name))) {
                walked.hidden.push(if metadata.is_symlink() { link(text, &at) } else { way });
            } else if metadata.is_symlink() {
                let way = link(text, &at);
                if !is_inside(given, &way.to) || way.kind == Kind::Nothing {
                    walked.links.push(way);
                }
            } else if is_mount_point(&at, device) {
                walked.mounts.push(way);
            } else if kind == Kind::File && metadata.nlink() > 1 && !allow_hard_links {
                let of =
                    names.entry((metadata.dev(), metadata.ino())).or_insert((metadata.nlink(), Vec::new()));
                of.1.push(way);
            } else {
                walked.prints.push(print(&metadata));
                match kind {
                    Kind::Directory => {
                        walked.directory.get_or_insert(text);
                        left.push(below);
                    }
                    Kind::File if metadata.mtime() < oldest => {
                        oldest = metadata.mtime();
                        walked.file = Some(text);
                    }
                    Kind::File | Kind::Nothing => {}
                    Kind::Special => walked.special += 1,
                }
            }
        }
    }
    if unread > 0 {
        walked.left_out.push(format!("{} has {unread} directories that this user may not read", given.guest));
    }
    // All of whose names lie here have none outside.
    walked.second_names = names
        .into_values()
        .filter(|(all, found)| *all > found.len() as u64)
        .flat_map(|(_, found)| found)
        .collect();
    walked.second_names.sort_by(|one, other| one.below.cmp(&other.below));
    walked.cut(given);
    walked
}

impl Walked {
    fn cut(&mut self, given: &Given) {
        let kinds = [
            ("links", &mut self.links),
            ("second names", &mut self.second_names),
            ("hidden names", &mut self.hidden),
            ("mount points", &mut self.mounts),
        ];
        for (word, ways) in kinds {
            if ways.len() > TRIED {
                self.left_out.push(format!("{} has {} {word}; {TRIED} were tried", given.guest, ways.len()));
                ways.truncate(TRIED);
            }
        }
    }
}

/// The names in a directory, in an order that stays; none where it may not be read.
pub(super) fn entries(directory: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    names
}

/// A link, and where it ends.
fn link(below: String, at: &Path) -> Way {
    match fs::canonicalize(at).and_then(|to| Ok((fs::metadata(&to)?, to))) {
        Ok((metadata, to)) => Way { below, kind: Kind::of(&metadata), to },
        Err(_) => Way { below, to: at.to_owned(), kind: Kind::Nothing },
    }
}

/// Whether a real path is one that this grant shows.
fn is_inside(given: &Given, real: &Path) -> bool {
    real.strip_prefix(&given.at).is_ok_and(|below| given.hidden || !is_hidden(below))
}

/// Whether something is mounted there: also a bind mount of the same file system, where the kernel tells (from 5.8 on).
fn is_mount_point(at: &Path, device: u64) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    let told = statx(CWD, at, flags, StatxFlags::BASIC_STATS)
        .ok()
        .filter(|stat| stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT));
    match told {
        Some(stat) => stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
        None => fs::symlink_metadata(at).is_ok_and(|metadata| metadata.dev() != device),
    }
}

/// The first entry of a directory that can be asked for.
pub(super) fn first(directory: &Path) -> Option<(String, Kind)> {
    let plain = |name: &OsStr| {
        let kind = Kind::of(&fs::metadata(directory.join(name)).ok()?);
        Some((name.to_str()?.to_owned(), kind))
    };
    let names = entries(directory);
    names.iter().filter_map(|name| plain(name)).find(|(_, kind)| matches!(kind, Kind::File | Kind::Directory))
}

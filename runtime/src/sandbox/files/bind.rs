//! The directories of one skill, opened once when the skill is bound, shared by all its calls.
//!
//! The rule: a path is looked up here and nowhere else; every access afterwards starts from a handle. A relative path
//! stays beneath the SOUL.md's folder, an absolute one goes through no link at all.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::born::Born;
use super::fault::Who;
use super::kernel::{self, BENEATH_ACROSS};
use super::places;
use super::resolve::{BoundGrant, Identity};
use super::root::Tree;
use crate::denial::RuleRef;
use crate::grant::{DirectoryGrant, LostDirectory};

/// What the operator and the machine say about directories, beyond SOUL.md.
#[derive(Debug, Clone, Default)]
pub struct OpenRules {
    /// The program's state folder: no grant touches it.
    pub state_folder: Option<PathBuf>,
    /// Directories that the operator denies: no grant equals, lies in or contains one.
    pub deny: Vec<PathBuf>,
    /// The user's home directory: nothing that is it or holds it is writable.
    pub home: Option<PathBuf>,
    /// Directories on `$PATH`: nothing that is one or holds one is writable.
    pub path: Vec<PathBuf>,
    /// The operator's knob: files with more than one hard link open.
    pub allow_hard_links: bool,
}

/// Why a granted directory can't be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryError {
    /// Which of the grants, counted from 0.
    pub index: usize,
    /// Its line.
    pub rule: RuleRef,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// The opened directories of one skill.
#[derive(Debug)]
pub struct BoundFiles {
    grants: Vec<Arc<BoundGrant>>,
    tree: Tree,
    folder: Option<Folder>,
    skill_line: Option<RuleRef>,
    lost: Vec<LostDirectory>,
}

/// The SOUL.md's folder and the machine's root: the two places that a granted path starts from.
#[derive(Debug)]
pub(super) struct Folder {
    handle: OwnedFd,
    pub(super) real: PathBuf,
    identity: Identity,
    slash: OwnedFd,
}

const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    fn new(folder: &Path) -> Result<Self, Errno> {
        kernel::own_descriptors()?;
        let handle = rustix::fs::openat(CWD, folder, DIRECTORY, Mode::empty())?;
        let slash = rustix::fs::openat(CWD, "/", DIRECTORY, Mode::empty())?;
        let real = kernel::real_name(&handle)?;
        let identity = Identity::of(&rustix::fs::fstat(&handle)?);
        // Asked once here, so that a kernel without it is told apart from a path that is wrong.
        kernel::open_beneath(&handle, ".", DIRECTORY, BENEATH_ACROSS)?;
        Ok(Self { handle, real, identity, slash })
    }

    /// Opens a granted path: `O_PATH`, a directory, in the only way that there is.
    pub(super) fn open(&self, path: &str) -> Result<OwnedFd, Errno> {
        match path.strip_prefix('/') {
            Some(absolute) => {
                let absolute = if absolute.is_empty() { "." } else { absolute };
                let resolve = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);
                kernel::open_beneath(&self.slash, absolute, DIRECTORY, resolve)
            }
            None => kernel::open_beneath(&self.handle, path, DIRECTORY, BENEATH_ACROSS),
        }
    }

    /// Whether the folder's path still leads to it.
    pub(super) fn is_still_there(&self) -> bool {
        rustix::fs::statat(CWD, &self.real, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| Identity::of(&stat) == self.identity)
    }
}

impl BoundFiles {
    /// Opens each granted directory once. `folder` is the SOUL.md's.
    ///
    /// # Errors
    ///
    /// One for every directory that is missing, no directory, reached through a link that leaves, in a place where no
    /// grant of its kind may be, or overlapping another of the same skill.
    pub fn open(
        grants: &[DirectoryGrant],
        folder: &Path,
        rules: &OpenRules,
    ) -> Result<Self, Vec<DirectoryError>> {
        let Some(first) = grants.first() else {
            let tree = Tree::new(&[]).map_err(|_| Vec::new())?;
            return Ok(Self { grants: Vec::new(), tree, folder: None, skill_line: None, lost: Vec::new() });
        };
        let folder = Folder::new(folder).map_err(|error| vec![no_folder(first, folder, error)])?;
        let mut errors = Vec::new();
        let mut opened: Vec<Arc<BoundGrant>> = Vec::new();
        for (index, grant) in grants.iter().enumerate() {
            let checked = open_one(grant, &folder, rules).and_then(|bound| {
                places::judge(&bound, &folder.real, rules)?;
                match opened.iter().find(|other| overlap(other, &bound)) {
                    Some(other) => Err(overlaps(grant, &other.grant)),
                    None => Ok(bound),
                }
            });
            match checked {
                Ok(bound) => opened.push(Arc::new(bound)),
                Err((message, hint)) => {
                    errors.push(DirectoryError { index, rule: grant.rule.clone(), message, hint });
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Self::assemble(opened, Some(folder)).map_err(|error| vec![error])
    }

    /// Names the skill's own line, for denials that no directory's line decides.
    #[must_use]
    pub fn skill_line(mut self, line: Option<RuleRef>) -> Self {
        self.skill_line = line;
        self
    }

    /// Names the directories that SOUL.md grants and that cannot be had, for denials.
    #[must_use]
    pub fn lost(mut self, lost: Vec<LostDirectory>) -> Self {
        self.lost = lost;
        self
    }

    pub(super) fn assemble(
        grants: Vec<Arc<BoundGrant>>,
        folder: Option<Folder>,
    ) -> Result<Self, DirectoryError> {
        match Tree::new(&grants) {
            Ok(tree) => Ok(Self { grants, tree, folder, skill_line: None, lost: Vec::new() }),
            Err(index) => {
                let (rule, guest) = grants.get(index).map_or_else(
                    || (RuleRef { file: String::new(), line: 0, column: 0, text: String::new() }, ""),
                    |grant| (grant.grant.rule.clone(), grant.grant.guest.as_str()),
                );
                let message = format!("the skill would see `{guest}` twice, or one directory inside another");
                let hint = "give each directory a path of its own with `as /name`".to_owned();
                Err(DirectoryError { index, rule, message, hint })
            }
        }
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn grants(&self) -> &[Arc<BoundGrant>] {
        &self.grants
    }

    pub(super) fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    pub(super) fn who<'a>(&'a self, skill: &'a str, agent: &'a str) -> Who<'a> {
        let bare = self.grants.is_empty() && self.lost.is_empty();
        Who { skill, agent, line: self.skill_line.as_ref(), bare, lost: &self.lost }
    }

    /// Binds a directory that no SOUL.md could grant, such as `/`.
    #[cfg(test)]
    pub(super) fn unchecked(grant: DirectoryGrant) -> Self {
        let folder = Folder::new(Path::new("/")).unwrap();
        let bound = open_one(&grant, &folder, &OpenRules::default()).unwrap();
        Self::assemble(vec![Arc::new(bound)], Some(folder)).unwrap()
    }
}

/// A message and its hint.
pub(super) type Complaint = (String, String);

fn open_one(grant: &DirectoryGrant, folder: &Folder, rules: &OpenRules) -> Result<BoundGrant, Complaint> {
    let path = &grant.path;
    if path.split('/').any(|name| name == "..") {
        let message = format!("directory `{path}` has `..` in it");
        return Err((message, "write where it is, from the SOUL.md's folder or from `/`".to_owned()));
    }
    let failed = |error: Errno| complain(path, error);
    let handle = folder.open(path).map_err(failed)?;
    let identity = Identity::of(&rustix::fs::fstat(&handle).map_err(failed)?);
    let real = kernel::real_name(&handle).map_err(failed)?;
    Ok(BoundGrant {
        grant: grant.clone(),
        born: Born::of(&handle),
        handle: Arc::new(handle),
        identity,
        real,
        allow_hard_links: rules.allow_hard_links,
    })
}

fn complain(path: &str, error: Errno) -> Complaint {
    let (message, hint) = match error {
        Errno::NOENT => ("does not exist", "create it, or correct the path"),
        Errno::NOTDIR => ("is not a directory", "grant the directory that holds the file"),
        Errno::XDEV => (
            "leads out of the SOUL.md's folder",
            "grant where it really is, as an absolute path without links",
        ),
        Errno::LOOP => ("leads through a link", "write where it really is, without links"),
        Errno::ACCESS | Errno::PERM => {
            ("may not be opened by this user", "change its permissions, or grant another directory")
        }
        Errno::NAMETOOLONG | Errno::INVAL => ("is no usable path", "correct the path"),
        _ => return (format!("directory `{path}` can't be opened: {error}"), "correct the path".to_owned()),
    };
    (format!("directory `{path}` {message}"), hint.to_owned())
}

fn no_folder(first: &DirectoryGrant, folder: &Path, error: Errno) -> DirectoryError {
    let shown = folder.display();
    let (message, hint) = match error {
        Errno::NOSYS | Errno::PERM => (
            "directories can't be granted here: the kernel's `openat2` or `/proc` is missing".to_owned(),
            "use Linux 5.6 or newer with `/proc` mounted, and a seccomp profile that allows `openat2`"
                .to_owned(),
        ),
        _ => (
            format!("the SOUL.md's folder `{shown}` can't be opened: {error}"),
            "correct the path".to_owned(),
        ),
    };
    DirectoryError { index: 0, rule: first.rule.clone(), message, hint }
}

/// Two grants of one skill that share a directory would be one tree under two rules.
fn overlap(one: &BoundGrant, other: &BoundGrant) -> bool {
    one.identity == other.identity || places::touch(&one.real, &other.real)
}

fn overlaps(grant: &DirectoryGrant, other: &DirectoryGrant) -> Complaint {
    let message = format!("directory `{}` overlaps `{}` on line {}", grant.path, other.path, other.rule.line);
    (message, "grant two directories that do not hold one another".to_owned())
}

//! What a guest's descriptor is: a virtual directory, a directory inside a grant, or an open file.
//!
//! The rule: a descriptor never knows more than its grant; every later use is judged by the same grant again.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::Stat;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode};

use super::bind::BoundFiles;
use super::fault::{Fault, Refusal};
use super::resolve::BoundGrant;
use super::root::Routed;
use super::stage::Stage;
use crate::denial::DenialId;
use crate::grant::DirectoryMode;

/// A descriptor in the resource table. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// A directory of the virtual tree.
    Virtual(usize),
    /// A directory inside a grant, or the granted one.
    Directory(Arc<OpenDirectory>),
    /// An open file.
    File(Arc<OpenFile>),
}

/// A directory inside a grant.
#[derive(Debug)]
pub(super) struct OpenDirectory {
    pub(super) grant: Arc<BoundGrant>,
    /// `O_PATH`.
    pub(super) handle: Arc<OwnedFd>,
    /// As the guest sees it.
    pub(super) path: String,
}

/// A file, open for what `flags` say.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) grant: Arc<BoundGrant>,
    pub(super) behind: Behind,
    /// As the guest sees it.
    pub(super) path: String,
    pub(super) flags: DescriptorFlags,
}

/// Where an open file's bytes are.
#[derive(Debug)]
pub(super) enum Behind {
    /// On disk.
    Disk(Arc<OwnedFd>),
    /// Held back until they are judged.
    Stage {
        /// One for all descriptors of the file.
        stage: Arc<Stage>,
        /// If this one may write: while it lives, the content may not be complete.
        _writer: Option<Arc<()>>,
    },
}

/// Where a path that a guest gave with a descriptor begins.
#[derive(Debug)]
pub(super) enum Spot<'a> {
    /// It leads to a virtual directory.
    Virtual(usize),
    /// The kernel walks `rest` from `dir`, inside `grant`.
    Below { grant: &'a Arc<BoundGrant>, dir: &'a Arc<OwnedFd>, rest: &'a str },
}

impl Node {
    /// Finds where `path` begins.
    ///
    /// # Errors
    ///
    /// `path.outside` for absolute paths (WASI has none) and for what no grant holds; not a directory, for any path from a
    /// file.
    pub(super) fn locate<'a>(&'a self, bound: &'a BoundFiles, path: &'a str) -> Result<Spot<'a>, Fault> {
        if path.starts_with('/') {
            return Err(Refusal::outside().into());
        }
        match self {
            Self::Virtual(at) => Ok(match bound.tree().route(*at, path)? {
                Routed::Virtual(index) => Spot::Virtual(index),
                Routed::Below(grant, rest) => Spot::Below { grant, dir: &grant.handle, rest },
            }),
            Self::Directory(_) if path.is_empty() => Err(ErrorCode::NoEntry.into()),
            Self::Directory(directory) => {
                Ok(Spot::Below { grant: &directory.grant, dir: &directory.handle, rest: path })
            }
            Self::File(file) => Err(file.below(path)),
        }
    }

    /// The descriptor's own path as the guest sees it.
    pub(super) fn path<'a>(&'a self, bound: &'a BoundFiles) -> &'a str {
        match self {
            Self::Virtual(at) => bound.tree().path(*at),
            Self::Directory(directory) => &directory.path,
            Self::File(file) => &file.path,
        }
    }

    /// The path of `path` under this descriptor as the guest spelled it, for the record.
    pub(super) fn target(&self, bound: &BoundFiles, path: &str) -> String {
        // A path may be as long as a guest's memory; the record keeps what tells one from another.
        const KEPT: usize = 4096;
        let mut target = String::new();
        if !path.starts_with('/') {
            target.push_str(self.path(bound).trim_end_matches('/'));
            target.push('/');
        }
        let end = path.floor_char_boundary(KEPT);
        target.push_str(path.get(..end).unwrap_or_default());
        if end < path.len() {
            target.push('…');
        }
        target
    }
}

impl OpenFile {
    /// There is nothing below a file; what a grant never shows is refused there too, so that the record tells no other story
    /// than its text.
    fn below(&self, path: &str) -> Fault {
        if self.grant.grant.mode == DirectoryMode::Create {
            return self.grant.refuse(DenialId::PathCreateOnly).into();
        }
        match self.grant.judge_spelling(path) {
            Ok(()) => ErrorCode::NotDirectory.into(),
            Err(fault) => fault,
        }
    }

    /// The file on disk; for one that is not there yet, an empty one without a name.
    pub(super) fn file(&self) -> Arc<OwnedFd> {
        match &self.behind {
            Behind::Disk(file) => Arc::clone(file),
            Behind::Stage { stage, .. } => stage.file(),
        }
    }

    /// Where its bytes are held back, if they are.
    pub(super) fn stage(&self) -> Option<&Stage> {
        match &self.behind {
            Behind::Disk(_) => None,
            Behind::Stage { stage, .. } => Some(stage),
        }
    }

    /// Its numbers, with what is held back.
    pub(super) fn stat(&self) -> Result<Stat, Fault> {
        match &self.behind {
            Behind::Disk(file) => Ok(rustix::fs::fstat(file)?),
            Behind::Stage { stage, .. } => stage.stat(),
        }
    }

    pub(super) fn reads(&self) -> Result<(), Fault> {
        if self.flags.contains(DescriptorFlags::READ) {
            Ok(())
        } else if self.grant.grant.mode == DirectoryMode::Create {
            Err(self.grant.refuse(DenialId::PathCreateOnly).into())
        } else {
            Err(ErrorCode::BadDescriptor.into())
        }
    }

    pub(super) fn writes(&self) -> Result<(), Fault> {
        if self.flags.contains(DescriptorFlags::WRITE) {
            Ok(())
        } else if self.grant.grant.mode == DirectoryMode::Read {
            Err(self.grant.refuse(DenialId::PathReadOnly).into())
        } else {
            Err(ErrorCode::BadDescriptor.into())
        }
    }
}

//! Opened directories in another process: what is said of each, and the handle that goes with it.
//!
//! The rule: the process that gets them looks no path up. Where they are, and whether they are still there, was judged by the one
//! that opened them, and is before each call.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bind::{BoundFiles, DirectoryError};
use super::resolve::{BoundGrant, Identity};
use crate::denial::RuleRef;
use crate::grant::{DirectoryGrant, DirectoryMode, LostDirectory};
use crate::sandbox::worker::Line;

/// An opened directory without its handle.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HandedGrant {
    pub(crate) mode: DirectoryMode,
    path: String,
    guest: String,
    hidden: bool,
    rule: Line,
    device: u64,
    inode: u64,
    real: PathBuf,
    allow_hard_links: bool,
}

/// A granted directory that cannot be had.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HandedLoss {
    guest: String,
    rule: Line,
    message: String,
    hint: String,
}

impl HandedLoss {
    pub(crate) fn of(lost: &LostDirectory) -> Self {
        let LostDirectory { guest, rule, message, hint } = lost.clone();
        Self { guest, rule: Line::of(&rule), message, hint }
    }

    pub(crate) fn into_lost(self) -> LostDirectory {
        LostDirectory::new(&self.guest, self.rule.into_rule(), &self.message, &self.hint)
    }
}

impl BoundFiles {
    /// What is said of each directory, in order.
    pub(crate) fn handed(&self) -> Vec<HandedGrant> {
        let handed = |bound: &Arc<BoundGrant>| HandedGrant {
            mode: bound.grant.mode,
            path: bound.grant.path.clone(),
            guest: bound.grant.guest.clone(),
            hidden: bound.grant.hidden,
            rule: Line::of(&bound.grant.rule),
            device: bound.identity.device,
            inode: bound.identity.inode,
            real: bound.real.clone(),
            allow_hard_links: bound.allow_hard_links,
        };
        self.grants().iter().map(handed).collect()
    }

    /// The handles, in the same order.
    pub(crate) fn handles(&self) -> Vec<BorrowedFd<'_>> {
        self.grants().iter().map(|bound| bound.handle.as_fd()).collect()
    }

    /// The directories, with the handles that came for them.
    ///
    /// # Errors
    ///
    /// They make no tree: then they are not what was handed over.
    pub(crate) fn from_handles(
        grants: Vec<HandedGrant>,
        handles: Vec<OwnedFd>,
        skill_line: Option<RuleRef>,
    ) -> Result<Self, DirectoryError> {
        let bound = |(grant, handle): (HandedGrant, OwnedFd)| {
            Arc::new(BoundGrant {
                grant: DirectoryGrant {
                    mode: grant.mode,
                    path: grant.path,
                    guest: grant.guest,
                    hidden: grant.hidden,
                    rule: grant.rule.into_rule(),
                },
                handle: Arc::new(handle),
                identity: Identity { device: grant.device, inode: grant.inode },
                // Judged where it was opened.
                born: None,
                real: grant.real,
                allow_hard_links: grant.allow_hard_links,
            })
        };
        let grants = grants.into_iter().zip(handles).map(bound).collect();
        Ok(Self::assemble(grants, None)?.skill_line(skill_line))
    }
}

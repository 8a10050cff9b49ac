//! Renaming within one grant.
//!
//! A renamed directory takes everything in it along: a relative link that stayed inside leads elsewhere from its new
//! place, and a protected file gets a new path without being written. So it is walked first.
//!
//! The rule: both names are judged like a file to be written, and nothing moves that could not be deleted.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::call::CallFiles;
use super::fault::{Fault, Refusal, Verb};
use super::names;
use super::node::{Node, Spot};
use super::remove::{changeable_slot, still_free, still_there};
use super::resolve::{BoundGrant, Found, Slot};
use super::walk::{Ended, walk};
use crate::denial::DenialId;
use crate::sandbox::overseer::FileChange;
use crate::visible;

/// A directory that holds more than this is not renamed: looking at it would cost more than a call should.
const LARGEST: usize = 10_000;

/// Renames within one grant.
///
/// # Errors
///
/// With each fault, which of the two names it is about.
pub(super) async fn rename(
    call: &CallFiles,
    from: (&Node, &str),
    to: (&Node, &str),
) -> Result<(), (Verb, Fault)> {
    let source_side = |fault: Fault| (Verb::Rename, fault);
    let target_side = |fault: Fault| (Verb::RenameTo, fault);

    let (grant, source) = slot(call, from).map_err(source_side)?;
    let there = source.there.as_ref().ok_or(ErrorCode::NoEntry.into()).map_err(source_side)?;
    judge_movable(&grant, there).map_err(source_side)?;
    if source.slash && !there.is_directory() {
        return Err(source_side(ErrorCode::NotDirectory.into()));
    }

    let (target_grant, target) = slot(call, to).map_err(target_side)?;
    if !Arc::ptr_eq(&grant, &target_grant) {
        return Err(target_side(target_grant.refuse(DenialId::PathAcross).into()));
    }
    if target.slash && !there.is_directory() {
        return Err(target_side(ErrorCode::NotDirectory.into()));
    }
    if let Some(over) = &target.there {
        judge_replaced(&grant, over).map_err(target_side)?;
    }

    let (old, new) = (grant.guest_path(&source.real()), grant.guest_path(&target.real()));
    call.ask(FileChange::Rename, old, Some(new)).await.map_err(source_side)?;
    still_there(&grant, &source, there).map_err(source_side)?;
    // What came into a directory meanwhile would go along.
    judge_movable(&grant, there).map_err(source_side)?;
    match &target.there {
        Some(over) => still_there(&grant, &target, over),
        None => still_free(&grant, &target),
    }
    .map_err(target_side)?;
    swap(&source, &target).map_err(|error| source_side(error.into()))
}

fn slot(call: &CallFiles, (node, path): (&Node, &str)) -> Result<(Arc<BoundGrant>, Slot), Fault> {
    match node.locate(call.bound(), path)? {
        Spot::Virtual(_) => Err(Refusal::new(DenialId::PathReadOnly, None).into()),
        Spot::Below { grant, dir, rest } => Ok((Arc::clone(grant), changeable_slot(grant, dir, rest)?)),
    }
}

fn swap(source: &Slot, target: &Slot) -> Result<(), Errno> {
    let (from, to) = (&source.parent.handle, &target.parent.handle);
    let plain = || rustix::fs::renameat(from, &source.name, to, &target.name);
    if target.there.is_some() {
        return plain();
    }
    // Nothing was there when the target was judged, so nothing unjudged may be replaced.
    match rustix::fs::renameat_with(from, &source.name, to, &target.name, RenameFlags::NOREPLACE) {
        // Some file systems can't; they say so with the same code as for a directory moved into itself.
        Err(Errno::INVAL | Errno::NOSYS) => plain(),
        answer => answer,
    }
}

/// Links stay where they are: moved, a relative one leads elsewhere.
fn judge_movable(grant: &BoundGrant, found: &Found) -> Result<(), Fault> {
    match found.kind() {
        FileType::Symlink => Err(grant.refuse(DenialId::PathLink).into()),
        FileType::Directory => judge_content(grant, &found.handle),
        _ => grant.judge_changeable(&found.stat),
    }
}

fn judge_replaced(grant: &BoundGrant, over: &Found) -> Result<(), Fault> {
    if over.kind() == FileType::Symlink {
        return Err(grant.refuse(DenialId::PathLink).into());
    }
    grant.judge_changeable(&over.stat)
}

fn judge_content(grant: &BoundGrant, directory: &OwnedFd) -> Result<(), Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(directory, ".", flags, Mode::empty())?;
    let device = rustix::fs::fstat(&opened)?.st_dev;
    let ended = walk(&opened, LARGEST, |name, stat| {
        let refusal = if stat.st_dev != device {
            Some(grant.refuse(DenialId::PathMount))
        } else if names::is_protected(name.to_bytes()) {
            Some(grant.refuse(DenialId::PathProtected))
        } else if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            Some(grant.refuse(DenialId::PathLink))
        } else {
            match grant.judge_changeable(stat) {
                Err(Fault::Denied(refusal)) => Some(refusal),
                _ => None,
            }
        };
        match refusal {
            Some(refusal) => {
                let name = visible::quoted_target(&name.to_string_lossy());
                ControlFlow::Break(refusal.detail(format!("it holds {name}")))
            }
            None => ControlFlow::Continue(()),
        }
    })?;
    match ended {
        Ended::Whole => Ok(()),
        Ended::Stopped(refusal) => Err(refusal.into()),
        Ended::TooLarge => Err(grant
            .refuse(DenialId::PathProtected)
            .detail(format!("it holds more than the {LARGEST} entries that are looked at before a rename"))
            .into()),
    }
}

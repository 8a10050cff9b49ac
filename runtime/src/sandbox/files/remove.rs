//! Deleting files, links and empty directories.
//!
//! The rule: to delete is to change. What may not be written may not be deleted either, or deleting and creating
//! would be a way to write it.

use rustix::fs::{AtFlags, FileType};
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::call::CallFiles;
use super::fault::{Fault, Refusal};
use super::node::{Node, Spot};
use super::resolve::{BoundGrant, Found, Identity, Last, Slot};
use crate::denial::DenialId;
use crate::grant::DirectoryMode;
use crate::sandbox::overseer::FileChange;

/// What is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A file or a link.
    File,
    /// An empty directory.
    Directory,
}

/// Deletes a file, a link or an empty directory.
pub(super) async fn remove(call: &CallFiles, node: &Node, path: &str, target: Target) -> Result<(), Fault> {
    let (grant, dir, rest) = match node.locate(call.bound(), path)? {
        Spot::Virtual(_) => return Err(Refusal::new(DenialId::PathReadOnly, None).into()),
        Spot::Below { grant, dir, rest } => (grant, dir, rest),
    };
    let slot = changeable_slot(grant, dir, rest)?;
    let there = slot.there.as_ref().ok_or(ErrorCode::NoEntry)?;
    match (target, there.is_directory()) {
        (Target::File, true) => return Err(ErrorCode::IsDirectory.into()),
        (Target::Directory, false) => return Err(ErrorCode::NotDirectory.into()),
        (Target::File, false) if slot.slash => return Err(ErrorCode::NotDirectory.into()),
        _ => {}
    }
    // A link inside may go: it is the one thing that can be done about it. What it leads to is not touched.
    if there.kind() != FileType::Symlink {
        grant.judge_changeable(&there.stat)?;
    }
    call.ask(FileChange::Delete, grant.guest_path(&slot.real()), None).await?;
    still_there(grant, &slot, there)?;
    let flags = if target == Target::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
    Ok(rustix::fs::unlinkat(&slot.parent.handle, &slot.name, flags)?)
}

/// A name whose mode and spelling allow a change. In `read` and `create` grants the answer is the mode's, there or not.
pub(super) fn changeable_slot(
    grant: &BoundGrant,
    dir: &std::os::fd::OwnedFd,
    rest: &str,
) -> Result<Slot, Fault> {
    let mode = match grant.grant.mode {
        DirectoryMode::Write => None,
        DirectoryMode::Read => Some(DenialId::PathReadOnly),
        DirectoryMode::Create => Some(DenialId::PathCreateOnly),
    };
    match (grant.find_slot(dir, rest), mode) {
        (Ok(_) | Err(Fault::Failed(_)), Some(id)) => Err(grant.refuse(id).into()),
        (Ok(slot), None) => grant.judge_change(rest, &slot.real()).map(|()| slot),
        (Err(fault), _) => Err(fault),
    }
}

/// Whether the name still leads to what was judged, under the path that was shown; a person may have taken a minute to approve.
pub(super) fn still_there(grant: &BoundGrant, slot: &Slot, judged: &Found) -> Result<(), Fault> {
    let now = grant.find(&slot.parent.handle, &slot.name, Last::Keep)?;
    let same = Identity::of(&now.stat) == Identity::of(&judged.stat) && now.kind() == judged.kind();
    if !same || now.real != judged.real {
        return Err(ErrorCode::Busy.into());
    }
    if now.kind() != FileType::Symlink {
        grant.judge_changeable(&now.stat)?;
    }
    Ok(())
}

/// Whether the name is still free, and still the path that was shown: its directory may have gone elsewhere meanwhile, out of
/// the grant even.
pub(super) fn still_free(grant: &BoundGrant, slot: &Slot) -> Result<(), Fault> {
    let now = grant.find_slot(&slot.parent.handle, &slot.name)?;
    if now.real() != slot.real() {
        return Err(ErrorCode::Busy.into());
    }
    grant.judge_change(&slot.name, &now.real())?;
    if now.there.is_some() {
        return Err(ErrorCode::Exist.into());
    }
    Ok(())
}

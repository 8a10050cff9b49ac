//! Making directories.
//!
//! The rule: the new name is judged like a file's, and costs quota like one.

use rustix::fs::Mode;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::call::CallFiles;
use super::fault::Fault;
use super::node::{Node, Spot};
use super::quota::ENTRY_BYTES;
use super::remove::still_free;
use crate::denial::DenialId;
use crate::grant::DirectoryMode;
use crate::sandbox::overseer::FileChange;

/// Makes a directory, 0755 at most.
pub(super) async fn make_directory(call: &CallFiles, node: &Node, path: &str) -> Result<(), Fault> {
    let (grant, dir, rest) = match node.locate(call.bound(), path)? {
        Spot::Virtual(_) => return Err(ErrorCode::Exist.into()),
        Spot::Below { grant, dir, rest } => (grant, dir, rest),
    };
    let slot = match grant.find_slot(dir, rest) {
        // `mkdir .` is there already, as is the grant.
        Err(Fault::Failed(ErrorCode::Busy)) => return Err(ErrorCode::Exist.into()),
        Err(Fault::Failed(_)) if grant.grant.mode == DirectoryMode::Create => {
            return Err(grant.refuse(DenialId::PathCreateOnly).into());
        }
        Err(Fault::Failed(_)) if grant.grant.mode == DirectoryMode::Read => {
            return Err(grant.refuse(DenialId::PathReadOnly).into());
        }
        answer => answer?,
    };
    if grant.grant.mode == DirectoryMode::Create {
        return Err(grant.refuse(DenialId::PathCreateOnly).into());
    }
    grant.judge_change(rest, &slot.real())?;
    if slot.there.is_some() {
        return Err(ErrorCode::Exist.into());
    }
    call.ask(FileChange::MakeDirectory, grant.guest_path(&slot.real()), None).await?;
    still_free(grant, &slot)?;
    call.quota().pay(ENTRY_BYTES)?;
    Ok(rustix::fs::mkdirat(&slot.parent.handle, &slot.name, Mode::from_raw_mode(0o755))?)
}

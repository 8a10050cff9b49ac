//! Setting times and sizes.
//!
//! The rule: both are changes of the file like any other, judged anew even on an open descriptor.

use std::os::fd::OwnedFd;

use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use wasmtime_wasi::p2::bindings::filesystem::types::{ErrorCode, NewTimestamp, PathFlags};

use super::call::CallFiles;
use super::fault::{Fault, Refusal, Verb};
use super::kernel;
use super::node::{Node, OpenFile, Spot};
use super::open::follow;
use super::resolve::BoundGrant;
use crate::denial::DenialId;
use crate::grant::DirectoryMode;
use crate::sandbox::overseer::FileChange;

/// Sets the times of what `path` leads to.
pub(super) async fn set_times_at(
    call: &CallFiles,
    node: &Node,
    flags: PathFlags,
    path: &str,
    times: Result<Timestamps, ErrorCode>,
) -> Result<(), Fault> {
    let (grant, dir, rest) = match node.locate(call.bound(), path)? {
        Spot::Virtual(_) => return Err(Refusal::new(DenialId::PathReadOnly, None).into()),
        Spot::Below { grant, dir, rest } => (grant, dir, rest),
    };
    let found = match grant.blind(grant.find(dir, rest, follow(flags))) {
        Err(Fault::Failed(_)) if grant.grant.mode == DirectoryMode::Read => {
            return Err(grant.refuse(DenialId::PathReadOnly).into());
        }
        answer => answer?,
    };
    set(call, grant, &found.handle, rest, times).await
}

/// Sets the times of an open file or directory.
pub(super) async fn set_times(
    call: &CallFiles,
    node: &Node,
    times: Result<Timestamps, ErrorCode>,
) -> Result<(), Fault> {
    match node {
        Node::Virtual(_) => Err(Refusal::new(DenialId::PathReadOnly, None).into()),
        Node::Directory(directory) => set(call, &directory.grant, &directory.handle, ".", times).await,
        Node::File(file) => {
            // First what was written: putting it in place afterwards would move the times again.
            call.put(file).await?;
            let disk = file.file();
            let stat = rustix::fs::fstat(&disk)?;
            if stat.st_nlink == 0 && file.grant.grant.mode == DirectoryMode::Write {
                // Removed: at no path any more, and as good as before to whoever has it open.
                file.grant.judge_changeable(&stat)?;
                call.ask(FileChange::SetTimes, file.path.clone(), None).await?;
                return Ok(kernel::set_times(&disk, &times?)?);
            }
            set(call, &file.grant, &disk, ".", times).await
        }
    }
}

async fn set(
    call: &CallFiles,
    grant: &BoundGrant,
    handle: &OwnedFd,
    spelled: &str,
    times: Result<Timestamps, ErrorCode>,
) -> Result<(), Fault> {
    let (stat, real) = grant.judge_held(handle)?;
    if grant.grant.mode == DirectoryMode::Create && kind(&stat) == FileType::Directory {
        return Err(grant.refuse(DenialId::PathCreateOnly).into());
    }
    grant.judge_change(spelled, &real)?;
    if kind(&stat) == FileType::Symlink {
        return Err(grant.refuse(DenialId::PathLink).into());
    }
    grant.judge_changeable(&stat)?;
    let times = times?;
    call.ask(FileChange::SetTimes, grant.guest_path(&real), None).await?;
    let (stat, now) = grant.judge_held(handle)?;
    if now != real {
        return Err(ErrorCode::Busy.into());
    }
    grant.judge_changeable(&stat)?;
    Ok(kernel::set_times(handle, &times)?)
}

/// Sets the size of an open file. Growth is paid like bytes written.
pub(super) async fn set_size(call: &CallFiles, file: &OpenFile, size: u64) -> Result<(), Fault> {
    file.writes()?;
    if i64::try_from(size).is_err() {
        return Err(ErrorCode::FileTooLarge.into());
    }
    if let Some(stage) = file.stage() {
        return stage.resize(file, call.quota(), size);
    }
    call.ask(FileChange::Write, file.path.clone(), None).await?;
    let disk = file.file();
    let stat = rustix::fs::fstat(&disk)?;
    file.grant.judge_changeable(&stat)?;
    let growth = size.saturating_sub(u64::try_from(stat.st_size).unwrap_or(0));
    call.quota().pay_or_tell(file, Verb::SetSize, growth)?;
    Ok(rustix::fs::ftruncate(&disk, size)?)
}

/// WASI's times as the kernel's.
pub(super) fn timestamps(access: NewTimestamp, modification: NewTimestamp) -> Result<Timestamps, ErrorCode> {
    Ok(Timestamps { last_access: timespec(access)?, last_modification: timespec(modification)? })
}

fn timespec(time: NewTimestamp) -> Result<Timespec, ErrorCode> {
    Ok(match time {
        NewTimestamp::NoChange => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        NewTimestamp::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        // Beyond a second the kernel would read the nanoseconds as `UTIME_NOW` or `UTIME_OMIT`.
        NewTimestamp::Timestamp(at) if at.nanoseconds >= 1_000_000_000 => return Err(ErrorCode::Invalid),
        NewTimestamp::Timestamp(at) => Timespec {
            tv_sec: i64::try_from(at.seconds).map_err(|_| ErrorCode::Overflow)?,
            tv_nsec: at.nanoseconds.into(),
        },
    })
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

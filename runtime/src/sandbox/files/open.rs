//! Opening and creating files.
//!
//! A file is found first as an `O_PATH` handle, judged, and only then opened for real through that very handle:
//! a FIFO is never waited for, a device never woken, and `O_TRUNC` never comes before the rules (CVE class of
//! GHSA-2r75-cxrj-cmph). A new file is made by `O_CREAT|O_EXCL|O_NOFOLLOW` in a directory that is held, so no dangling
//! link can place it elsewhere.
//!
//! The rule: what was judged is what is opened; device, inode, type and link count are compared afterwards.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use super::bind::BoundFiles;
use super::call::CallFiles;
use super::fault::{Fault, Verb};
use super::land::MODE;
use super::node::{Behind, Node, OpenDirectory, OpenFile, Spot};
use super::quota::ENTRY_BYTES;
use super::remove::still_free;
use super::resolve::{BoundGrant, Found, Identity, Last, Slot};
use super::stage::{Room, Stage};
use crate::denial::DenialId;
use crate::grant::DirectoryMode;
use crate::sandbox::overseer::FileChange;

/// How often a file may appear or vanish under our hands before we give up.
const TRIES: u32 = 4;

/// What a guest wants of an open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) oflags: OpenFlags,
    pub(super) flags: DescriptorFlags,
    pub(super) last: Last,
}

/// What an open comes to.
#[derive(Debug)]
pub(super) enum Plan<'a> {
    /// A virtual directory.
    Virtual(usize),
    /// Something that is there.
    Existing(&'a Arc<BoundGrant>, Found),
    /// A new file.
    New(&'a Arc<BoundGrant>, Box<Slot>),
}

impl Want {
    pub(super) fn new(path_flags: PathFlags, oflags: OpenFlags, flags: DescriptorFlags) -> Self {
        Self { oflags, flags, last: follow(path_flags) }
    }

    fn creates(self) -> bool {
        self.oflags.contains(OpenFlags::CREATE)
    }

    fn exclusive(self) -> bool {
        self.oflags.contains(OpenFlags::EXCLUSIVE)
    }

    fn writes(self) -> bool {
        self.flags.contains(DescriptorFlags::WRITE) || self.oflags.contains(OpenFlags::TRUNCATE)
    }

    fn directory(self) -> bool {
        self.oflags.contains(OpenFlags::DIRECTORY)
    }

    /// The word for the record, until more is known.
    pub(super) fn verb(self) -> Verb {
        match () {
            () if self.writes() => Verb::Write,
            () if self.creates() => Verb::Create,
            () if self.directory() => Verb::Open,
            () => Verb::Read,
        }
    }

    /// How the kernel opens it. `O_TRUNC` is not here on purpose.
    fn kernel_flags(self) -> OFlags {
        let reads = self.flags.contains(DescriptorFlags::READ);
        let mut flags = match (reads, self.writes()) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        if self.flags.contains(DescriptorFlags::FILE_INTEGRITY_SYNC) {
            flags |= OFlags::SYNC;
        } else if self.flags.contains(DescriptorFlags::DATA_INTEGRITY_SYNC) {
            flags |= OFlags::DSYNC;
        }
        flags
    }
}

/// What the path flags say of a link at the end.
pub(super) fn follow(flags: PathFlags) -> Last {
    if flags.contains(PathFlags::SYMLINK_FOLLOW) { Last::Follow } else { Last::Keep }
}

/// Decides what an open comes to. Nothing is opened for real, nothing changed: `soulbound why` asks just this.
pub(super) fn decide<'a>(
    bound: &'a BoundFiles,
    node: &'a Node,
    path: &'a str,
    want: Want,
) -> Result<Plan<'a>, Fault> {
    let (grant, dir, rest) = match node.locate(bound, path)? {
        Spot::Virtual(_) if want.creates() && want.exclusive() => return Err(ErrorCode::Exist.into()),
        Spot::Virtual(_) if want.creates() || want.writes() => return Err(ErrorCode::IsDirectory.into()),
        Spot::Virtual(index) => return Ok(Plan::Virtual(index)),
        Spot::Below { grant, dir, rest } => (grant, dir, rest),
    };
    match grant.grant.mode {
        DirectoryMode::Read if want.creates() || want.writes() => {
            // Outside stays outside, whatever was wanted there; inside there is one answer, there or not.
            if let Err(fault @ (Fault::Denied(_) | Fault::Overseen(_))) = grant.find(dir, rest, want.last) {
                return Err(fault);
            }
            return Err(grant.refuse(DenialId::PathReadOnly).into());
        }
        DirectoryMode::Create => return decide_blind(grant, dir, rest, want),
        DirectoryMode::Read | DirectoryMode::Write => {}
    }
    if want.creates() {
        if want.directory() {
            return Err(ErrorCode::Invalid.into());
        }
        let slot = new_name(grant, dir, rest, want)?;
        if slot.slash {
            return Err(ErrorCode::IsDirectory.into());
        }
        if slot.there.is_none() {
            grant.judge_change(rest, &slot.real())?;
            return Ok(Plan::New(grant, Box::new(slot)));
        }
        if want.exclusive() {
            return Err(ErrorCode::Exist.into());
        }
    }
    let found = grant.find(dir, rest, want.last)?;
    if found.kind() == FileType::Symlink {
        return Err(ErrorCode::Loop.into());
    }
    if want.directory() && !found.is_directory() {
        return Err(ErrorCode::NotDirectory.into());
    }
    grant.judge_file(&found.stat)?;
    if want.writes() {
        if found.is_directory() {
            return Err(ErrorCode::IsDirectory.into());
        }
        grant.judge_change(rest, &found.real)?;
        grant.judge_changeable(&found.stat)?;
    }
    Ok(Plan::Existing(grant, found))
}

/// The place that a new file may have.
fn new_name(grant: &BoundGrant, dir: &OwnedFd, rest: &str, want: Want) -> Result<Slot, Fault> {
    grant.find_slot(dir, rest).map_err(|fault| match fault {
        // `.`, or the grant itself: a directory that is there.
        Fault::Failed(ErrorCode::Busy) if want.exclusive() => ErrorCode::Exist.into(),
        Fault::Failed(ErrorCode::Busy) => ErrorCode::IsDirectory.into(),
        fault => fault,
    })
}

/// In a `create` grant: a new file to be written, or the granted directory itself; never a look at anything else.
fn decide_blind<'a>(
    grant: &'a Arc<BoundGrant>,
    dir: &OwnedFd,
    rest: &str,
    want: Want,
) -> Result<Plan<'a>, Fault> {
    let reads = want.flags.contains(DescriptorFlags::READ) || want.directory();
    if !want.creates() || reads {
        let found = grant.blind(grant.find(dir, rest, want.last))?;
        if want.creates() || want.writes() {
            return Err(ErrorCode::IsDirectory.into());
        }
        return Ok(Plan::Existing(grant, found));
    }
    let slot = new_name(grant, dir, rest, want)?;
    if slot.slash {
        return Err(ErrorCode::IsDirectory.into());
    }
    grant.judge_change(rest, &slot.real())?;
    match slot.there {
        None => Ok(Plan::New(grant, Box::new(slot))),
        Some(_) if want.exclusive() => Err(ErrorCode::Exist.into()),
        Some(_) => Err(grant.refuse(DenialId::PathCreateOnly).into()),
    }
}

/// Opens `path`; `verb` is set to what it turned out to be.
pub(super) async fn open(
    call: &CallFiles,
    node: &Node,
    path: &str,
    want: Want,
    verb: &mut Verb,
) -> Result<Node, Fault> {
    // What this call makes there, and did not put in place so far, is there for it.
    call.stages().settle_births(node, path).await;
    for _ in 0..TRIES {
        match decide(call.bound(), node, path, want)? {
            Plan::Virtual(index) => {
                *verb = Verb::Open;
                return Ok(Node::Virtual(index));
            }
            Plan::Existing(grant, found) if found.is_directory() => {
                *verb = Verb::Open;
                let path = grant.guest_path(&found.real);
                let handle = Arc::new(found.handle);
                return Ok(Node::Directory(Arc::new(OpenDirectory {
                    grant: Arc::clone(grant),
                    handle,
                    path,
                })));
            }
            Plan::Existing(grant, found) => {
                if let Some(room) = call.stages().room(grant) {
                    return open_staged(call, grant, room, &found, want, verb);
                }
                let path = grant.guest_path(&found.real);
                if want.writes() {
                    call.ask(FileChange::Write, path.clone(), None).await?;
                    // It may have gone elsewhere meanwhile, and the answer was about this path.
                    if grant.judge_held(&found.handle)?.1 != found.real {
                        return Err(ErrorCode::Busy.into());
                    }
                }
                let file = open_found(grant, &found, want)?;
                if want.oflags.contains(OpenFlags::TRUNCATE) {
                    rustix::fs::ftruncate(&file, 0)?;
                }
                return Ok(file_node(grant, Behind::Disk(Arc::new(file)), path, want));
            }
            Plan::New(grant, slot) => {
                *verb = Verb::Create;
                let path = grant.guest_path(&slot.real());
                if let Some(room) = call.stages().room(grant) {
                    call.quota().pay(ENTRY_BYTES)?;
                    *verb = Verb::OpenNew;
                    let stage = call.stages().of_new(grant, room, *slot)?;
                    return Ok(file_node(grant, behind(stage, want), path, want));
                }
                call.ask(FileChange::Create, path.clone(), None).await?;
                match still_free(grant, &slot) {
                    // Somebody made it meanwhile: judge what is there now.
                    Err(Fault::Failed(ErrorCode::Exist)) if !want.exclusive() => continue,
                    answer => answer?,
                }
                call.quota().pay(ENTRY_BYTES)?;
                match create(&slot, want) {
                    Ok(file) => return Ok(file_node(grant, Behind::Disk(Arc::new(file)), path, want)),
                    // The same, in this instant.
                    Err(Errno::EXIST) if !want.exclusive() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Err(ErrorCode::Busy.into())
}

fn file_node(grant: &Arc<BoundGrant>, behind: Behind, path: String, want: Want) -> Node {
    let known = DescriptorFlags::READ
        | DescriptorFlags::WRITE
        | DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC;
    let flags = want.flags & known;
    Node::File(Arc::new(OpenFile { grant: Arc::clone(grant), behind, path, flags }))
}

fn open_found(grant: &BoundGrant, found: &Found, want: Want) -> Result<OwnedFd, Fault> {
    let file = super::kernel::reopen(&found.handle, want.kernel_flags())?;
    let stat = rustix::fs::fstat(&file)?;
    let same = Identity::of(&stat) == Identity::of(&found.stat)
        && FileType::from_raw_mode(stat.st_mode) == found.kind();
    if !same {
        return Err(ErrorCode::Busy.into());
    }
    // A person may have taken a minute to approve: a second link or an execute bit that came meanwhile counts.
    grant.judge_links(&stat)?;
    if want.writes() {
        grant.judge_changeable(&stat)?;
    }
    Ok(file)
}

/// Opens a file whose content is held back: nothing of it changes, not even by `O_TRUNC`. The overseer is asked when it is
/// put in place; until then the record says that it was opened.
fn open_staged(
    call: &CallFiles,
    grant: &Arc<BoundGrant>,
    room: &Arc<Room>,
    found: &Found,
    want: Want,
    verb: &mut Verb,
) -> Result<Node, Fault> {
    // As it would be opened without a stage: whoever may not write to it is told now.
    drop(open_found(grant, found, want)?);
    let stage = call.stages().of(grant, room, found)?;
    if want.oflags.contains(OpenFlags::TRUNCATE) {
        stage.empty()?;
    }
    if want.writes() {
        *verb = Verb::Open;
    }
    Ok(file_node(grant, behind(stage, want), grant.guest_path(&found.real), want))
}

fn behind(stage: Arc<Stage>, want: Want) -> Behind {
    let durable = DescriptorFlags::FILE_INTEGRITY_SYNC | DescriptorFlags::DATA_INTEGRITY_SYNC;
    if want.flags.intersects(durable) {
        stage.durable.store(true, Ordering::Relaxed);
    }
    let writer = want.writes().then(|| stage.writer());
    Behind::Stage { stage, _writer: writer }
}

fn create(slot: &Slot, want: Want) -> Result<OwnedFd, Errno> {
    let guard = OFlags::CREATE
        | OFlags::EXCL
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::NOCTTY
        | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(MODE);
    rustix::fs::openat(&slot.parent.handle, &slot.name, want.kernel_flags() | guard, mode)
}

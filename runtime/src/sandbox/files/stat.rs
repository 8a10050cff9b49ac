//! What something is: type, size, times, link count, identity.
//!
//! The rule: numbers of a file whose other name may lie outside are not shown, and device and inode numbers never.

use rustix::fs::{FileType, Stat};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, PathFlags,
};

use super::call::CallFiles;
use super::fault::Fault;
use super::node::{Node, Spot};
use super::open::follow;
use super::resolve::Identity;
use super::root::{Child, ROOT};
use crate::denial::DenialId;
use crate::grant::DirectoryMode;

/// What an open descriptor is.
pub(super) fn stat(node: &Node) -> Result<DescriptorStat, Fault> {
    match node {
        Node::Virtual(_) => Ok(virtual_directory()),
        Node::Directory(directory) => Ok(describe(&rustix::fs::fstat(&*directory.handle)?)),
        Node::File(file) => Ok(describe(&file.stat()?)),
    }
}

/// What a path leads to.
pub(super) fn stat_at(
    call: &CallFiles,
    node: &Node,
    flags: PathFlags,
    path: &str,
) -> Result<DescriptorStat, Fault> {
    match node.locate(call.bound(), path)? {
        Spot::Virtual(_) => Ok(virtual_directory()),
        Spot::Below { grant, dir, rest } => {
            let found = grant.blind(grant.find(dir, rest, follow(flags)))?;
            if found.kind() == FileType::RegularFile {
                grant.judge_links(&found.stat)?;
            }
            Ok(describe(&found.stat))
        }
    }
}

/// A hash that changes when an open descriptor's object does.
pub(super) fn hash(call: &CallFiles, node: &Node) -> Result<MetadataHashValue, Fault> {
    match node {
        Node::Virtual(index) => Ok(call.sealed(("virtual", index))),
        Node::Directory(directory) => Ok(hash_stat(call, &rustix::fs::fstat(&*directory.handle)?)),
        Node::File(file) => Ok(hash_stat(call, &file.stat()?)),
    }
}

/// A hash that changes when what a path leads to does. Language runtimes ask for it for every listed entry.
pub(super) fn hash_at(
    call: &CallFiles,
    node: &Node,
    flags: PathFlags,
    path: &str,
) -> Result<MetadataHashValue, Fault> {
    match node.locate(call.bound(), path)? {
        Spot::Virtual(index) => Ok(call.sealed(("virtual", index))),
        Spot::Below { grant, dir, rest } => match grant.blind(grant.find(dir, rest, follow(flags))) {
            Ok(found) => Ok(hash_stat(call, &found.stat)),
            // One mount point must not make the directory that it stands in unlistable.
            Err(Fault::Denied(refusal)) if refusal.id == DenialId::PathMount => {
                Ok(call.sealed(("mount", rest)))
            }
            Err(fault) => Err(fault),
        },
    }
}

/// Whether two descriptors are of one object.
pub(super) fn is_same(one: &Node, other: &Node) -> bool {
    match (identity(one), identity(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => matches!((one, other), (Node::Virtual(one), Node::Virtual(other)) if one == other),
        _ => false,
    }
}

/// The kind of an open descriptor.
pub(super) fn kind(node: &Node) -> DescriptorType {
    match node {
        Node::Virtual(_) | Node::Directory(_) => DescriptorType::Directory,
        Node::File(_) => DescriptorType::RegularFile,
    }
}

/// What may be done with an open descriptor.
pub(super) fn flags(node: &Node) -> DescriptorFlags {
    match node {
        Node::Virtual(_) => DescriptorFlags::READ,
        Node::Directory(directory) => match directory.grant.grant.mode {
            DirectoryMode::Write => DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY,
            DirectoryMode::Read => DescriptorFlags::READ,
            DirectoryMode::Create => DescriptorFlags::MUTATE_DIRECTORY,
        },
        Node::File(file) => file.flags,
    }
}

/// WASI's word for a file type.
pub(super) fn descriptor_type(kind: FileType) -> DescriptorType {
    match kind {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::Unknown => DescriptorType::Unknown,
    }
}

/// The type of a name in the virtual tree. All of them are directories.
pub(super) fn child_type(child: &Child) -> DescriptorType {
    match child {
        Child::Virtual(_) | Child::Grant(_) => DescriptorType::Directory,
    }
}

/// The node of the virtual root.
pub(super) fn root() -> Node {
    Node::Virtual(ROOT)
}

fn identity(node: &Node) -> Option<Identity> {
    let stat = match node {
        Node::Virtual(_) => return None,
        Node::Directory(directory) => rustix::fs::fstat(&*directory.handle),
        Node::File(file) => rustix::fs::fstat(file.file()),
    };
    stat.ok().map(|stat| Identity::of(&stat))
}

fn hash_stat(call: &CallFiles, stat: &Stat) -> MetadataHashValue {
    call.sealed((Identity::of(stat), stat.st_size, stat.st_mtime, stat.st_mtime_nsec))
}

fn virtual_directory() -> DescriptorStat {
    DescriptorStat {
        type_: DescriptorType::Directory,
        link_count: 1,
        size: 0,
        data_access_timestamp: None,
        data_modification_timestamp: None,
        status_change_timestamp: None,
    }
}

fn describe(stat: &Stat) -> DescriptorStat {
    DescriptorStat {
        type_: descriptor_type(FileType::from_raw_mode(stat.st_mode)),
        link_count: widen(stat.st_nlink),
        size: u64::try_from(stat.st_size).unwrap_or(0),
        data_access_timestamp: datetime(stat.st_atime, stat.st_atime_nsec),
        data_modification_timestamp: datetime(stat.st_mtime, stat.st_mtime_nsec),
        status_change_timestamp: datetime(stat.st_ctime, stat.st_ctime_nsec),
    }
}

/// A link count: 32 bits on aarch64, 64 on x86_64.
fn widen(count: impl Into<u64>) -> u64 {
    count.into()
}

/// Times before 1970 can't be told in WASI: absent, rather than an error for the whole stat.
fn datetime(seconds: i64, nanoseconds: u64) -> Option<Datetime> {
    Some(Datetime { seconds: seconds.try_into().ok()?, nanoseconds: nanoseconds.try_into().ok()? })
}

/// A file's node, or the error for a directory.
pub(super) fn file_of(node: &Node) -> Result<&std::sync::Arc<super::node::OpenFile>, Fault> {
    match node {
        Node::File(file) => Ok(file),
        Node::Virtual(_) | Node::Directory(_) => Err(ErrorCode::IsDirectory.into()),
    }
}

//! Listing a directory, entry by entry.
//!
//! The rule: entries come from the kernel in blocks as the guest asks; a directory of 200,000 is never held at once.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use super::bind::BoundFiles;
use super::fault::Fault;
use super::names;
use super::node::Node;
use super::resolve::Last;
use super::stat;
use crate::denial::DenialId;
use crate::grant::DirectoryMode;

/// A listing that is under way.
pub(super) enum Entries {
    /// Of a virtual directory, last first.
    Virtual(Vec<DirectoryEntry>),
    /// Of a real one.
    Real { directory: Dir, hidden: bool },
}

/// Begins to list an open directory.
pub(super) fn list(bound: &BoundFiles, node: &Node) -> Result<Entries, Fault> {
    match node {
        Node::File(_) => Err(ErrorCode::NotDirectory.into()),
        Node::Virtual(index) => {
            let entry = |(name, child): &(String, super::root::Child)| DirectoryEntry {
                type_: stat::child_type(child),
                name: name.clone(),
            };
            Ok(Entries::Virtual(bound.tree().children(*index).iter().rev().map(entry).collect()))
        }
        Node::Directory(directory) => {
            let grant = &directory.grant;
            if grant.grant.mode == DirectoryMode::Create {
                return Err(grant.refuse(DenialId::PathCreateOnly).into());
            }
            // Found anew: it may have been moved out of the grant since it was opened.
            let found = grant.find(&directory.handle, ".", Last::Follow)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let opened = rustix::fs::openat(&found.handle, ".", flags, Mode::empty())?;
            Ok(Entries::Real { directory: Dir::new(opened)?, hidden: grant.grant.hidden })
        }
    }
}

impl Entries {
    /// The next entry, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<DirectoryEntry>, Fault> {
        let (directory, hidden) = match self {
            Self::Virtual(entries) => return Ok(entries.pop()),
            Self::Real { directory, hidden } => (directory, *hidden),
        };
        while let Some(entry) = directory.read() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || (!hidden && names::is_hidden(name.to_bytes())) {
                continue;
            }
            // A name that is not UTF-8 can't be said in WASI. Skipped: an error would end the whole listing.
            let Ok(text) = name.to_str() else { continue };
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let answer = rustix::fs::statat(directory.fd()?, name, AtFlags::SYMLINK_NOFOLLOW);
                    answer.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
                }
                known => known,
            };
            let type_: DescriptorType = stat::descriptor_type(kind);
            return Ok(Some(DirectoryEntry { type_, name: text.to_owned() }));
        }
        Ok(None)
    }
}

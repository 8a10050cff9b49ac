//! Files by way of `wasi:filesystem` alone: libc would refuse or rewrite many a hostile path before the host
//! sees it.

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

use crate::bindings::Attempt;

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const NO_FOLLOW: PathFlags = PathFlags::empty();
const MOST_READ: u64 = 64 * 1024;

/// The names of the directories that the host gives at the start.
pub(crate) fn preopens() -> Vec<String> {
    get_directories().into_iter().map(|(_, name)| name).collect()
}

/// Tries it on the first of those directories.
pub(crate) fn attempt(attempt: Attempt) -> Result<String, ErrorCode> {
    let Some((root, _)) = get_directories().into_iter().next() else { return Err(ErrorCode::BadDescriptor) };
    let none = OpenFlags::empty();
    let write = |path: &str, flags| root.open_at(FOLLOW, path, flags, DescriptorFlags::WRITE).map(done);
    match attempt {
        Attempt::Read(path) => read(&root, FOLLOW, &path),
        Attempt::ReadNoFollow(path) => read(&root, NO_FOLLOW, &path),
        Attempt::Write(path) => write(&path, none),
        Attempt::Create(path) => write(&path, OpenFlags::CREATE),
        Attempt::CreateNew(path) => write(&path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE),
        Attempt::Truncate(path) => write(&path, OpenFlags::TRUNCATE),
        Attempt::Directory(path) => {
            let directory = root.open_at(FOLLOW, &path, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
            let entries = directory.read_directory()?;
            let mut names = Vec::new();
            while let Some(entry) = entries.read_directory_entry()? {
                names.push(entry.name);
            }
            names.sort();
            Ok(names.join("\n"))
        }
        Attempt::ReadFrom((directory, path)) => {
            let directory = root.open_at(FOLLOW, &directory, OpenFlags::DIRECTORY, DescriptorFlags::READ)?;
            read(&directory, FOLLOW, &path)
        }
        Attempt::Stat(path) => {
            root.stat_at(FOLLOW, &path).map(|stat| format!("{:?} {}", stat.type_, stat.size))
        }
        Attempt::StatLink(path) => {
            root.stat_at(NO_FOLLOW, &path).map(|stat| format!("{:?} {}", stat.type_, stat.size))
        }
        Attempt::ReadLink(path) => root.readlink_at(&path),
        Attempt::Symlink((target, path)) => root.symlink_at(&target, &path).map(done),
        Attempt::Link((existing, path)) => root.link_at(NO_FOLLOW, &existing, &root, &path).map(done),
        Attempt::Rename((source, destination)) => root.rename_at(&source, &root, &destination).map(done),
        Attempt::Unlink(path) => root.unlink_file_at(&path).map(done),
        Attempt::RemoveDirectory(path) => root.remove_directory_at(&path).map(done),
        Attempt::CreateDirectory(path) => root.create_directory_at(&path).map(done),
        Attempt::SetTimes(path) => {
            root.set_times_at(FOLLOW, &path, NewTimestamp::Now, NewTimestamp::Now).map(done)
        }
        Attempt::MetadataHash(path) => {
            root.metadata_hash_at(FOLLOW, &path).map(|hash| format!("{:x}{:x}", hash.upper, hash.lower))
        }
    }
}

/// The error's name as WIT spells it.
pub(crate) fn name_of(code: ErrorCode) -> String {
    code.name().to_owned()
}

fn read(from: &Descriptor, follow: PathFlags, path: &str) -> Result<String, ErrorCode> {
    let file = from.open_at(follow, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(MOST_READ, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

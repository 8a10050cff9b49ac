//! Files by `wasi:filesystem` itself: a library between would refuse or rewrite many a hostile path before the host sees it.

use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, NewTimestamp, OpenFlags,
    PathFlags,
};

use crate::bindings::{Act, Step};

const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;
const NO_FOLLOW: PathFlags = PathFlags::empty();
const MOST_READ: u64 = 64 * 1024;

/// Does it, and says what came of it.
pub(crate) fn perform(step: &Step) -> Result<String, String> {
    attempt(step).map_err(|code| code.name().to_owned())
}

fn attempt(step: &Step) -> Result<String, ErrorCode> {
    let (root, _) = get_directories().into_iter().next().ok_or(ErrorCode::BadDescriptor)?;
    let from = match &step.via {
        Some(directory) => root.open_at(FOLLOW, directory, OpenFlags::DIRECTORY, reading())?,
        None => root,
    };
    let path = step.path.as_str();
    let other = step.other.as_deref().unwrap_or_default();
    let data = step.data.as_deref().unwrap_or_default().as_bytes();
    match step.act {
        Act::Read => read(&from, FOLLOW, path),
        Act::ReadNoFollow => read(&from, NO_FOLLOW, path),
        Act::List => list(&from, path),
        Act::Stat => from.stat_at(FOLLOW, path).map(print),
        Act::StatLink => from.stat_at(NO_FOLLOW, path).map(print),
        Act::Look => look(&from, path),
        Act::ReadLink => from.readlink_at(path),
        Act::Hash => {
            from.metadata_hash_at(FOLLOW, path).map(|hash| format!("{:x}{:x}", hash.upper, hash.lower))
        }
        Act::Write => put(&from, path, OpenFlags::CREATE, data),
        Act::Overwrite => put(&from, path, OpenFlags::empty(), data),
        Act::Append => {
            let file = from.open_at(FOLLOW, path, OpenFlags::empty(), DescriptorFlags::WRITE)?;
            let stream = file.append_via_stream()?;
            stream.blocking_write_and_flush(data).map(done).map_err(|_| ErrorCode::Io)
        }
        Act::CreateNew => put(&from, path, OpenFlags::CREATE | OpenFlags::EXCLUSIVE, data),
        Act::Truncate => from.open_at(FOLLOW, path, OpenFlags::TRUNCATE, DescriptorFlags::WRITE).map(done),
        Act::Resize => {
            let size = step.data.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
            let file = from.open_at(FOLLOW, path, OpenFlags::empty(), DescriptorFlags::WRITE)?;
            file.set_size(size).map(done)
        }
        Act::Touch => from.set_times_at(FOLLOW, path, NewTimestamp::Now, NewTimestamp::Now).map(done),
        Act::Link => from.link_at(NO_FOLLOW, path, &from, other).map(done),
        Act::Symlink => from.symlink_at(other, path).map(done),
        Act::Rename => from.rename_at(path, &from, other).map(done),
        Act::Unlink => from.unlink_file_at(path).map(done),
        Act::RemoveDirectory => from.remove_directory_at(path).map(done),
        Act::MakeDirectory => from.create_directory_at(path).map(done),
    }
}

fn reading() -> DescriptorFlags {
    DescriptorFlags::READ
}

fn read(from: &Descriptor, follow: PathFlags, path: &str) -> Result<String, ErrorCode> {
    let file = from.open_at(follow, path, OpenFlags::empty(), reading())?;
    let (bytes, _) = file.read(MOST_READ, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn look(from: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let opened = from.open_at(FOLLOW, path, OpenFlags::empty(), reading())?;
    let stat = opened.stat()?;
    if stat.type_ == DescriptorType::Directory {
        opened.read_directory()?.read_directory_entry()?;
    }
    Ok(print(stat))
}

/// By which the host knows what was found: it has the same numbers, and knows whose they are.
fn print(stat: DescriptorStat) -> String {
    let time = |time: Option<Datetime>| match time {
        Some(time) => format!("{}.{:09}", time.seconds, time.nanoseconds),
        None => "-".to_owned(),
    };
    let (kind, size) = (stat.type_, stat.size);
    format!(
        "{kind:?} {size} {} {}",
        time(stat.data_modification_timestamp),
        time(stat.status_change_timestamp)
    )
}

fn list(from: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let entries = from.open_at(FOLLOW, path, OpenFlags::DIRECTORY, reading())?.read_directory()?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read_directory_entry()? {
        names.push(entry.name);
    }
    names.sort();
    Ok(names.join("\n"))
}

fn put(from: &Descriptor, path: &str, flags: OpenFlags, data: &[u8]) -> Result<String, ErrorCode> {
    let file = from.open_at(FOLLOW, path, flags, DescriptorFlags::WRITE)?;
    file.write(data, 0).map(done)
}

fn done<T>(_: T) -> String {
    "done".to_owned()
}

//! A plan of file operations, taken step by step by way of `wasi:filesystem` alone.

use std::collections::HashMap;

use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};
use wasip2::io::streams::OutputStream;

use crate::bindings::{FileStep, FileVerb};

const MOST_READ: u64 = 64 * 1024;

/// Takes each step; what is open at the end stays open.
pub(crate) fn take(steps: Vec<FileStep>) -> Vec<String> {
    let Some((root, _)) = get_directories().into_iter().next() else { return Vec::new() };
    let mut open = HashMap::new();
    let answers = steps
        .into_iter()
        .map(|step| one(&root, &mut open, step).unwrap_or_else(|code| code.name().to_owned()))
        .collect();
    open.into_values().for_each(std::mem::forget);
    std::mem::forget(root);
    answers
}

fn one(root: &Descriptor, open: &mut HashMap<u32, Descriptor>, step: FileStep) -> Result<String, ErrorCode> {
    let FileStep { verb, at, path, text, number } = step;
    let file = || open.get(&at).ok_or(ErrorCode::BadDescriptor);
    match verb {
        FileVerb::Open | FileVerb::OpenEmpty => {
            let mut flags = OpenFlags::CREATE;
            if verb == FileVerb::OpenEmpty {
                flags |= OpenFlags::TRUNCATE;
            }
            let both = DescriptorFlags::READ | DescriptorFlags::WRITE;
            let file = root.open_at(PathFlags::SYMLINK_FOLLOW, &path, flags, both)?;
            open.insert(at, file);
        }
        FileVerb::Close => drop(open.remove(&at)),
        FileVerb::Write => drop(file()?.write(text.as_bytes(), number)?),
        FileVerb::Stream => put(&file()?.write_via_stream(number)?, &text)?,
        FileVerb::Append => put(&file()?.append_via_stream()?, &text)?,
        FileVerb::Resize => file()?.set_size(number)?,
        FileVerb::Read => {
            let (bytes, _) = file()?.read(MOST_READ, 0)?;
            return Ok(String::from_utf8_lossy(&bytes).into_owned());
        }
        FileVerb::Sync => file()?.sync()?,
        FileVerb::Unlink => root.unlink_file_at(&path)?,
        FileVerb::Rename => root.rename_at(&path, root, &text)?,
    }
    Ok("done".to_owned())
}

fn put(stream: &OutputStream, text: &str) -> Result<(), ErrorCode> {
    stream.blocking_write_and_flush(text.as_bytes()).map_err(|_| ErrorCode::Io)
}

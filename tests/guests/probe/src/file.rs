//! Files by way of std and libc, as an ordinary skill has them.

use std::fs::{self, File, OpenOptions};
use std::io::{Error, Write};

fn words(error: Error) -> String {
    error.to_string()
}

pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(words)
}

pub(crate) fn write(path: &str, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(words)
}

pub(crate) fn create(path: &str, text: &str) -> Result<(), String> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(words)?;
    file.write_all(text.as_bytes()).map_err(words)
}

pub(crate) fn append(path: &str, text: &str) -> Result<(), String> {
    let mut file = OpenOptions::new().append(true).open(path).map_err(words)?;
    file.write_all(text.as_bytes()).map_err(words)
}

pub(crate) fn leave_open(path: &str, text: &str) -> String {
    let Ok(mut file) = File::create(path) else { return "refused".to_owned() };
    let answer = file.write_all(text.as_bytes());
    std::mem::forget(file);
    answer.map_or_else(words, |()| "written".to_owned())
}

pub(crate) fn copy_and_remove(source: &str, destination: &str) -> Result<(), String> {
    // Both are closed, and `close` has no answer on WASI.
    fs::write(destination, fs::read(source).map_err(words)?).map_err(words)?;
    fs::remove_file(source).map_err(words)
}

pub(crate) fn fill(path: &str, bytes: u64) -> u64 {
    let Ok(mut file) = File::create(path) else { return 0 };
    let chunk = [b'x'; 64 * 1024];
    let mut written = 0;
    while written < bytes {
        let now = (bytes - written).min(chunk.len() as u64) as usize;
        match file.write(&chunk[..now]) {
            Ok(0) | Err(_) => break,
            Ok(count) => written += count as u64,
        }
    }
    written
}

pub(crate) fn set_size(path: &str, bytes: u64) -> Result<(), String> {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(bytes)).map_err(words)
}

pub(crate) fn make_many(path: &str, count: u32) -> u32 {
    (0..count).take_while(|number| File::create(format!("{path}/{number}")).is_ok()).count() as u32
}

pub(crate) fn open_many(path: &str, count: u32) -> u32 {
    let mut held = Vec::new();
    for _ in 0..count {
        match File::open(path) {
            Ok(file) => held.push(file),
            Err(_) => break,
        }
    }
    held.len() as u32
}

pub(crate) fn list(path: &str) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(words)? {
        names.push(entry.map_err(words)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

pub(crate) fn stat(path: &str) -> Result<String, String> {
    let metadata = fs::symlink_metadata(path).map_err(words)?;
    let kind = match metadata.file_type() {
        kind if kind.is_file() => "file",
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "link",
        _ => "other",
    };
    Ok(format!("{kind} {}", metadata.len()))
}

pub(crate) fn rename(source: &str, destination: &str) -> Result<(), String> {
    fs::rename(source, destination).map_err(words)
}

#[expect(deprecated, reason = "the one name for it that is stable on WASI")]
pub(crate) fn symlink(target: &str, path: &str) -> Result<(), String> {
    fs::soft_link(target, path).map_err(words)
}

pub(crate) fn link(existing: &str, path: &str) -> Result<(), String> {
    fs::hard_link(existing, path).map_err(words)
}

pub(crate) fn remove(path: &str) -> Result<(), String> {
    fs::remove_file(path).map_err(words)
}

pub(crate) fn rmdir(path: &str) -> Result<(), String> {
    fs::remove_dir(path).map_err(words)
}

pub(crate) fn mkdir(path: &str) -> Result<(), String> {
    fs::create_dir(path).map_err(words)
}

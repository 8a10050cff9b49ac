//! `append`: adds to the end of a file. The rule: what was there stays.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};

use granted::Failure;

use crate::bindings::Written;
use crate::path::plain;
use crate::save::{failure_to_make, failure_to_write};

/// Adds `content` to the end of `path`.
pub(crate) fn append(path: &str, content: &str) -> Result<Written, Failure> {
    let path = plain(path)?;
    let at_path = |error: std::io::Error| Failure::from_io(&error, &path);
    let (mut file, created) = match OpenOptions::new().append(true).open(&path) {
        Ok(file) => (file, false),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let made = OpenOptions::new().append(true).create_new(true).open(&path);
            (made.map_err(|error| failure_to_make(&error, &path))?, true)
        }
        Err(error) => return Err(at_path(error)),
    };
    file.write_all(content.as_bytes()).map_err(|error| failure_to_write(&error, &path))?;
    Ok(Written { path, bytes: content.len() as u64, created })
}

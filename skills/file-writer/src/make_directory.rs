//! `make-directory`: a directory and those above it. The rule: outside the grants not even an attempt to make
//! one above is needed to know that there is nothing to be had.

use std::fs;
use std::io::ErrorKind;

use granted::{Failure, Kind, mode_of, quoted};

use crate::bindings::Made;
use crate::path::plain;
use crate::save::failure_to_make;

/// Makes `path`.
pub(crate) fn make_directory(path: &str) -> Result<Made, Failure> {
    let path = plain(path)?;
    let created = make(&path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(Kind::Exists, format!("{} is a file", quoted(&path))),
        _ => failure_to_make(&error, &path),
    })?;
    Ok(Made { path, created })
}

/// Whether `path` is new.
fn make(path: &str) -> std::io::Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => Err(error),
            // In a grant for new files alone nothing may be looked at; it is there, and that was asked for.
            _ => Ok(false),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => match path.rsplit_once('/') {
            Some((above, _)) if mode_of(above).is_some() => {
                make(above)?;
                fs::create_dir(path).map(|()| true)
            }
            _ => Err(error),
        },
        Err(error) => Err(error),
    }
}

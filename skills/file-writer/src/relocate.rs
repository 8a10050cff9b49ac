//! `move`: a new name for a file or a directory (`move` itself is a word of the language). The rule: nothing
//! is ever replaced.

use std::fs;
use std::io::ErrorKind;

use granted::{Failure, Kind, kind_of, quoted};

use crate::bindings::Moved;
use crate::path::plain;
use crate::save::failure_to_make;

/// Renames `source` to `destination`.
pub(crate) fn relocate(source: &str, destination: &str) -> Result<Moved, Failure> {
    let (source, destination) = (plain(source)?, plain(destination)?);
    fs::symlink_metadata(&source).map_err(|error| Failure::from_io(&error, &source))?;
    match fs::symlink_metadata(&destination) {
        Ok(metadata) if metadata.is_dir() => {
            let hint = "a directory is there; write the full new path";
            return Err(Failure::new(Kind::Exists, format!("{}: {hint}", quoted(&destination))));
        }
        Ok(_) => {
            let hint = "exists already; choose another name or delete it first";
            return Err(Failure::new(Kind::Exists, format!("{} {hint}", quoted(&destination))));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Failure::from_io(&error, &destination)),
    }
    fs::rename(&source, &destination).map_err(|error| match kind_of(&error) {
        ErrorKind::CrossesDevices => Failure::new(
            Kind::Denied,
            format!("{} and {} are not in one granted directory", quoted(&source), quoted(&destination)),
        ),
        // The source was there a moment ago: what is missing is the destination's directory.
        _ => failure_to_make(&error, &destination),
    })?;
    Ok(Moved { source, destination })
}

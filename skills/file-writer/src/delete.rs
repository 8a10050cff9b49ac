//! `delete`: one file or one empty directory. The rule: never recursively; a model that wants a whole tree
//! gone has to say so name by name.

use std::fs;

use granted::Failure;

use crate::bindings::Deleted;
use crate::path::plain;

/// Deletes `path`.
pub(crate) fn delete(path: &str) -> Result<Deleted, Failure> {
    let path = plain(path)?;
    let at_path = |error: std::io::Error| Failure::from_io(&error, &path);
    let metadata = fs::symlink_metadata(&path).map_err(at_path)?;
    let bytes = if metadata.is_dir() {
        fs::remove_dir(&path).map_err(at_path)?;
        0
    } else {
        fs::remove_file(&path).map_err(at_path)?;
        metadata.len()
    };
    Ok(Deleted { path, bytes })
}

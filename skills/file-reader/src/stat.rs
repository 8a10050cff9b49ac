//! `stat`: what is known of a path without reading it.

use std::fs;
use std::time::UNIX_EPOCH;

use granted::Failure;

use crate::bindings::Details;
use crate::kind::kind_of;
use crate::utc::utc;

/// Looks at `path`, following links.
pub(crate) fn stat(path: &str) -> Result<Details, Failure> {
    let metadata = fs::metadata(path).map_err(|error| Failure::from_io(&error, path))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(Details {
        kind: kind_of(metadata.file_type()),
        size: metadata.len(),
        // Zero stands for 'not known' in the answers of hosts that keep no times.
        modified: modified.map(|since| since.as_secs()).filter(|&seconds| seconds > 0).map(utc),
    })
}

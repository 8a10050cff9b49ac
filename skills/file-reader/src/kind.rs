//! What a name stands for, from the file type that the host tells.

use std::fs::FileType;

use crate::bindings::EntryKind;

/// The kind of a file type, links not followed.
pub(crate) fn kind_of(file_type: FileType) -> EntryKind {
    if file_type.is_file() {
        EntryKind::File
    } else if file_type.is_dir() {
        EntryKind::Directory
    } else if file_type.is_symlink() {
        EntryKind::Link
    } else {
        EntryKind::Other
    }
}

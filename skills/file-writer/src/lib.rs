//! `file-writer`: saves what an agent made.
//!
//! One file a tool; `wit/file-writer.wit` is the documentation of each. The rule: a tool does what its name
//! says or nothing, and says what it did.

mod append;
mod bindings;
mod delete;
mod make_directory;
mod path;
mod relocate;
mod save;

use bindings::{Deleted, Failure, FailureKind, Guest, Made, Moved, Written};

struct FileWriter;

impl Guest for FileWriter {
    fn save(path: String, content: String) -> Result<Written, Failure> {
        Ok(save::save(&path, &content)?)
    }

    fn append(path: String, content: String) -> Result<Written, Failure> {
        Ok(append::append(&path, &content)?)
    }

    fn make_directory(path: String) -> Result<Made, Failure> {
        Ok(make_directory::make_directory(&path)?)
    }

    fn move_(source: String, destination: String) -> Result<Moved, Failure> {
        Ok(relocate::relocate(&source, &destination)?)
    }

    fn delete(path: String) -> Result<Deleted, Failure> {
        Ok(delete::delete(&path)?)
    }
}

impl From<granted::Failure> for Failure {
    fn from(failure: granted::Failure) -> Self {
        let kind = match failure.kind {
            granted::Kind::NotFound => FailureKind::NotFound,
            granted::Kind::Denied => FailureKind::Denied,
            granted::Kind::NotAFile => FailureKind::NotAFile,
            granted::Kind::NotADirectory => FailureKind::NotADirectory,
            granted::Kind::Exists => FailureKind::Exists,
            granted::Kind::NotEmpty => FailureKind::NotEmpty,
            granted::Kind::NoSpace => FailureKind::NoSpace,
            granted::Kind::InvalidArgument => FailureKind::InvalidArgument,
            granted::Kind::TooLarge | granted::Kind::Failed => FailureKind::Failed,
        };
        Self { kind, message: failure.message }
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(FileWriter with_types_in crate::bindings);
    use super::FileWriter;
}

//! `file-reader`: looks at documents, changes nothing.
//!
//! One file a tool; `wit/file-reader.wit` is the documentation of each. The rule: no answer is larger than
//! its bound, and an answer that was cut says so.

mod bindings;
mod kind;
mod list;
mod read;
mod search;
mod stat;
mod utc;
mod window;

use bindings::{Content, Details, Entry, Failure, FailureKind, Findings, Guest};

struct FileReader;

impl Guest for FileReader {
    fn list(path: String) -> Result<Vec<Entry>, Failure> {
        Ok(list::list(&path)?)
    }

    fn read(path: String, offset: Option<u64>, length: Option<u32>) -> Result<Content, Failure> {
        Ok(read::read(&path, offset, length)?)
    }

    fn search(path: String, text: String) -> Result<Findings, Failure> {
        Ok(search::search(&path, &text)?)
    }

    fn stat(path: String) -> Result<Details, Failure> {
        Ok(stat::stat(&path)?)
    }
}

impl From<granted::Failure> for Failure {
    fn from(failure: granted::Failure) -> Self {
        let kind = match failure.kind {
            granted::Kind::NotFound => FailureKind::NotFound,
            granted::Kind::Denied => FailureKind::Denied,
            granted::Kind::NotAFile => FailureKind::NotAFile,
            granted::Kind::NotADirectory => FailureKind::NotADirectory,
            granted::Kind::TooLarge => FailureKind::TooLarge,
            granted::Kind::InvalidArgument => FailureKind::InvalidArgument,
            _ => FailureKind::Failed,
        };
        Self { kind, message: failure.message }
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(FileReader with_types_in crate::bindings);
    use super::FileReader;
}

//! `read`: a part of a file. The rule: whoever follows `next` gets every byte once, and no character in two
//! halves.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use granted::{Failure, Kind};

use crate::bindings::Content;
use crate::window::{LOOK_BACK, Window};

/// The most bytes in an answer: base64 and the JSON around it stay well below a megabyte.
const MOST_BYTES: u32 = 256 * 1024;

/// Room for one character, so that reading on always gets further.
const FEWEST_BYTES: u32 = 4;

/// Reads at most `length` bytes of `path` from `offset` on.
pub(crate) fn read(path: &str, offset: Option<u64>, length: Option<u32>) -> Result<Content, Failure> {
    let at_path = |error: std::io::Error| Failure::from_io(&error, path);
    let mut file = File::open(path).map_err(at_path)?;
    let metadata = file.metadata().map_err(at_path)?;
    if metadata.is_dir() {
        return Err(Failure::new(
            Kind::NotAFile,
            format!("{} is a directory; use `list`", granted::quoted(path)),
        ));
    }
    let size = metadata.len();
    let offset = offset.unwrap_or(0).min(size);
    let length = length.unwrap_or(MOST_BYTES).clamp(FEWEST_BYTES, MOST_BYTES);

    let before = offset.min(LOOK_BACK);
    file.seek(SeekFrom::Start(offset - before)).map_err(at_path)?;
    let mut bytes = Vec::new();
    file.take(before + u64::from(length)).read_to_end(&mut bytes).map_err(at_path)?;

    let window = Window::new(bytes, before as usize, offset, size);
    let next = (window.end() < size).then_some(window.end());
    let offset = window.start();
    Ok(match window.into_text() {
        Ok(text) => Content { text: Some(text), bytes: None, offset, next, size },
        Err(bytes) => Content { text: None, bytes: Some(bytes), offset, next, size },
    })
}

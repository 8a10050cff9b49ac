//! A text that is compressed as a whole: gzip and zlib, as a request's `Content-Encoding` has them, with or without saying so.

use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// What a text holds compressed.
pub(super) enum Packed {
    /// It is not.
    No,
    /// This.
    Content(Vec<u8>),
    /// More than may be unpacked.
    TooMuch,
}

/// Unpacks at most so many bytes.
pub(super) fn unpacked(text: &[u8], most: usize) -> Packed {
    match text {
        [0x1f, 0x8b, 8, ..] => read(MultiGzDecoder::new(text), most),
        // RFC 1950: deflate with a window of 32 KiB, and a check of the two bytes.
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0 => read(ZlibDecoder::new(text), most),
        _ => Packed::No,
    }
}

fn read(unpacking: impl Read, most: usize) -> Packed {
    let mut content = Vec::new();
    // What breaks off in the middle was still there until then.
    let _ = unpacking.take(most as u64 + 1).read_to_end(&mut content);
    match content.len() {
        0 => Packed::No,
        length if length > most => Packed::TooMuch,
        _ => Packed::Content(content),
    }
}

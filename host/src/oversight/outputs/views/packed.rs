//! What is compressed: gzip, zlib and deflate without a header, as a request's `Content-Encoding` has them.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// How something is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::oversight::outputs) enum Packing {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
    /// RFC 1951. It has no beginning of its own, and no check at its end.
    Deflate,
}

/// What came out.
pub(super) struct Unpacked {
    /// What there was until the end, an error or the bound.
    pub(super) content: Vec<u8>,
    /// Bytes that were read.
    pub(super) read: usize,
    /// Whether it came to its own end, and every check held.
    pub(super) ended: bool,
}

/// Unpacks from the beginning of this text, at most one byte more than `most`.
pub(super) fn unpack(packing: Packing, text: &[u8], most: usize) -> Unpacked {
    let bound = most as u64 + 1;
    let mut content = Vec::new();
    // What breaks off in the middle was still there until then.
    let (outcome, rest) = match packing {
        Packing::Gzip => {
            let mut decoder = MultiGzDecoder::new(text);
            (decoder.by_ref().take(bound).read_to_end(&mut content), decoder.into_inner())
        }
        Packing::Zlib => {
            let mut decoder = ZlibDecoder::new(text);
            (decoder.by_ref().take(bound).read_to_end(&mut content), decoder.into_inner())
        }
        Packing::Deflate => {
            let mut decoder = DeflateDecoder::new(text);
            (decoder.by_ref().take(bound).read_to_end(&mut content), decoder.into_inner())
        }
    };
    let ended = outcome.is_ok() && content.len() <= most;
    Unpacked { content, read: text.len() - rest.len(), ended }
}

/// Whether a receiver that takes this text for one of these can have nothing else in it: it comes to its end, and that is the
/// text's.
pub(in crate::oversight::outputs) fn is_whole(packings: &[Packing], text: &[u8]) -> bool {
    packings.iter().any(|packing| {
        let unpacked = unpack(*packing, text, super::room(text));
        unpacked.ended && unpacked.read == text.len()
    })
}

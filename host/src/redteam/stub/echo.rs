//! A server that writes what it was sent into its answer, as servers do that show requests to whoever debugs them: as it is,
//! in the encodings of the web, in a header, in pieces.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;

/// How it writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// As it came.
    Plain,
    /// In a header of the answer.
    Header,
    /// Percent-encoded, every character.
    Percent,
    /// As a JSON string of `\u0061`.
    Json,
    /// As HTML's `&#97;`.
    Html,
    /// In hexadecimal digits.
    Hex,
    /// In hexadecimal digits with a colon after each pair.
    HexColons,
    /// In base64, of the whole header.
    Base64,
    /// In base64 as it stands in URLs, one character further.
    Base64Url,
    /// In base64 with a line end after every 16.
    Base64Folded,
    /// In UTF-16.
    Wide,
    /// In two pieces, cut within.
    Pieces,
    /// Compressed, although nobody asked for it.
    Gzip,
    /// The last character first: nobody promises to find it.
    Reversed,
}

impl Echo {
    /// Those that the host promises to see.
    pub(crate) const SEEN: [Self; 13] = [
        Self::Plain,
        Self::Header,
        Self::Percent,
        Self::Json,
        Self::Html,
        Self::Hex,
        Self::HexColons,
        Self::Base64,
        Self::Base64Url,
        Self::Base64Folded,
        Self::Wide,
        Self::Pieces,
        Self::Gzip,
    ];

    /// Its name in an attack's id.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The answer to a request with this head, in the parts in which it is sent.
    pub(super) fn answer(self, head: &str) -> Vec<Vec<u8>> {
        let bytes = head.as_bytes();
        let each =
            |write: fn(u8) -> String| bytes.iter().copied().map(write).collect::<String>().into_bytes();
        let body = match self {
            Self::Plain | Self::Header | Self::Pieces => bytes.to_vec(),
            Self::Percent => each(|byte| format!("%{byte:02X}")),
            Self::Json => each(|byte| format!("\\u{byte:04x}")),
            Self::Html => each(|byte| format!("&#{byte};")),
            Self::Hex => each(|byte| format!("{byte:02x}")),
            Self::HexColons => each(|byte| format!("{byte:02x}:")),
            Self::Base64 => STANDARD.encode(bytes).into_bytes(),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(format!("x{head}")).into_bytes(),
            Self::Base64Folded => {
                STANDARD.encode(bytes).into_bytes().chunks(16).collect::<Vec<_>>().join(&b"\r\n"[..])
            }
            Self::Wide => bytes.iter().flat_map(|byte| [*byte, 0]).collect(),
            Self::Gzip => gzip(bytes),
            Self::Reversed => bytes.iter().rev().copied().collect(),
        };
        let more = match self {
            Self::Header => {
                // A header is one line.
                format!("x-echo: {}\r\n", head.replace(['\r', '\n'], " "))
            }
            Self::Gzip => "content-encoding: gzip\r\n".to_owned(),
            _ => String::new(),
        };
        let body = if self == Self::Header { b"ok".to_vec() } else { body };
        let answered = format!("HTTP/1.1 200 OK\r\n{more}content-length: {}\r\n\r\n", body.len());
        match self {
            // Seven at a time, so that whoever looks at a piece alone sees no secret.
            Self::Pieces => {
                let mut parts = vec![answered.into_bytes()];
                parts.extend(body.chunks(7).map(<[u8]>::to_vec));
                parts
            }
            _ => vec![[answered.into_bytes(), body].concat()],
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Into memory: it does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

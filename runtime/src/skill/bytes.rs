//! The bytes of a component: their digest, and what they are when they are no component.
//!
//! The first eight bytes tell. What they claim is not believed beyond that: everything else about a component is
//! read in the compiling child process.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The largest component that is looked at, in bytes. Python's are 18 MB.
pub const COMPONENT_BYTES: u64 = 40 << 20;

/// SHA-256 of a component's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads what [`Display`](fmt::Display) writes: 64 hexadecimal digits, lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let digits = text.as_bytes();
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(digest))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("expected a SHA-256: 64 hexadecimal digits, lower case");
        Self::parse(&text).ok_or_else(wrong)
    }
}

impl fmt::Display for Digest {
    /// 64 hexadecimal digits, lower case.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why bytes are not a component that this program loads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAComponent {
    /// Nothing at all.
    #[error("the file is empty")]
    Empty,
    /// Over [`COMPONENT_BYTES`].
    #[error("the file has {bytes} bytes, a component may have {COMPONENT_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// A WebAssembly module of the core specification.
    #[error(
        "this is a core WebAssembly module, not a component; build for `wasm32-wasip2`, or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// The text format.
    #[error("this is WebAssembly text, which is not loaded; `wasm-tools parse` makes a binary of it")]
    Text,
    /// Machine code, wasmtime's own `.cwasm` among it.
    #[error(
        "this is machine code (ELF), perhaps a precompiled component; only portable components are loaded"
    )]
    Precompiled,
    /// A layer or version that this build does not know.
    #[error(
        "this is WebAssembly of a version that this build does not know (layer {layer}, version {version})"
    )]
    OtherVersion {
        /// The layer field: 0 core, 1 component.
        layer: u16,
        /// The version field.
        version: u16,
    },
    /// Something else.
    #[error("this is no WebAssembly: it does not start with `\\0asm`")]
    Other,
    /// Shorter than a header.
    #[error("the file is cut short: a component's header has 8 bytes")]
    Truncated,
}

/// Says whether these bytes claim to be a component.
///
/// # Errors
///
/// What they are instead.
pub fn recognise(bytes: &[u8]) -> Result<(), NotAComponent> {
    if bytes.len() as u64 > COMPONENT_BYTES {
        return Err(NotAComponent::TooLarge { bytes: bytes.len() as u64 });
    }
    match bytes {
        [] => Err(NotAComponent::Empty),
        // `0d 00 01 00`: version 0x0d of layer 1, the component model's binary format.
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(NotAComponent::CoreModule),
        [0, b'a', b's', b'm', a, b, c, d, ..] => Err(NotAComponent::OtherVersion {
            layer: u16::from_le_bytes([*c, *d]),
            version: u16::from_le_bytes([*a, *b]),
        }),
        [0, b'a', b's', b'm', ..] => Err(NotAComponent::Truncated),
        [0x7f, b'E', b'L', b'F', ..] => Err(NotAComponent::Precompiled),
        _ if looks_like_text(bytes) => Err(NotAComponent::Text),
        _ => Err(NotAComponent::Other),
    }
}

/// WAT starts with an opening parenthesis or a comment.
fn looks_like_text(bytes: &[u8]) -> bool {
    let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(start, Some(b'(')) || bytes.trim_ascii_start().starts_with(b";;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_named() {
        let cases: &[(&[u8], NotAComponent)] = &[
            (b"", NotAComponent::Empty),
            (b"\0asm\x01\0\0\0", NotAComponent::CoreModule),
            (b" (component)", NotAComponent::Text),
            (b";; x\n(module)", NotAComponent::Text),
            (b"\x7fELF\x02", NotAComponent::Precompiled),
            (b"\0asm\x63\0\x01\0", NotAComponent::OtherVersion { layer: 1, version: 0x63 }),
            (b"\0asm", NotAComponent::Truncated),
            (b" \0asm\x0d\0\x01\0", NotAComponent::Other),
            (b"#!/bin/sh", NotAComponent::Other),
        ];
        for (bytes, expected) in cases {
            assert_eq!(recognise(bytes).as_ref(), Err(expected));
        }
        assert_eq!(recognise(b"\0asm\x0d\0\x01\0"), Ok(()));
    }
}

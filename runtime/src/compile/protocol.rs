//! What goes through the pipes between this program and its compiling child: lengths first, then the bytes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::skill::Inspection;

/// The most that a first block, a question or a report, may have, in bytes. A report describes a component in text; what is
/// larger describes no honest one.
pub(crate) const TEXT_BYTES: u64 = 16 << 20;
/// The most that a second block, a component or its machine code, may have, in bytes. Code is several times the component.
pub(crate) const CODE_BYTES: u64 = 512 << 20;

/// What the child is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) wit: Vec<(String, String)>,
    pub(crate) compile: bool,
}

/// What it made.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) inspection: Inspection,
    /// Machine code; empty when only the inspection was asked for.
    pub(crate) code: Vec<u8>,
}

/// Writes two blocks, each after its length in eight bytes (little endian).
pub(crate) fn write(out: &mut impl Write, blocks: [&[u8]; 2]) -> io::Result<()> {
    for block in blocks {
        out.write_all(&(block.len() as u64).to_le_bytes())?;
        out.write_all(block)?;
    }
    out.flush()
}

/// Reads two blocks. A length is believed only as far as bytes follow.
pub(crate) fn read(input: &mut impl Read) -> io::Result<[Vec<u8>; 2]> {
    Ok([read_block(input, TEXT_BYTES)?, read_block(input, CODE_BYTES)?])
}

fn read_block(input: &mut impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    input.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message over its limit"));
    }
    let mut block = Vec::new();
    input.take(length).read_to_end(&mut block)?;
    if block.len() as u64 == length { Ok(block) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

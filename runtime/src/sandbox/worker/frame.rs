//! What goes over the socket between this program and a worker: the compiling child's two blocks, each after its length, of
//! which the second may be empty.
//!
//! The rule: a length that a worker announces is believed only as far as bytes follow, and no further than is due.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::compile::protocol;

/// A frame's bytes.
pub(super) fn frame(head: &impl Serialize, body: &[u8]) -> io::Result<Vec<u8>> {
    let head = serde_json::to_vec(head)?;
    let mut frame = Vec::with_capacity(head.len() + body.len() + 16);
    protocol::write(&mut frame, [&head, body])?;
    Ok(frame)
}

/// A frame's head and body, of a process that is trusted.
pub(super) fn read<H: DeserializeOwned>(input: &mut impl io::Read) -> io::Result<(H, Vec<u8>)> {
    let [head, body] = protocol::read(input)?;
    Ok((serde_json::from_slice(&head)?, body))
}

/// The same of one that is not: a head of at most `head` bytes, a body of at most `body`.
pub(super) async fn read_bounded<H: DeserializeOwned>(
    input: &mut (impl AsyncRead + Unpin),
    head: u64,
    body: u64,
) -> io::Result<(H, Vec<u8>)> {
    let head = read_block(input, head).await?;
    let head = serde_json::from_slice(&head)?;
    Ok((head, read_block(input, body).await?))
}

async fn read_block(input: &mut (impl AsyncRead + Unpin), most: u64) -> io::Result<Vec<u8>> {
    let length = input.read_u64_le().await?;
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message over its limit"));
    }
    let mut block = Vec::new();
    input.take(length).read_to_end(&mut block).await?;
    if block.len() as u64 == length { Ok(block) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

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
    body: impl FnOnce() -> u64,
) -> io::Result<(H, Vec<u8>)> {
    let head = read_block(input, head).await?;
    let head = serde_json::from_slice(&head)?;
    Ok((head, read_block(input, body()).await?))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<(String, Vec<u8>)> {
        read_bounded(&mut &*bytes, 100, || 10).await
    }

    #[tokio::test]
    async fn a_frame_arrives_as_it_was_and_no_further_than_is_due() {
        let whole = frame(&"head", b"body").unwrap();
        assert_eq!(read(&whole).await.unwrap(), ("head".to_owned(), b"body".to_vec()));
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).await.is_err(), "{end} bytes of {}", whole.len());
        }
        assert!(read(&frame(&"x".repeat(99), b"").unwrap()).await.is_err(), "a head over its limit");
        assert!(read(&frame(&"head", &[0; 11]).unwrap()).await.is_err(), "a body over its limit");
        let announced = [&u64::MAX.to_le_bytes()[..], b"\"head\""].concat();
        assert!(read(&announced).await.is_err(), "a length is no reason to make room");
    }

    proptest! {
        #[test]
        fn whatever_a_worker_sends_is_a_frame_or_an_error(bytes: Vec<u8>) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok((head, body)) = runtime.block_on(read(&bytes)) {
                prop_assert!(head.len() <= 100 && body.len() <= 10);
            }
        }
    }
}

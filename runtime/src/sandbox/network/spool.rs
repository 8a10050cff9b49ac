//! A request's body, complete before anybody is asked: what is judged must be what is sent, and half a body can be judged
//! by nobody.
//!
//! The rule: a body that did not come to its end as its head said is not sent, nor is anybody asked about it. Trailers of
//! the guest's are no part of what is judged, so they are dropped.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, WasiBody};

/// Why there is no complete body.
#[derive(Debug)]
pub(super) enum SpoolFault {
    /// It is larger than what is held back.
    TooLarge,
    /// The guest gave it up, or it is not as long as its head says.
    Broken(Error),
}

/// Reads the whole body, at most `most` bytes. Waits for the guest, whose clock runs.
pub(super) async fn spool(mut body: WasiBody, headers: &HeaderMap, most: u64) -> Result<Bytes, SpoolFault> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(SpoolFault::Broken)?.into_data() else { continue };
        if (whole.len() as u64).saturating_add(data.len() as u64) > most {
            return Err(SpoolFault::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    // A length that is not the body's would make the rest of it another request. (A guest that was ended in the middle looks
    // as if it had finished: for that case the witness lets nothing of a call go on that is over.)
    let length = whole.len().to_string();
    if headers.get_all(header::CONTENT_LENGTH).iter().any(|said| said.as_bytes() != length.as_bytes()) {
        return Err(SpoolFault::Broken(Error::HttpRequestBodySize(Some(whole.len() as u64))));
    }
    Ok(whole.freeze())
}

/// The body that goes out.
pub(super) fn whole(bytes: Bytes) -> WasiBody {
    Full::new(bytes).map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

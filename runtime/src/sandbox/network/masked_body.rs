//! A response's body in which echoes of secrets are masked, as it streams.
//!
//! Lengths stay what they were, so a `Content-Length` stays true. Held back are always as many of the last
//! bytes ([`Masking`]), and an answer that breaks off is given without them: what those were, nobody is told.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::Error;

use super::response_body::ResponseBody;
use super::secrets::mask_headers;
use crate::sandbox::secret::{Masking, Secret};

/// The metered body, masked.
pub(super) struct MaskedBody {
    body: ResponseBody,
    secrets: Vec<Arc<Secret>>,
    masking: Masking,
    /// What comes after the last byte: trailers.
    last: Option<Result<Frame<Bytes>, Error>>,
    is_over: bool,
}

impl MaskedBody {
    /// Masks echoes of these.
    pub(super) fn new(body: ResponseBody, secrets: Vec<Arc<Secret>>) -> Self {
        Self { body, masking: Masking::of(secrets.clone()), secrets, last: None, is_over: false }
    }

    /// The end: first what was held back, then what comes last.
    fn end(
        &mut self,
        last: Option<Result<Frame<Bytes>, Error>>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.is_over = true;
        if let Some(Err(_)) = &last {
            // What broke off in the middle of an echo shows no part of it, and nothing tells whether there was one.
            return Poll::Ready(last);
        }
        let rest = self.masking.finish();
        if rest.is_empty() {
            return Poll::Ready(last);
        }
        self.last = last;
        Poll::Ready(Some(Ok(Frame::data(rest.into()))))
    }
}

impl Body for MaskedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.is_over {
            return Poll::Ready(self.last.take());
        }
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                last => return self.end(last),
            };
            match frame.into_data() {
                Ok(data) => {
                    let masked = self.masking.push(&data);
                    // All of it may be the beginning of an echo: an empty frame would say nothing.
                    if !masked.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(masked.into()))));
                    }
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().map(|mut trailers| {
                        mask_headers(&self.secrets, &mut trailers);
                        Frame::trailers(trailers)
                    });
                    return self.end(trailers.ok().map(Ok));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        if self.is_over { self.last.is_none() } else { self.body.is_end_stream() && self.masking.held() == 0 }
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.masking.held() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(held));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}

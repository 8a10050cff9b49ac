//! A response's body on its way in: counted, timed, and cut off at the limit.
//!
//! It owns the connection that it comes from. Read to its end, it gives the connection back; dropped before,
//! it closes it, so that no later request can be answered with what was left of this one.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

use super::pool::Lease;
use super::refusal;
use crate::sandbox::witness::Witness;

/// The server's body, metered.
pub(super) struct ResponseBody {
    incoming: Incoming,
    left: u64,
    limit: u64,
    quiet: Duration,
    timer: Pin<Box<Sleep>>,
    // The connection and the call's slot for one request at a time; both gone once the body has ended.
    held: Option<(Lease, OwnedSemaphorePermit)>,
    failed: bool,
    witness: Arc<Witness>,
}

impl ResponseBody {
    /// Meters a body. `quiet` is how long the server may send nothing.
    pub(super) fn new(
        incoming: Incoming,
        limit: u64,
        quiet: Duration,
        held: (Lease, OwnedSemaphorePermit),
        witness: Arc<Witness>,
    ) -> Self {
        let timer = Box::pin(sleep(quiet));
        let mut body =
            Self { incoming, left: limit, limit, quiet, timer, held: Some(held), failed: false, witness };
        if body.incoming.is_end_stream() {
            body.finish();
        }
        body
    }

    fn finish(&mut self) {
        if let Some((lease, _)) = self.held.take() {
            lease.give_back();
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.failed = true;
        self.held = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                let Some(left) = self.left.checked_sub(u64::try_from(length).unwrap_or(u64::MAX)) else {
                    let limit = self.limit;
                    self.witness.limit(refusal::too_large(&self.witness, "response", limit));
                    return self.fail(Error::HttpResponseBodySize(Some(limit)));
                };
                self.left = left;
                let next = Instant::now() + self.quiet;
                self.timer.as_mut().reset(next);
                if frame.is_trailers() || self.incoming.is_end_stream() {
                    self.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = super::call::response_error(&error);
                self.fail(error)
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending => match self.timer.as_mut().poll(context) {
                Poll::Ready(()) => self.fail(Error::ConnectionReadTimeout),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

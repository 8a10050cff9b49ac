//! A request's body on its way out: counted, charged, and cut off at the limit.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use super::EgressBudget;
use super::refusal;
use crate::sandbox::witness::Witness;

/// Why a body was cut off. Shared with the request, which then fails with the error that the guest is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Larger than one request's body may be.
    TooLarge,
    /// The egress budget is used up.
    Budget,
}

/// Where a cut is told.
pub(super) type CutCell = Arc<OnceLock<Cut>>;

/// The guest's body, metered.
pub(super) struct RequestBody {
    pub(super) inner: WasiBody,
    pub(super) left: u64,
    pub(super) limit: u64,
    pub(super) budget: Option<EgressBudget>,
    pub(super) witness: Arc<Witness>,
    pub(super) cut: CutCell,
}

impl RequestBody {
    fn charge(&mut self, bytes: u64) -> Result<(), Error> {
        let Some(left) = self.left.checked_sub(bytes) else {
            self.witness.limit(refusal::too_large(&self.witness, "request", self.limit));
            let _ = self.cut.set(Cut::TooLarge);
            return Err(Error::HttpRequestBodySize(Some(self.limit)));
        };
        self.left = left;
        if let Some(budget) = &self.budget
            && let Err(denial) = budget(bytes)
        {
            self.witness.limit(denial);
            let _ = self.cut.set(Cut::Budget);
            return Err(Error::HttpRequestDenied);
        }
        Ok(())
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            other => return other,
        };
        // Trailers leave the machine too.
        let bytes = match (frame.data_ref(), frame.trailers_ref()) {
            (Some(data), _) => data.len(),
            (None, Some(trailers)) => super::headers::bytes(trailers),
            (None, None) => 0,
        };
        let charged = self.charge(u64::try_from(bytes).unwrap_or(u64::MAX));
        Poll::Ready(Some(charged.map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

//! What both sides know of a request: its head, its bodies piece by piece, and how it failed.
//!
//! A body goes over the socket only as its reader asks for it, one piece at a time: so neither side ever holds more of one than
//! a piece, and a slow reader slows its writer down.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wasmtime_wasi_http::{Error, WasiBody};

/// Header fields, in order.
pub(super) type Fields = Vec<(String, Vec<u8>)>;

/// A piece of a body; data goes beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Piece {
    Data,
    Trailers(Fields),
    End,
    Failed(Fault),
}

/// A request as a guest made it, unjudged.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RequestHead {
    pub(super) method: String,
    pub(super) scheme: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) path: Option<String>,
    pub(super) fields: Fields,
    /// The guest's own timeouts in milliseconds: to connect, to the first byte, between bytes.
    pub(super) timeouts: [Option<u64>; 3],
    pub(super) length: Length,
}

/// What is known of a body's length.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Length {
    none: bool,
    exact: Option<u64>,
}

impl Length {
    pub(super) fn of(body: &WasiBody) -> Self {
        Self { none: body.is_end_stream(), exact: body.size_hint().exact() }
    }
}

/// Header fields for the other side.
pub(super) fn fields(headers: &HeaderMap) -> Fields {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

/// Header fields from the other side; `None` where one is none.
pub(super) fn headers(fields: &Fields) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.try_append(name, HeaderValue::from_bytes(value).ok()?).ok()?;
    }
    Some(headers)
}

/// A body that the other side has.
pub(super) struct FarBody {
    pieces: mpsc::Receiver<(Piece, Bytes)>,
    /// Asks for the next piece.
    ask: Box<dyn Fn() + Send>,
    asked: bool,
    over: bool,
    left: Option<u64>,
    /// Dropped with it.
    _kept: Box<dyn Send>,
}

impl FarBody {
    pub(super) fn boxed(
        pieces: mpsc::Receiver<(Piece, Bytes)>,
        length: Length,
        ask: impl Fn() + Send + 'static,
        kept: impl Send + 'static,
    ) -> WasiBody {
        let (ask, kept) = (Box::new(ask), Box::new(kept));
        let body = Self { pieces, ask, asked: false, over: length.none, left: length.exact, _kept: kept };
        body.boxed_unsync()
    }
}

impl Body for FarBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if !self.asked {
            self.asked = true;
            (self.ask)();
        }
        let Poll::Ready(piece) = self.pieces.poll_recv(context) else { return Poll::Pending };
        self.asked = false;
        let frame = match piece {
            Some((Piece::Data, data)) => {
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some((Piece::Trailers(fields), _)) => headers(&fields).map(Frame::trailers),
            Some((Piece::End, _)) => {
                self.over = true;
                return Poll::Ready(None);
            }
            Some((Piece::Failed(fault), _)) => {
                self.over = true;
                return Poll::Ready(Some(Err(fault.into())));
            }
            // Whoever had it is gone: a body that was cut off must not pass for a complete one.
            None => None,
        };
        self.over = frame.is_none();
        Poll::Ready(Some(frame.ok_or(Error::ConnectionTerminated)))
    }

    fn is_end_stream(&self) -> bool {
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Gives a body away, piece by piece as they are asked for, until its end or until nobody can ask any more.
pub(super) async fn give<F>(
    mut body: WasiBody,
    mut asked: mpsc::Receiver<()>,
    send: impl Fn(Piece, Bytes) -> F,
) where
    F: Future<Output = ()>,
{
    while asked.recv().await.is_some() {
        let (piece, data) = match body.frame().await {
            None => (Piece::End, Bytes::new()),
            Some(Err(error)) => (Piece::Failed(error.into()), Bytes::new()),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => (Piece::Data, data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    (Piece::Trailers(fields(&trailers)), Bytes::new())
                }
            },
        };
        let last = matches!(piece, Piece::End | Piece::Failed(_));
        send(piece, data).await;
        if last {
            return;
        }
    }
}

macro_rules! faults {
    ($($unit:ident)*; $($of:ident($inner:ty))*) => {
        /// How a request failed, in the interface's terms.
        #[derive(Debug, Serialize, Deserialize)]
        pub(super) enum Fault {
            $($unit,)*
            $($of(Option<$inner>),)*
            Dns(Option<String>, Option<u16>),
            TlsAlert(Option<u8>, Option<String>),
        }

        impl From<Error> for Fault {
            fn from(error: Error) -> Self {
                match error {
                    $(Error::$unit => Self::$unit,)*
                    $(Error::$of(inner) => Self::$of(inner),)*
                    Error::DnsError { rcode, info_code } => Self::Dns(rcode, info_code),
                    Error::TlsAlertReceived { alert_id, alert_message } => {
                        Self::TlsAlert(alert_id, alert_message)
                    }
                    // What no code of ours says; the guest is told that much.
                    _ => Self::InternalError(None),
                }
            }
        }

        impl From<Fault> for Error {
            fn from(fault: Fault) -> Self {
                match fault {
                    $(Fault::$unit => Self::$unit,)*
                    $(Fault::$of(inner) => Self::$of(inner),)*
                    Fault::Dns(rcode, info_code) => Self::DnsError { rcode, info_code },
                    Fault::TlsAlert(alert_id, alert_message) => {
                        Self::TlsAlertReceived { alert_id, alert_message }
                    }
                }
            }
        }
    };
}

faults! {
    DnsTimeout DestinationNotFound DestinationUnavailable DestinationIpProhibited DestinationIpUnroutable
    ConnectionRefused ConnectionTerminated ConnectionTimeout ConnectionReadTimeout ConnectionWriteTimeout
    ConnectionLimitReached TlsProtocolError TlsCertificateError HttpRequestDenied HttpRequestLengthRequired
    HttpRequestMethodInvalid HttpRequestUriInvalid HttpRequestUriTooLong HttpResponseIncomplete HttpResponseTimeout
    HttpUpgradeFailed HttpProtocolError LoopDetected ConfigurationError;
    HttpRequestBodySize(u64) HttpRequestHeaderSectionSize(u32) HttpRequestTrailerSectionSize(u32)
    HttpResponseHeaderSectionSize(u32) HttpResponseBodySize(u64) HttpResponseTrailerSectionSize(u32)
    HttpResponseTransferCoding(String) HttpResponseContentCoding(String) InternalError(String)
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn whole(data: &'static [u8]) -> WasiBody {
        Full::new(Bytes::from_static(data)).map_err(|never| match never {}).boxed_unsync()
    }

    /// A body and its other half, over channels in place of the socket.
    fn carried(body: WasiBody) -> (WasiBody, impl Future<Output = ()>) {
        let (length, (next, asked), (piece, pieces)) =
            (Length::of(&body), mpsc::channel(1), mpsc::channel(1));
        let far = FarBody::boxed(
            pieces,
            length,
            move || {
                let _ = next.try_send(());
            },
            (),
        );
        let send = move |what, data| {
            let piece = piece.clone();
            async move { drop(piece.send((what, data)).await) }
        };
        (far, give(body, asked, send))
    }

    #[tokio::test]
    async fn a_body_arrives_whole_and_with_its_length() {
        let (far, giving) = carried(whole(b"hello"));
        assert_eq!(far.size_hint().exact(), Some(5), "it is framed on the wire as the guest framed it");
        let (collected, ()) = tokio::join!(far.collect(), giving);
        assert_eq!(collected.unwrap().to_bytes(), "hello");
        let (far, _) = carried(whole(b""));
        assert!(far.is_end_stream());
    }

    #[tokio::test]
    async fn a_body_whose_other_half_is_gone_does_not_pass_for_a_complete_one() {
        let (far, giving) = carried(whole(b"hello"));
        drop(giving);
        assert!(matches!(far.collect().await, Err(Error::ConnectionTerminated)));
    }

    #[test]
    fn a_failure_is_the_same_on_the_other_side() {
        for error in [
            Error::HttpRequestDenied,
            Error::DestinationIpProhibited,
            Error::HttpResponseBodySize(Some(7)),
            Error::DnsError { rcode: Some("x".into()), info_code: Some(3) },
            Error::TlsAlertReceived { alert_id: Some(1), alert_message: None },
        ] {
            let told = format!("{error:?}");
            let text = serde_json::to_vec(&Fault::from(error)).unwrap();
            let again: Error = serde_json::from_slice::<Fault>(&text).unwrap().into();
            assert_eq!(format!("{again:?}"), told);
        }
    }
}

//! A guest's requests in a worker: handed on as they are, with their bodies, and judged and sent by the other side.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::sync::mpsc;
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::sandbox::network;
use crate::sandbox::witness::Witness;
use crate::sandbox::worker::far::{Far, Outward};
use crate::sandbox::worker::http::{FarBody, Fault, Length, RequestHead, fields, give, headers};
use crate::sandbox::worker::message::{Answer, Refused, What};

/// The network of one call.
pub(super) struct FarNetwork {
    pub(super) far: Far,
    pub(super) witness: Arc<Witness>,
}

/// A request that is under way there. Dropped, it is given up, unless all of the answer was read.
struct Exchange {
    far: Far,
    ask: u64,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.far.outward.forget(self.ask);
        self.far.tell(What::GiveUp { ask: self.ask }, &[]);
    }
}

impl WasiHttpHooks for FarNetwork {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        network::forbidden_headers()
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<
        dyn Future<
                Output = Result<
                    (Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>),
                    Error,
                >,
            > + Send,
    > {
        let (far, witness) = (self.far.clone(), Arc::clone(&self.witness));
        let driver: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(std::future::ready(Ok(())));
        Box::new(
            async move { Ok((send(far, &witness, request, options.unwrap_or_default()).await?, driver)) },
        )
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        network::CHUNK
    }
}

/// What is told of a method, in characters.
const METHOD_CHARACTERS: usize = 64;

async fn send(
    far: Far,
    witness: &Witness,
    request: Request<WasiBody>,
    options: RequestOptions,
) -> Result<Response<WasiBody>, Error> {
    // After a change that was refused behind the guest's back nothing more goes out.
    witness.may_go_on().map_err(|denial| {
        witness.limit(denial);
        Error::HttpRequestDenied
    })?;
    let (parts, body) = request.into_parts();
    let text = |text: &dyn ToString| text.to_string();
    let millis =
        |time: Option<Duration>| time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let head = RequestHead {
        // Enough of one for the other side to see that it is none.
        method: parts.method.as_str().chars().take(METHOD_CHARACTERS).collect(),
        scheme: parts.uri.scheme_str().map(str::to_owned),
        authority: parts.uri.authority().map(|authority| text(authority)),
        path: parts.uri.path_and_query().map(|path| text(path)),
        fields: fields(&parts.headers),
        timeouts: [
            millis(options.connect_timeout),
            millis(options.first_byte_timeout),
            millis(options.between_bytes_timeout),
        ],
        length: Length::of(&body),
    };
    let ask = far.outward.number();
    let exchange = Exchange { far: far.clone(), ask };
    let (asked, pieces) = far.outward.carry(ask);
    let giver = far.clone();
    tokio::spawn(give(body, asked, move |piece, data| {
        giver.tell(What::Piece { ask, piece }, &data);
        std::future::ready(())
    }));
    match far.ask_as(ask, What::Request { ask, head }, &[]).await {
        Some((Answer::Response { status, fields, length }, _)) => {
            let mut response = Response::new(body_of(exchange, pieces, length));
            *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
            *response.headers_mut() = headers(&fields).ok_or(Error::HttpProtocolError)?;
            Ok(response)
        }
        Some((Answer::Fault { fault, denial }, _)) => {
            // Recorded there; here it says why the guest failed, if it does.
            if let Some(denial) = denial.and_then(Refused::into_denial) {
                witness.limit(denial);
            }
            Err(fault.into())
        }
        _ => Err(Fault::InternalError(None).into()),
    }
}

fn body_of(
    exchange: Exchange,
    pieces: mpsc::Receiver<(super::http::Piece, bytes::Bytes)>,
    length: Length,
) -> WasiBody {
    let (far, ask) = (exchange.far.clone(), exchange.ask);
    FarBody::boxed(pieces, length, move || far.tell(What::Next { ask }, &[]), exchange)
}

impl Outward {
    /// The two ends of a request's bodies: when a piece of its own is asked for, and the pieces of the answer's.
    fn carry(&self, ask: u64) -> (mpsc::Receiver<()>, mpsc::Receiver<(super::http::Piece, bytes::Bytes)>) {
        let ((next, asked), (piece, pieces)) = (mpsc::channel(1), mpsc::channel(1));
        self.bodies().insert(ask, (next, piece));
        (asked, pieces)
    }
}

//! One call's requests, on the side that sends them: each goes the one way that requests go ([`crate::sandbox::network`]), with
//! bodies that lie in the worker or are wanted there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use wasmtime_wasi_http::{RequestOptions, WasiBody};

use crate::sandbox::network::CallNetwork;
use crate::sandbox::witness::Witness;
use crate::sandbox::worker::call::OPEN_QUESTIONS;
use crate::sandbox::worker::connection::Connection;
use crate::sandbox::worker::http::{FarBody, Length, Piece, RequestHead, fields, give, headers};
use crate::sandbox::worker::message::{Answer, Refused, ToWorker};

/// The requests that are under way.
pub(super) struct Requests {
    network: CallNetwork,
    open: HashMap<u64, Open>,
}

struct Open {
    /// A piece of the answer is wanted.
    wanted: mpsc::Sender<()>,
    /// Pieces of the guest's own body.
    pieces: mpsc::Sender<(Piece, Bytes)>,
    task: AbortHandle,
}

impl Requests {
    pub(super) fn new(network: CallNetwork) -> Self {
        Self { network, open: HashMap::new() }
    }

    /// Begins one; `false` where it is none, or one that there is.
    pub(super) fn begin(
        &mut self,
        tasks: &mut JoinSet<()>,
        connection: &Arc<Connection>,
        witness: &Arc<Witness>,
        ask: u64,
        head: RequestHead,
    ) -> bool {
        if self.open.len() >= OPEN_QUESTIONS {
            // Those that failed are given up by the worker, whenever it gets to that.
            self.open.retain(|_, open| !open.task.is_finished());
        }
        if self.open.len() >= OPEN_QUESTIONS || self.open.contains_key(&ask) {
            return false;
        }
        let ((wanted, asked), (pieces, body)) = (mpsc::channel(1), mpsc::channel(1));
        let Some((request, options)) = request(head, |length| own_body(connection, ask, body, length)) else {
            return false;
        };
        let sent = self.network.send(request, Some(options));
        let (connection, witness) = (Arc::clone(connection), Arc::clone(witness));
        let task = tasks.spawn(async move {
            let (answer, body) = match sent.await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    let (status, length) = (parts.status.as_u16(), Length::of(&body));
                    (Answer::Response { status, fields: fields(&parts.headers), length }, Some(body))
                }
                Err(error) => {
                    let denial = witness.last_denial().as_ref().map(Refused::of);
                    (Answer::Fault { fault: error.into(), denial }, None)
                }
            };
            connection.send(&ToWorker::Answer { ask, answer }, &[]).await;
            if let Some(body) = body {
                let connection = &connection;
                let piece = |piece, data: Bytes| async move {
                    connection.send(&ToWorker::Piece { ask, piece }, &data).await;
                };
                give(body, asked, piece).await;
            }
        });
        self.open.insert(ask, Open { wanted, pieces, task });
        true
    }

    /// A piece of an answer is wanted. More than one at a time is nonsense.
    pub(super) fn next(&mut self, ask: u64) -> bool {
        // An answer that failed halfway is over on this side first.
        self.open
            .get(&ask)
            .is_none_or(|open| !matches!(open.wanted.try_send(()), Err(full) if is_full(&full)))
    }

    /// A piece of the guest's body came. One that nobody asked for is nonsense.
    pub(super) fn piece(&mut self, ask: u64, piece: Piece, data: Vec<u8>) -> bool {
        let Some(open) = self.open.get(&ask) else { return true };
        !matches!(open.pieces.try_send((piece, Bytes::from(data))), Err(full) if is_full(&full))
    }

    /// The guest wants nothing more of it.
    pub(super) fn give_up(&mut self, ask: u64) {
        if let Some(open) = self.open.remove(&ask) {
            open.task.abort();
        }
    }
}

fn is_full<T>(error: &mpsc::error::TrySendError<T>) -> bool {
    matches!(error, mpsc::error::TrySendError::Full(_))
}

fn own_body(
    connection: &Arc<Connection>,
    ask: u64,
    pieces: mpsc::Receiver<(Piece, Bytes)>,
    length: Length,
) -> WasiBody {
    let connection = Arc::clone(connection);
    let next = move || {
        let connection = Arc::clone(&connection);
        tokio::spawn(async move { connection.send(&ToWorker::Next { ask }, &[]).await });
    };
    FarBody::boxed(pieces, length, next, ())
}

/// The request as the guest's own engine made it there, with nothing judged yet.
fn request(
    head: RequestHead,
    body: impl FnOnce(Length) -> WasiBody,
) -> Option<(Request<WasiBody>, RequestOptions)> {
    let mut uri = http::uri::Parts::default();
    uri.scheme = head.scheme.map(|scheme| scheme.parse()).transpose().ok()?;
    uri.authority = head.authority.map(|authority| authority.parse()).transpose().ok()?;
    uri.path_and_query = head.path.map(|path| path.parse()).transpose().ok()?;
    let mut request = Request::new(body(head.length));
    *request.method_mut() = Method::from_bytes(head.method.as_bytes()).ok()?;
    *request.uri_mut() = Uri::from_parts(uri).ok()?;
    *request.headers_mut() = headers(&head.fields)?;
    let [connect_timeout, first_byte_timeout, between_bytes_timeout] =
        head.timeouts.map(|time| time.map(Duration::from_millis));
    Some((request, RequestOptions { connect_timeout, first_byte_timeout, between_bytes_timeout }))
}

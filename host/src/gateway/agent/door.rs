//! An agent's HTTP door: its MCP service, made anew when the agent runs again, and what one agent's clients may take of the
//! threads that serve everybody's.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio_util::sync::CancellationToken;

use super::Agent;
use crate::gateway::doors;
use crate::gateway::http::room::Visitor;
use crate::gateway::http::told;
use crate::mcp;

/// Requests of an agent's HTTP clients at once.
pub(super) const REQUESTS: usize = 128;
/// Event streams that its HTTP clients may have open to be told of changes. Nothing ends one but its client, and one serves a
/// client for all that it does.
pub(super) const STREAMS: usize = 32;
/// The largest request, in bytes; MCP's own door takes no more.
const BODY_BYTES: usize = 4 << 20;
/// How long a request's body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// The MCP service over HTTP, and the token that it ends with.
pub(super) struct Door {
    running: CancellationToken,
    /// What the service serves.
    #[expect(
        clippy::redundant_allocation,
        reason = "the service's own count tells whether a session uses it"
    )]
    served: Arc<Arc<Agent>>,
    service: mcp::HttpService<Arc<Agent>>,
}

/// Whether the answer may be a stream that no call of a tool is the end of: a session's own, or a subscription. Of the latter the
/// header is held against the body before there is any.
fn is_for_listening(request: &axum::extract::Request) -> bool {
    let says = |name, value: &str| request.headers().get(name).is_some_and(|said| said == value);
    request.method() == Method::GET || says("mcp-method", "subscriptions/listen")
}

impl Agent {
    /// Answers an HTTP request for its MCP endpoint. Who asks is known.
    pub(crate) async fn serve_http(self: &Arc<Self>, request: axum::extract::Request) -> Response {
        if self.lock_running().is_cancelled()
            && let Err(denial) = self.may_run()
        {
            return (StatusCode::SERVICE_UNAVAILABLE, denial.first_line()).into_response();
        }
        // One agent's clients leave room for others'.
        let Ok(_room) = Arc::clone(&self.requests).try_acquire_owned() else {
            return (StatusCode::TOO_MANY_REQUESTS, "too many requests of this agent at once")
                .into_response();
        };
        let stream = if is_for_listening(&request) {
            let Ok(stream) = Arc::clone(&self.streams).try_acquire_owned() else {
                return told::refusal(
                    StatusCode::TOO_MANY_REQUESTS,
                    &format!("this agent has {STREAMS} event streams open, as many as it may"),
                    "close those that nobody reads; one serves a client for all that it does",
                );
            };
            Some(stream)
        } else {
            None
        };
        let (mut head, body) = request.into_parts();
        let lane = head.extensions.remove::<Visitor>().map(|visitor| visitor.lane).unwrap_or_default();
        // A body that does not come holds a connection, and there are so many.
        let read = tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, BODY_BYTES)).await;
        let body = match read {
            Ok(Ok(body)) => body,
            Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
        };
        self.handles(body.len());
        let request = axum::http::Request::from_parts(head, Body::from(body));
        // Headers are held against a tool's schema before any method runs, by what was looked at last.
        if self.seen.counting().is_none() {
            // Why it cannot be looked at is the method's own to say.
            let _ = self.live().await;
        }
        let service = self.service();
        let mut answering = pin!(service.handle(request));
        // The connection goes over before anything large is done with the answer.
        let answered = poll_fn(|context| {
            if lane.turn(self.is_bulky()) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            answering.as_mut().poll(context)
        });
        let answer = answered.await;
        match stream {
            None => answer.map(Body::new),
            // It is open for as long as its body is there.
            Some(open) => answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _open = &open;
                    frame
                }))
            }),
        }
    }

    /// Whether nobody holds it but the gateway's map and its own door, which no session uses.
    pub(crate) fn is_unused(self: &Arc<Self>) -> bool {
        let door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        match &*door {
            // The door and its service hold one value between them; every session holds it once more.
            Some(open) => Arc::strong_count(&open.served) <= 2 && Arc::strong_count(self) <= 2,
            None => Arc::strong_count(self) == 1,
        }
    }

    /// Lets go of the HTTP service, which holds the agent.
    pub(super) fn close_door(&self) {
        *self.door.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn service(self: &Arc<Self>) -> mcp::HttpService<Arc<Self>> {
        let running = self.running();
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        match &*door {
            Some(open) if !open.running.is_cancelled() => open.service.clone(),
            _ => {
                let hosts =
                    self.gateway.upgrade().map(|gateway| gateway.own_names().all()).unwrap_or_default();
                let origins = hosts.iter().map(|host| format!("http://{host}")).collect();
                let served = Arc::new(Arc::clone(self));
                let service = mcp::http_service(
                    Arc::clone(&served),
                    mcp::HttpDoor { hosts, origins, end: running.clone() },
                );
                *door = Some(Door { running, served, service: service.clone() });
                service
            }
        }
    }

    /// A request or an answer of so many bytes is here. Whether it is large.
    pub(crate) fn handles(&self, bytes: usize) -> bool {
        let large = bytes >= doors::LARGE;
        if large {
            *self.large.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        large
    }

    /// Whether its requests or answers were large lately.
    fn is_bulky(&self) -> bool {
        let last = *self.large.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|when| when.elapsed() < doors::LATELY)
    }
}

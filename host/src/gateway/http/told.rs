//! What a request is told that got no answer of ours: the sentences of the libraries below, in the words of this program.
//!
//! The rule: a status is never changed, but for a body that is no JSON, which is a bad request. Answers that say what they hold are
//! somebody's own, and pass.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use soulbound_runtime::visible;

/// The longest sentence of a library, in bytes.
const SENTENCE: usize = 4 << 10;

/// What is asked for.
struct Asked {
    method: Method,
    path: String,
    /// Whether its body is said to be JSON.
    is_json: bool,
}

/// Lets a request pass, and puts refusals that say nothing, or not in our words, into them.
pub(crate) async fn in_our_words(request: Request, next: Next) -> Response {
    let asked = Asked {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        is_json: says_json(request.headers()),
    };
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() || response.headers().contains_key(header::CONTENT_TYPE) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let said = axum::body::to_bytes(body, SENTENCE).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    // The length is that of the old sentence.
    head.headers.remove(header::CONTENT_LENGTH);
    if asked.is_mcp() && status == StatusCode::UNSUPPORTED_MEDIA_TYPE && asked.is_json {
        // JSON-RPC 2.0, 5.1: what cannot be read has no id.
        let why = said.strip_prefix("fail to deserialize request body ").unwrap_or(&said);
        let message = format!("the body is no JSON-RPC message: {}", visible::line(why));
        let body = json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": message}});
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        head.status = StatusCode::BAD_REQUEST;
        return Response::from_parts(head, Body::from(body.to_string()));
    }
    let (what, hint) = asked.told(status, &head.headers, &said);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    (head, sentences(&what, &hint)).into_response()
}

/// A refusal of the door's own, in the same form.
pub(crate) fn refusal(status: StatusCode, what: &str, hint: &str) -> Response {
    (status, sentences(what, hint)).into_response()
}

fn sentences(what: &str, hint: &str) -> String {
    format!("{what}\n  hint: {hint}\n")
}

fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("application/json"))
}

impl Asked {
    fn is_mcp(&self) -> bool {
        self.path.starts_with("/agents/") && self.path.ends_with("/mcp")
    }

    fn told(&self, status: StatusCode, headers: &HeaderMap, said: &str) -> (String, String) {
        let path = visible::quoted_target(&self.path);
        match status {
            StatusCode::NOT_FOUND if self.is_mcp() => (
                "there is no such session, or it ended".to_owned(),
                "begin a new one with `initialize`".to_owned(),
            ),
            StatusCode::NOT_FOUND => (
                format!("there is nothing at {path}"),
                "/agents/ID/mcp for an agent's token; /status, /metrics and /stop for the operator's; /healthz, /readyz"
                    .to_owned(),
            ),
            StatusCode::METHOD_NOT_ALLOWED => {
                let said = headers.get(header::ALLOW).and_then(|allow| allow.to_str().ok());
                // The router adds its own header on the way out.
                let allowed = said.unwrap_or(if self.path == "/stop" { "POST" } else { "GET" });
                let method = visible::line(self.method.as_str());
                (format!("{path} takes no {method}"), format!("it takes {allowed}"))
            }
            StatusCode::NOT_ACCEPTABLE => (
                "the request accepts none of the answers that there are".to_owned(),
                match self.method {
                    Method::GET => "send `Accept: text/event-stream`",
                    _ => "send `Accept: application/json, text/event-stream`",
                }
                .to_owned(),
            ),
            StatusCode::REQUEST_TIMEOUT => {
                ("the request's body did not come in time".to_owned(), "send it at once".to_owned())
            }
            StatusCode::PAYLOAD_TOO_LARGE => (
                "the request's body is larger than a message may be".to_owned(),
                "a message has at most 4 MiB".to_owned(),
            ),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => (
                "the request's body is not said to be JSON".to_owned(),
                "send `Content-Type: application/json`".to_owned(),
            ),
            StatusCode::BAD_REQUEST if self.is_mcp() && said.contains("Session ID") => (
                "the request belongs to no session, and to no version of the protocol that has none".to_owned(),
                "begin with `initialize` and send its `Mcp-Session-Id` along, or send `MCP-Protocol-Version: 2026-07-28`"
                    .to_owned(),
            ),
            _ => {
                let reason = status.canonical_reason().unwrap_or("refused");
                let said = if said.is_empty() { reason } else { said };
                (
                    format!("the request cannot be answered: {}", visible::line(said)),
                    "`soulbound mcp config` prints what a client has to send".to_owned(),
                )
            }
        }
    }
}

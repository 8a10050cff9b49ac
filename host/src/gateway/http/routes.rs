//! What there is behind the HTTP door: `/agents/<id>/mcp` for an agent's token, `/metrics`, `/status` and `/stop` for
//! the operator's, `/approvals/<token>` for whoever was told the link, `/healthz` and `/readyz` for whoever can reach it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde_json::json;

use crate::gateway::Gateway;
use crate::gateway::attempts::Attempt;
use crate::gateway::http::approvals;
use crate::gateway::http::guard::{OwnNames, own_host};
use crate::gateway::http::identity::bearer;
use crate::gateway::http::room::Visitor;
use crate::gateway::http::told::in_our_words;
use crate::gateway::token::TokenOf;
use crate::operator::Who;

/// The door of a gateway that listens here.
pub(crate) fn router(gateway: Arc<Gateway>, address: SocketAddr) -> Router {
    let public = gateway.policies().current().settings.approvals.address.clone();
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/stop", post(stop))
        .route("/agents/{id}/mcp", any(mcp))
        .route("/approvals/{token}", get(approvals::show).post(approvals::decide))
        .with_state(gateway)
        .layer(from_fn(in_our_words))
        .layer(from_fn_with_state(OwnNames::of(address).also(public.as_deref()), own_host))
}

async fn healthz() -> Json<serde_json::Value> {
    Json(json!({"ok": true, "status": "live"}))
}

async fn readyz(State(gateway): State<Arc<Gateway>>) -> Response {
    match gateway.ready() {
        Ok(()) => Json(json!({"ok": true, "status": "ready"})).into_response(),
        Err(why) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"ok": false, "status": why}))).into_response()
        }
    }
}

async fn status(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    match allowed(&gateway, &request, TokenOf::Operator) {
        Ok(()) => Json(gateway.status()).into_response(),
        Err(refusal) => *refusal,
    }
}

async fn metrics(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    match allowed(&gateway, &request, TokenOf::Operator) {
        // The content type of the OpenMetrics text format, version 1.0.
        Ok(()) => (
            [(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")],
            gateway.metrics_page(),
        )
            .into_response(),
        Err(refusal) => *refusal,
    }
}

async fn stop(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    if let Err(refusal) = allowed(&gateway, &request, TokenOf::Operator) {
        return *refusal;
    }
    // To its end also when whoever asked hangs up.
    let ending = tokio::spawn(async move {
        let calls = gateway.kill(&Who::this_process()).await;
        gateway.leave();
        calls
    });
    let calls = ending.await.unwrap_or_default();
    let mut answer = Json(json!({"ok": true, "calls": calls})).into_response();
    // The listener lets what it is answering out before it goes.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

async fn mcp(State(gateway): State<Arc<Gateway>>, Path(id): Path<String>, request: Request) -> Response {
    if let Err(refusal) = allowed(&gateway, &request, TokenOf::Agent(&id)) {
        return *refusal;
    }
    match gateway.agent(&id).await {
        Ok(agent) => agent.serve_http(request).await,
        Err(denial) => (StatusCode::SERVICE_UNAVAILABLE, denial.first_line()).into_response(),
    }
}

/// Which token would do.
fn needed(of: TokenOf<'_>) -> &'static str {
    match of {
        TokenOf::Operator => "the operator's bearer token is needed: `soulbound gateway token` makes one",
        TokenOf::Agent(_) => "the agent's bearer token is needed: `soulbound agents token ID` makes one",
    }
}

/// Whether the request's token is the one that it has to be, and its connection may stay as that token's. An agent that there is not answers as one whose token is
/// wrong: names are not told to those without a token.
fn allowed(gateway: &Arc<Gateway>, request: &Request, of: TokenOf<'_>) -> Result<(), Box<Response>> {
    let headers = request.headers();
    let kept = gateway.token(of);
    if let (Some(presented), Some(kept)) = (bearer(headers), &kept)
        && kept.matches(presented)
    {
        let shown = request.extensions().get().map_or(Ok(()), |visitor: &Visitor| visitor.shows(of));
        return shown.map_err(|no_room| Box::new(no_room.into_response()));
    }
    gateway.metrics().refused_token();
    // A right token was let in above: only wrong ones are slowed down.
    let answer = match gateway.attempts().failed() {
        Attempt::Record(unrecorded) => {
            gateway.record_refused_token(of, bearer(headers).is_some(), unrecorded);
            let mut answer = (StatusCode::UNAUTHORIZED, needed(of)).into_response();
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }
        Attempt::TooMany => {
            let mut answer = (StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens").into_response();
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("6"));
            answer
        }
    };
    Err(Box::new(answer))
}

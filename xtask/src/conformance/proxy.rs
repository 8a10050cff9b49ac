//! The conformance suite knows no tokens, and calls tools by names of its own. So it speaks to this proxy, which adds the
//! agent's bearer token, spells tool names ([`names`]) both ways, and puts the gateway's address where its own stands in
//! `Host` and `Origin`. It changes nothing else: other hosts and origins, headers that contradict the body, malformed
//! messages reach the gateway as they are, and its answers come back as they are.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::gateway::Gateway;
use super::names;
use super::stream::Translator;

/// A running proxy; it ends when this is dropped.
pub(super) struct Proxy {
    /// Where the suite goes.
    pub(super) url: String,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Way {
    client: Client<HttpConnector, Body>,
    url: Uri,
    authorization: HeaderValue,
    own: SocketAddr,
}

/// Starts a proxy before a gateway's agent.
pub(super) fn start(gateway: &Gateway) -> Result<Proxy> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let own = listener.local_addr()?;
    let way = Way {
        client: Client::builder(TokioExecutor::new()).build_http(),
        url: gateway.url.parse().context("the gateway's address is no URL")?,
        authorization: format!("Bearer {}", gateway.token).parse()?,
        own,
    };
    let router = Router::new().fallback(pass).with_state(way);
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok(Proxy { url: format!("http://{own}/mcp"), _runtime: runtime })
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    match passed(&way, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn passed(way: &Way, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    parts.uri = way.url.clone();
    let gateway = way.url.authority().context("the gateway has an address")?.to_string();
    for name in [header::HOST, header::ORIGIN] {
        if let Some(value) = parts.headers.get(&name).and_then(|value| value.to_str().ok()) {
            // Names of this machine keep their spelling; only the port becomes the gateway's.
            let port = |of: &str| of.rsplit_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
            let translated = value.replace(&port(&way.own.to_string()), &port(&gateway));
            parts.headers.insert(name, translated.parse()?);
        }
    }
    parts.headers.insert(header::AUTHORIZATION, way.authorization.clone());
    let body = called(&body, &mut parts.headers)?;
    parts.headers.remove(header::CONTENT_LENGTH);
    let response = way.client.request(Request::from_parts(parts, Body::from(body))).await?;
    Ok(answered(response))
}

/// A call under the gateway's name for the tool, in the body and, where it agrees with the body, in the header.
fn called(body: &Bytes, headers: &mut axum::http::HeaderMap) -> Result<Bytes> {
    let Ok(mut message) = serde_json::from_slice::<Value>(body) else { return Ok(body.clone()) };
    if message.get("method").and_then(Value::as_str) != Some("tools/call") {
        return Ok(body.clone());
    }
    // A header may name another tool than the body: then each is translated for itself, and they still differ.
    if let Some(name) = headers.get("mcp-name").and_then(|name| name.to_str().ok()) {
        let spaced = name.trim_matches(' ');
        let translated =
            if spaced.is_empty() || spaced.starts_with("=?") { name.to_owned() } else { names::ours(spaced) };
        headers.insert("mcp-name", translated.parse()?);
    }
    if let Some(name) = message.pointer_mut("/params/name")
        && let Some(theirs) = name.as_str()
    {
        *name = names::ours(theirs).into();
    }
    Ok(message.to_string().into())
}

fn answered(response: Response<hyper::body::Incoming>) -> Response {
    let (mut parts, mut body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(16);
    tokio::spawn(async move {
        let mut translator = Translator::default();
        loop {
            // A client that hung up is one that the gateway must see hang up.
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = sender.closed() => return,
            };
            let bytes = match frame {
                Some(Ok(frame)) => translator.push(&frame.into_data().unwrap_or_default()),
                _ => break,
            };
            if !bytes.is_empty() && sender.send(Ok(bytes.into())).await.is_err() {
                return;
            }
        }
        let _ = sender.send(Ok(translator.finish().into())).await;
    });
    Response::from_parts(parts, Body::from_stream(ReceiverStream::new(receiver)))
}

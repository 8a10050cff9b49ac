//! Requests over `wasi:http`, part by part. No part is judged or put right, so that the host gets it as it was planned.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    Scheme,
};

use crate::bindings::{Request, Response};

/// How much of an answer is kept.
const KEEP: usize = 64 * 1024;
/// The most that one write to a stream may have.
const CHUNK: usize = 4096;

/// A request that was sent.
pub(crate) struct Sent(FutureIncomingResponse);

/// Sends it.
pub(crate) fn send(request: &Request) -> Result<Sent, String> {
    let headers = Fields::new();
    for (name, value) in &request.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("header {name}: {error:?}"))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let scheme = request.scheme.as_deref().map(|scheme| match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    });
    let refused = |part: &'static str| move |()| format!("refused: {part}");
    outgoing.set_method(&method(&request.method)).map_err(refused("method"))?;
    outgoing.set_scheme(scheme.as_ref()).map_err(refused("scheme"))?;
    outgoing.set_authority(request.authority.as_deref()).map_err(refused("authority"))?;
    outgoing.set_path_with_query(request.path.as_deref()).map_err(refused("path"))?;
    let Some(content) = &request.body else {
        // No body is something else than an empty one: whatever the head says of its length stays there.
        return handle(outgoing, None).map(Sent).map_err(words);
    };
    let body = outgoing.body().map_err(refused("body"))?;
    let sent = handle(outgoing, None).map_err(words)?;
    {
        let stream = body.write().map_err(refused("content"))?;
        for chunk in content.as_bytes().chunks(CHUNK) {
            // A stream that is closed early has an answer, or none: that is told below.
            if stream.blocking_write_and_flush(chunk).is_err() {
                break;
            }
        }
    }
    OutgoingBody::finish(body, None).map_err(words)?;
    Ok(Sent(sent))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

impl Sent {
    pub(crate) fn wait(self) -> Result<IncomingResponse, String> {
        self.0.subscribe().block();
        match self.0.get() {
            Some(Ok(answer)) => answer.map_err(words),
            Some(Err(())) | None => Err("answered twice".to_owned()),
        }
    }

    pub(crate) fn read(self) -> Result<Response, String> {
        let answer = self.wait()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let headers =
            answer.headers().entries().into_iter().map(|(name, value)| (name, text(value))).collect();
        let status = answer.status();
        let body = answer.consume().map_err(|()| "consumed twice".to_owned())?;
        let stream = body.stream().map_err(|()| "streamed twice".to_owned())?;
        let mut kept = Vec::new();
        while let Ok(chunk) = stream.blocking_read(CHUNK as u64) {
            kept.extend(chunk);
            if kept.len() >= KEEP {
                break;
            }
        }
        Ok(Response { status, headers, body: text(kept) })
    }
}

fn words(code: ErrorCode) -> String {
    format!("{code:?}")
}

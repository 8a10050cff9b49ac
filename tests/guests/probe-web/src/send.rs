//! One request over `wasi:http`, part by part.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::StreamError;

use crate::bindings::Response;

/// How much of an answer is kept.
const KEEP: usize = 64 * 1024;
/// The most that one write to a stream may have.
const CHUNK: usize = 4096;

/// Where a request goes.
pub(crate) struct Parts {
    pub(crate) scheme: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) path: Option<String>,
}

/// A request to be sent.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) parts: Parts,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// In nanoseconds.
    pub(crate) timeout: Option<u64>,
    /// Whether the body is said to be complete.
    pub(crate) finish: bool,
}

/// A request that was sent.
pub(crate) struct Sent(FutureIncomingResponse);

impl Ask {
    pub(crate) fn new(method: &str, parts: Parts) -> Self {
        let method = match method {
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
        };
        Self { method, parts, headers: Vec::new(), body: Vec::new(), timeout: None, finish: true }
    }

    pub(crate) fn send(self) -> Result<Sent, String> {
        let refused = |part: &'static str| move |()| format!("refused: {part}");
        let headers = Fields::new();
        for (name, value) in &self.headers {
            headers
                .append(name, value.as_bytes())
                .map_err(|error| format!("refused: header {name}: {error:?}"))?;
        }
        let request = OutgoingRequest::new(headers);
        let scheme = self.parts.scheme.map(|scheme| match scheme.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => Scheme::Other(scheme),
        });
        request.set_method(&self.method).map_err(refused("method"))?;
        request.set_scheme(scheme.as_ref()).map_err(refused("scheme"))?;
        request.set_authority(self.parts.authority.as_deref()).map_err(refused("authority"))?;
        request.set_path_with_query(self.parts.path.as_deref()).map_err(refused("path"))?;
        let options = RequestOptions::new();
        if self.timeout.is_some() {
            options.set_connect_timeout(self.timeout).map_err(refused("connect timeout"))?;
            options.set_first_byte_timeout(self.timeout).map_err(refused("first byte timeout"))?;
            options.set_between_bytes_timeout(self.timeout).map_err(refused("between bytes timeout"))?;
        }
        let body = request.body().map_err(refused("body"))?;
        let sent = handle(request, Some(options)).map_err(words)?;
        write(&body, &self.body)?;
        if self.finish {
            OutgoingBody::finish(body, None).map_err(words)?;
        } else {
            std::mem::forget(body);
        }
        Ok(Sent(sent))
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
        let headers = answer
            .headers()
            .entries()
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
            .collect();
        let body = answer.consume().map_err(|()| "consumed twice".to_owned())?;
        let stream = body.stream().map_err(|()| "streamed twice".to_owned())?;
        let (mut kept, mut bytes) = (Vec::new(), 0);
        loop {
            match stream.blocking_read(CHUNK as u64 * 16) {
                Ok(chunk) => {
                    bytes += chunk.len() as u64;
                    kept.extend(chunk.into_iter().take(KEEP.saturating_sub(kept.len())));
                }
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(http_error_code(&error).map_or_else(|| error.to_debug_string(), words));
                }
            }
        }
        let body = String::from_utf8_lossy(&kept).into_owned();
        Ok(Response { status: answer.status(), headers, body, bytes })
    }
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), String> {
    let stream = body.write().map_err(|()| "written twice".to_owned())?;
    for chunk in bytes.chunks(CHUNK) {
        match stream.blocking_write_and_flush(chunk) {
            Ok(()) => {}
            // The answer may say why; if it does not, there will be none.
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error).map_or_else(|| error.to_debug_string(), words));
            }
        }
    }
    Ok(())
}

fn words(code: ErrorCode) -> String {
    let debug = format!("{code:?}");
    debug.strip_prefix("ErrorCode::").unwrap_or(&debug).to_owned()
}

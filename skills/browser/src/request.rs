//! One request and its answer, over `wasi:http`. The rule: no header but `accept`, `accept-encoding` and
//! `user-agent`, no body, and no more of the answer than the bound.

use url::Url;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, Method, OutgoingRequest, Scheme};
use wasip2::http::types::{OutgoingBody, http_error_code};
use wasip2::io::streams::StreamError;

use crate::bindings::{Failure, FailureKind, Header};

/// The most of an answer that is received, in bytes.
pub(crate) const MOST_RECEIVED: usize = 1024 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The status.
    pub(crate) status: u16,
    /// The headers, names in lower case.
    pub(crate) headers: Vec<Header>,
    /// The content, at most [`MOST_RECEIVED`].
    pub(crate) body: Vec<u8>,
    /// Whether there was more.
    pub(crate) truncated: bool,
}

impl Exchange {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }
}

/// Asks for `url`; `accept` is what to tell the server that is wanted.
pub(crate) fn ask(method: &Method, url: &Url, accept: &str) -> Result<Exchange, Failure> {
    let failed = |code: ErrorCode| Failure::from_http(&code, url.as_str());
    let response = send(method, url, accept).map_err(failed)?;
    let headers = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| Header {
            name: name.to_ascii_lowercase(),
            value: String::from_utf8_lossy(&value).into_owned(),
        })
        .collect();
    let status = response.status();
    let (body, truncated) = match method {
        Method::Head => (Vec::new(), false),
        _ => receive(&response).map_err(failed)?,
    };
    Ok(Exchange { status, headers, body, truncated })
}

/// A URL that a request can be made of.
pub(crate) fn parse(text: &str) -> Result<Url, Failure> {
    let invalid = |what: &str| {
        let shown = granted::quoted(text);
        Failure::new(
            FailureKind::InvalidUrl,
            format!("{shown} {what}; write it whole, such as `https://example.org/page`"),
        )
    };
    let url = Url::parse(text).map_err(|_| invalid("is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("is neither `https` nor `http`"));
    }
    // Some servers and some readers take what stands before the `@` for the host.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("has a user name before the host"));
    }
    Ok(url)
}

fn send(method: &Method, url: &Url, accept: &str) -> Result<IncomingResponse, ErrorCode> {
    let headers = Fields::new();
    for (name, value) in [
        ("accept", accept),
        // Nothing here unpacks; and what is not packed can't be a bomb.
        ("accept-encoding", "identity"),
        ("user-agent", concat!("soulbound-browser/", env!("CARGO_PKG_VERSION"))),
    ] {
        headers.append(name, value.as_bytes()).map_err(|_| ErrorCode::ConfigurationError)?;
    }
    let request = OutgoingRequest::new(headers);
    let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let invalid = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_method(method).map_err(invalid)?;
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(url.authority())).map_err(invalid)?;
    request.set_path_with_query(Some(&path)).map_err(invalid)?;
    let body = request.body().map_err(|()| ErrorCode::ConfigurationError)?;
    let answer = outgoing_handler::handle(request, None)?;
    OutgoingBody::finish(body, None)?;
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(response)) => response,
        Some(Err(())) | None => Err(ErrorCode::HttpProtocolError),
    }
}

/// The body, and whether there was more than [`MOST_RECEIVED`].
fn receive(response: &IncomingResponse) -> Result<(Vec<u8>, bool), ErrorCode> {
    let incoming = response.consume().map_err(|()| ErrorCode::HttpProtocolError)?;
    let stream = incoming.stream().map_err(|()| ErrorCode::HttpProtocolError)?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok((body, false)),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error).unwrap_or(ErrorCode::HttpResponseIncomplete));
            }
        }
        if body.len() > MOST_RECEIVED {
            body.truncate(MOST_RECEIVED);
            return Ok((body, true));
        }
    }
}

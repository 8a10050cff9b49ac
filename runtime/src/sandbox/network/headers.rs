//! Headers that a guest can neither set nor see: those that decide where a request goes, how it is framed,
//! and whether a server takes it for another method or another URL than the one that was checked.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use http::HeaderName;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, ForbiddenHeaderFilter};

/// Beside wasmtime's own list and the [`PREFIXES`].
const FORBIDDEN: &[&str] = &[
    // A server that refuses it, or answers before it has read the body, and goes on with the same connection takes the body
    // for the next request.
    "expect",
    // Hop by hop (RFC 9110 section 7.6.1), or of a protocol that we don't speak.
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "alt-used",
    // A granted GET must not become a DELETE behind a framework that honours these.
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-method",
    // Nor a granted host another one: some servers route by these rather than by `Host`.
    "forwarded",
    "x-host",
    "x-http-host-override",
];

/// The same, by how they begin. `x-original-url`, `-uri`, `-method`, `-host` and their like name another request.
const PREFIXES: &[&str] = &["proxy-", "x-forwarded-", "x-original-", "x-rewrite-"];

/// Whether a guest may not set this header.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    let text = folded(name);
    // Ours to write, so no other spelling of it either.
    let is_other_length = text == "content-length" && text != name.as_str();
    is_other_length
        || DEFAULT_FORBIDDEN_HEADERS.iter().any(|forbidden| forbidden.as_str() == text)
        || FORBIDDEN.contains(&text.as_ref())
        || PREFIXES.iter().any(|prefix| text.starts_with(prefix))
}

/// A name as programs behind CGI, WSGI and their like know it: to them `x_method` is `x-method`.
pub(super) fn folded(name: &HeaderName) -> Cow<'_, str> {
    let text = name.as_str();
    if text.contains('_') { Cow::Owned(text.replace('_', "-")) } else { Cow::Borrowed(text) }
}

/// The same question as wasmtime wants it, for requests and responses.
pub(crate) fn filter() -> ForbiddenHeaderFilter {
    static FILTER: LazyLock<ForbiddenHeaderFilter> = LazyLock::new(|| Arc::new(is_forbidden));
    Arc::clone(&FILTER)
}

/// The first header whose value is no text, if there is one.
pub(super) fn no_text(headers: &http::HeaderMap) -> Option<&HeaderName> {
    let is_text = |value: &http::HeaderValue| std::str::from_utf8(value.as_bytes()).is_ok();
    headers.iter().find(|(_, value)| !is_text(value)).map(|(name, _)| name)
}

/// Whether the length that a head tells, if it tells one, can be the body's. Where there is no body at all, the HTTP client leaves
/// the header as it is: the server would take the next request on the connection for the body.
pub(super) fn tells_its_length(headers: &http::HeaderMap, body: &impl http_body::Body) -> bool {
    let mut told = headers.get_all(http::header::CONTENT_LENGTH).iter();
    let Some(first) = told.next() else { return true };
    let digits = first.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(length) = digits.and_then(|text| text.parse::<u64>().ok()) else { return false };
    let known = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    told.next().is_none() && known.is_none_or(|known| known == length)
}

/// What headers weigh on the wire, in bytes.
pub(super) fn bytes(headers: &http::HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

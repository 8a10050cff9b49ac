//! Headers that a guest can neither set nor see: those that decide where a request goes, how it is framed,
//! and whether a server takes it for another method or another URL than the one that was checked.

use std::sync::{Arc, LazyLock};

use http::HeaderName;
use wasmtime_wasi_http::{DEFAULT_FORBIDDEN_HEADERS, ForbiddenHeaderFilter};

/// Beside wasmtime's own list. Prefixes: `proxy-` and `x-forwarded-`.
const FORBIDDEN: &[&str] = &[
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
    // Nor a granted path another one.
    "x-original-url",
    "x-rewrite-url",
    // Nor a granted host another one: some servers route by these rather than by `Host`.
    "forwarded",
    "x-host",
    "x-original-host",
    "x-http-host-override",
];

/// Whether a guest may not set this header.
pub(super) fn is_forbidden(name: &HeaderName) -> bool {
    let text = name.as_str();
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
        || FORBIDDEN.contains(&text)
        || text.starts_with("proxy-")
        || text.starts_with("x-forwarded-")
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

/// What headers weigh on the wire, in bytes.
pub(super) fn bytes(headers: &http::HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

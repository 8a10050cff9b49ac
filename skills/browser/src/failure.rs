//! What the host or the network answered, as a failure to act on. The rule: a refusal names the hosts that
//! were granted, and never proposes one that was not.

use granted::{hosts_in_words, quoted};
use wasip2::http::types::ErrorCode;

use crate::bindings::{Failure, FailureKind};

impl Failure {
    /// A failure of `kind` that says `message`.
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What `wasi:http` says of a request to `url`.
    pub(crate) fn from_http(code: &ErrorCode, url: &str) -> Self {
        let shown = quoted(url);
        match code {
            ErrorCode::HttpRequestDenied
            | ErrorCode::DestinationIpProhibited
            | ErrorCode::HttpRequestMethodInvalid => {
                Self::new(FailureKind::Denied, format!("{shown} may not be reached; {}", hosts_in_words()))
            }
            ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTerminated => {
                Self::new(FailureKind::Unreachable, format!("{shown} does not answer ({})", words(code)))
            }
            ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => {
                Self::new(FailureKind::Timeout, format!("{shown} took too long ({})", words(code)))
            }
            ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError | ErrorCode::TlsAlertReceived(_) => {
                Self::new(
                    FailureKind::Insecure,
                    format!("{shown} has no secure connection ({})", words(code)),
                )
            }
            ErrorCode::HttpResponseBodySize(_) => {
                Self::new(FailureKind::TooLarge, format!("{shown} is larger than may be received"))
            }
            ErrorCode::HttpRequestUriInvalid => {
                Self::new(FailureKind::InvalidUrl, format!("{shown} can't be asked for"))
            }
            _ => Self::new(FailureKind::Failed, format!("{shown} failed ({})", words(code))),
        }
    }
}

/// What the error says, in words: its own name where nothing better is known.
fn words(code: &ErrorCode) -> String {
    match code {
        ErrorCode::DnsError(_) => "its name does not resolve".to_owned(),
        ErrorCode::DnsTimeout => "its name did not resolve in time".to_owned(),
        ErrorCode::InternalError(Some(text)) => granted::cut(text, 200).to_owned(),
        ErrorCode::TlsAlertReceived(alert) => match &alert.alert_message {
            Some(text) => format!("TLS alert: {}", granted::cut(text, 200)),
            None => "TLS alert".to_owned(),
        },
        other => name(&format!("{other:?}")),
    }
}

/// `ErrorCode::HttpResponseTimeout` and what it holds, as `http response timeout`.
fn name(debug: &str) -> String {
    let debug = debug.strip_prefix("ErrorCode::").unwrap_or(debug);
    let mut words = String::new();
    for letter in debug.chars().take_while(char::is_ascii_alphanumeric) {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

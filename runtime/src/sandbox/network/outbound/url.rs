//! A URL that an operator gave: https, or http to a loopback address by its number. Its path is a credential.
//!
//! There is no `Display` and no `Debug` that tells more than scheme, host and port: what cannot be printed does
//! not get into a log.

use std::fmt;

use crate::grant::host::{MalformedTarget, Scheme, Target, TargetHost};

/// The longest URL, in bytes.
const LONGEST: usize = 2_048;

/// Where something is posted.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundUrl {
    target: Target,
    path: String,
}

/// Why a text is no such URL. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundUrlError {
    /// Its origin is malformed.
    #[error("{0}")]
    Malformed(MalformedTarget),
    /// Plain http to something else than this machine.
    #[error("it is plain http: write https, or http to a loopback address such as `http://127.0.0.1:8080`")]
    Plain,
    /// A fragment, or a path that no request line can hold.
    #[error("its path holds a fragment or a character that does not belong there")]
    Path,
    /// Too long.
    #[error("it has more than {LONGEST} bytes")]
    Long,
}

impl OutboundUrl {
    /// Reads an absolute URL.
    ///
    /// # Errors
    ///
    /// Says what is wrong, without a word of the URL.
    pub fn parse(text: &str) -> Result<Self, OutboundUrlError> {
        if text.len() > LONGEST {
            return Err(OutboundUrlError::Long);
        }
        let target = Target::from_url(text).map_err(OutboundUrlError::Malformed)?;
        let loopback = matches!(&target.host, TargetHost::Address(address) if address.is_loopback());
        // A name such as `localhost` is somebody's to point elsewhere.
        if target.scheme == Scheme::Http && !loopback {
            return Err(OutboundUrlError::Plain);
        }
        let rest = text.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
        let path = rest.find(['/', '?', '#']).and_then(|at| rest.get(at..)).unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        if path.contains('#') || path.parse::<http::uri::PathAndQuery>().is_err() {
            return Err(OutboundUrlError::Path);
        }
        Ok(Self { target, path })
    }

    /// Scheme, host and port, for people: all that is ever shown of it.
    #[must_use]
    pub fn place(&self) -> String {
        self.target.to_string()
    }

    /// Where it is.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Path and query.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a text repeats a part of the path or the query that is long enough to be a secret.
    pub(super) fn is_told_by(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let mut parts = self.path.split(['/', '?', '&', '=', ':']).filter(|part| part.len() >= 6);
        parts.any(|part| text.contains(&part.to_ascii_lowercase()))
    }
}

impl fmt::Debug for OutboundUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OutboundUrl({}/…)", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_and_http_to_loopback_by_number() {
        for (text, place) in [
            ("https://hooks.slack.com/services/T0/B0/abcdef", "https://hooks.slack.com:443"),
            ("https://10.0.0.7:8443/hook?token=s3cr3t", "https://10.0.0.7:8443"),
            ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000"),
            ("http://[::1]:9000", "http://[::1]:9000"),
        ] {
            let url = OutboundUrl::parse(text).unwrap();
            assert_eq!(url.place(), place);
            assert!(!format!("{url:?}").contains("s3cr3t") && !format!("{url:?}").contains("services"));
        }
        for text in [
            "http://hooks.example.com/x",
            "http://localhost:9000/x",
            "http://10.0.0.7/x",
            "http://127.1:9000/x",
            "ftp://example.com/",
            "https://user:pass@example.com/",
            "https://example.com/a#b",
            "https://example.com/a b",
            "hooks.slack.com/services",
        ] {
            let error = OutboundUrl::parse(text).unwrap_err().to_string();
            assert!(!error.contains("pass") && !error.contains("services"), "{error}");
        }
    }

    #[test]
    fn a_text_that_repeats_the_credential_is_known() {
        let url = OutboundUrl::parse("https://api.telegram.org/bot123456:AAE-xyz_9/sendMessage").unwrap();
        assert!(url.is_told_by("no route POST /BOT123456:aae-XYZ_9/sendMessage"));
        assert!(url.is_told_by("bad token AAE-xyz_9"));
        assert!(!url.is_told_by("Unauthorized"));
    }
}

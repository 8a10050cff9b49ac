//! `fetch-json`: a JSON document as its text. The rule: whole and valid, or a failure; half a document is
//! none.

use serde_json::de::from_str;

use crate::bindings::{Document, Failure, FailureKind};
use crate::fetch::MOST_TEXT;
use crate::follow::get;

/// Fetches the document at `url`.
pub(crate) fn fetch_json(url: &str) -> Result<Document, Failure> {
    let (url, exchange) = get(url, "application/json, application/*+json;q=0.9, */*;q=0.1")?;
    let status = exchange.status;
    if exchange.truncated || exchange.body.len() > MOST_TEXT {
        return Err(Failure::new(FailureKind::TooLarge, format!("{url} is larger than {MOST_TEXT} bytes")));
    }
    let not_json = |what: String| {
        let hint = "use `fetch` for what is not JSON";
        Failure::new(FailureKind::NotJson, format!("{url} (status {status}) is not JSON: {what}; {hint}"))
    };
    // RFC 8259: JSON between systems is UTF-8, and a byte order mark may be ignored.
    let json = String::from_utf8(exchange.body).map_err(|_| not_json("it is not UTF-8".to_owned()))?;
    let json = match json.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => json,
    };
    from_str::<serde::de::IgnoredAny>(&json).map_err(|error| not_json(error.to_string()))?;
    Ok(Document { url: url.into(), status, json })
}

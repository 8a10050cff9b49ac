//! `head`: the status and the headers alone.

use wasip2::http::types::Method;

use crate::bindings::{Answer, Failure};
use crate::request::{ask, parse};

/// Asks for `url` with HEAD.
pub(crate) fn head(url: &str) -> Result<Answer, Failure> {
    let url = parse(url)?;
    let exchange = ask(&Method::Head, &url, "*/*")?;
    Ok(Answer { url: url.into(), status: exchange.status, headers: exchange.headers })
}

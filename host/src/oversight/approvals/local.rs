//! Posting to a program on this machine: what a webhook needs where nothing else delivers.

use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::Post;

/// A hook that hangs is let go.
const WITHIN: Duration = Duration::from_secs(10);

/// Posts over plain HTTP to loopback, on these threads.
pub(crate) struct LocalPost(pub(crate) Handle);

impl Post for LocalPost {
    fn post(&self, url: &str, document: Value) {
        let url = url.to_owned();
        self.0.spawn(async move {
            let posted = tokio::time::timeout(WITHIN, post(&url, &document)).await;
            let said = match posted {
                Ok(Ok(status)) if status.is_success() => return,
                Ok(Ok(status)) => format!("it answered {status}"),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "it did not answer".to_owned(),
            };
            // The question waits all the same: other ways are open, and no answer is no.
            tracing::warn!(said, "the approvals' webhook was not told");
        });
    }
}

async fn post(url: &str, document: &Value) -> Result<http::StatusCode> {
    let url: http::Uri = url.parse()?;
    let authority = url.authority().context("no host")?.clone();
    let stream =
        TcpStream::connect((authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80)))
            .await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let request = http::Request::post(path)
        .header(http::header::HOST, authority.as_str())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(document)?)))?;
    Ok(sender.send_request(request).await?.status())
}

//! `fetch`: a page as its reader would see it. The rule: text as text, the rest as bytes, and what was cut is
//! said.

use granted::{Level, cut, log};

use crate::bindings::{Failure, Page};
use crate::charset::decode;
use crate::follow::get;
use crate::readable::{Readable, read_html};

/// The most text, or bytes, in an answer.
pub(crate) const MOST_TEXT: usize = 512 * 1024;

/// Fetches the page at `url`.
pub(crate) fn fetch(url: &str) -> Result<Page, Failure> {
    let (url, exchange) = get(url, "text/html, text/plain;q=0.9, */*;q=0.5")?;
    let content_type = exchange.header("content-type").map(str::to_owned);
    let (status, mut truncated) = (exchange.status, exchange.truncated);
    log(Level::Info, &format!("{url}: status {status}, {} bytes", exchange.body.len()));

    let kind = Kind::of(content_type.as_deref(), &exchange.body);
    let mut page = Page {
        url: url.to_string(),
        status,
        content_type: content_type.clone(),
        title: None,
        text: None,
        bytes: None,
        links: Vec::new(),
        truncated: false,
        note: None,
    };
    if kind == Kind::Other {
        let mut bytes = exchange.body;
        truncated |= bytes.len() > MOST_TEXT;
        bytes.truncate(MOST_TEXT);
        page.bytes = Some(bytes);
    } else {
        let (text, note) = decode(&exchange.body, content_type.as_deref(), kind == Kind::Html);
        page.note = note;
        let text = if kind == Kind::Html {
            let Readable { title, text, links, more_links } = read_html(&text, &url);
            (page.title, page.links) = (title, links);
            truncated |= more_links;
            text
        } else {
            text
        };
        truncated |= text.len() > MOST_TEXT;
        page.text = Some(cut(&text, MOST_TEXT).to_owned());
    }
    page.truncated = truncated;
    Ok(page)
}

/// How to show content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Html,
    Text,
    Other,
}

impl Kind {
    /// By what the server says, and by the content where it says nothing.
    fn of(content_type: Option<&str>, body: &[u8]) -> Self {
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => Self::Html,
            "application/json" | "application/xml" | "application/javascript" | "application/yaml" => {
                Self::Text
            }
            essence if essence.starts_with("text/") => Self::Text,
            essence if essence.ends_with("+json") || essence.ends_with("+xml") => Self::Text,
            "" if body.contains(&0) => Self::Other,
            "" if body.trim_ascii_start().starts_with(b"<") => Self::Html,
            "" if std::str::from_utf8(body).is_ok() => Self::Text,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn the_kind_is_what_the_server_says_or_else_what_it_looks_like() {
        for (content_type, body, kind) in [
            (Some("text/html; charset=utf-8"), &b""[..], Kind::Html),
            (Some("TEXT/HTML"), b"", Kind::Html),
            (Some("text/plain"), b"<html>", Kind::Text),
            (Some("application/ld+json"), b"{}", Kind::Text),
            (Some("image/png"), b"text", Kind::Other),
            (Some("application/octet-stream"), b"text", Kind::Other),
            (None, b" <!doctype html>", Kind::Html),
            (None, b"hello", Kind::Text),
            (None, b"a\0b", Kind::Other),
            (None, b"\xff\xfe", Kind::Other),
        ] {
            assert_eq!(Kind::of(content_type, body), kind, "{content_type:?} {body:?}");
        }
    }
}

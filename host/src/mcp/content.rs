//! A tool's `list<content>` as MCP content: text, pictures, sounds, documents.
//!
//! A guest made all of it, and a client will show it. So what says that it is an image has an image's type, and a
//! document's URI is one that no client takes for something else: `skill:` would pass for a trusted skill's file, `ui:`
//! for a page that the client draws, `data:` and `javascript:` for something to open. One piece that breaks a rule, and
//! none is shown.

use rmcp::model::{ContentBlock, ResourceContents};
use serde::Deserialize;
use serde_json::Value;
use soulbound_runtime::visible;

/// A URI's length, in characters.
const URI: usize = 2_048;
/// A type's length, in characters: RFC 6838 allows 127 on each side.
const MIME_TYPE: usize = 255;
/// Schemes that a client may act on.
const RESERVED: &[&str] = &["skill", "ui", "data", "javascript"];

/// One piece, by the JSON table of the design.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Piece {
    Text(String),
    Image(Media),
    Audio(Media),
    Document(Document),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Media {
    data: String,
    mime_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    uri: String,
    mime_type: Option<String>,
    body: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Body {
    Text(String),
    Blob(String),
}

/// The pieces of a result.
///
/// # Errors
///
/// A piece that cannot be shown, and why.
pub(crate) fn blocks(result: Value) -> Result<Vec<ContentBlock>, String> {
    let pieces: Vec<Piece> = serde_json::from_value(result)
        .map_err(|error| format!("it is no list of content: {}", visible::line(&error.to_string())))?;
    let block = |(index, piece)| block(piece).map_err(|why| format!("content[{index}]: {why}"));
    pieces.into_iter().enumerate().map(block).collect()
}

fn block(piece: Piece) -> Result<ContentBlock, String> {
    match piece {
        Piece::Text(text) => Ok(ContentBlock::text(text)),
        Piece::Image(media) => {
            mime_type(&media.mime_type, "image/").map(|()| ContentBlock::image(media.data, media.mime_type))
        }
        Piece::Audio(media) => {
            mime_type(&media.mime_type, "audio/").map(|()| ContentBlock::audio(media.data, media.mime_type))
        }
        Piece::Document(document) => self::document(document),
    }
}

fn document(document: Document) -> Result<ContentBlock, String> {
    uri(&document.uri)?;
    let contents = match document.body {
        Body::Text(text) => ResourceContents::text(text, document.uri),
        Body::Blob(blob) => ResourceContents::blob(blob, document.uri),
    };
    Ok(ContentBlock::resource(match document.mime_type {
        Some(given) => {
            mime_type(&given, "")?;
            contents.with_mime_type(given)
        }
        None => contents,
    }))
}

/// `type/subtype`, of token characters (RFC 9110), without parameters: one could name a profile that a client draws.
fn mime_type(text: &str, prefix: &str) -> Result<(), String> {
    let token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let is_one = text.len() <= MIME_TYPE
        && text.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub))
        && text.starts_with(prefix);
    if is_one {
        return Ok(());
    }
    let wanted = if prefix.is_empty() { "type/subtype" } else { prefix };
    Err(format!("{} is no `{wanted}` type", visible::quoted_target(text)))
}

/// Absolute, of the characters that RFC 3986 allows, and of no scheme that a client acts on.
fn uri(text: &str) -> Result<(), String> {
    let problem = |why: &str| Err(format!("{} {why}", visible::quoted_target(text)));
    if text.len() > URI {
        return problem("is too long for a URI");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let scheme = text.split_once(':').map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    match scheme {
        Some((scheme, rest)) if is_scheme(&scheme) && !rest.is_empty() && text.bytes().all(allowed) => {
            if RESERVED.contains(&scheme.as_str()) {
                problem("is of a scheme that is not a tool's to give")
            } else {
                Ok(())
            }
        }
        _ => problem("is no absolute URI"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_piece_is_what_it_is() {
        let pieces = json!([
            {"text": "a"},
            {"image": {"data": "AA==", "mime-type": "image/png"}},
            {"audio": {"data": "AA==", "mime-type": "audio/wav"}},
            {"document": {"uri": "test://x", "mime-type": "text/plain", "body": {"text": "t"}}},
            {"document": {"uri": "urn:x", "mime-type": null, "body": {"blob": "AA=="}}},
        ]);
        let shown = serde_json::to_value(blocks(pieces).unwrap()).unwrap();
        assert_eq!(
            shown,
            json!([
                {"type": "text", "text": "a"},
                {"type": "image", "data": "AA==", "mimeType": "image/png"},
                {"type": "audio", "data": "AA==", "mimeType": "audio/wav"},
                {"type": "resource", "resource": {"uri": "test://x", "mimeType": "text/plain", "text": "t"}},
                {"type": "resource", "resource": {"uri": "urn:x", "blob": "AA=="}},
            ])
        );
    }

    #[test]
    fn what_would_pass_for_something_else_is_refused() {
        let image = |mime: &str| json!([{"image": {"data": "", "mime-type": mime}}]);
        for mime in ["text/html", "image/", "image/png; x=y", "image/p\u{202e}ng", "audio/wav", ""] {
            assert!(blocks(image(mime)).is_err(), "{mime}");
        }
        let document =
            |uri: &str| json!([{"document": {"uri": uri, "mime-type": null, "body": {"text": ""}}}]);
        let long = format!("test://{}", "x".repeat(URI));
        for uri in [
            "skill://echo/SKILL.md",
            "SKILL:x",
            "ui://page",
            "data:text/html,x",
            "javascript:x",
            "x",
            "/x",
            ":x",
            "a b:c",
            "test:\u{200b}x",
            "test:",
            &long,
        ] {
            assert!(blocks(document(uri)).is_err(), "{uri}");
        }
        let app = json!([{"document": {"uri": "test://x", "mime-type": "text/html;profile=mcp-app", "body": {"text": ""}}}]);
        assert!(blocks(app).is_err());
    }

    #[test]
    fn another_shape_of_that_name_is_refused() {
        for other in [json!([{"text": 1}]), json!([{"html": "x"}]), json!({"text": "x"}), json!(["text"])] {
            assert!(blocks(other.clone()).is_err(), "{other}");
        }
    }
}

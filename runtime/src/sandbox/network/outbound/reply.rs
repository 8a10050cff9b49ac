//! What the other end said when it refused: a short line for whoever has to mend it, and nothing that could be the
//! credential come back.

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::OutboundUrl;

/// Characters that are shown.
const SHOWN: usize = 80;

/// The first bytes of an answer's body.
pub(super) async fn read(mut body: Incoming, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        let Some(Ok(frame)) = body.frame().await else { break };
        if let Some(data) = frame.data_ref() {
            bytes.extend(data.iter().take(most - bytes.len()));
        }
    }
    bytes
}

/// Its first line, or the `description` or `message` of a JSON answer, as Telegram and Discord give it. None when that
/// holds anything but plain words: a page of HTML helps nobody, and an echo of the request in some encoding is no word.
pub(super) fn line(bytes: &[u8], url: &OutboundUrl) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let of_json = serde_json::from_str::<serde_json::Value>(text).ok().and_then(|value| {
        let said = ["description", "message", "error"].iter().find_map(|name| value.get(name)?.as_str());
        said.map(str::to_owned)
    });
    let said = of_json.unwrap_or_else(|| text.lines().next().unwrap_or_default().trim().to_owned());
    let plain = |word: &str| word.len() <= 24 && word.bytes().all(|byte| byte.is_ascii_graphic());
    let words = said.split(' ').all(plain) && !said.contains(['<', '>', '{', '}', '/', '%']);
    (!said.is_empty() && said.len() <= SHOWN && words && !url.is_told_by(&said)).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_words_that_tell_nothing_of_the_url_are_shown() {
        let url = OutboundUrl::parse("https://example.com/services/T00000/secret-1234").unwrap();
        for (said, shown) in [
            ("invalid_token", Some("invalid_token")),
            (r#"{"ok":false,"description":"Unauthorized"}"#, Some("Unauthorized")),
            ("no_service\nat line 2", Some("no_service")),
            ("POST /services/T00000/secret-1234 not found", None),
            ("unknown secret-1234", None),
            ("<html><body>", None),
            ("\u{1b}[2Jgone", None),
            ("aGVsbG8gd29ybGQgdGhpcyBpcyBhIHNlY3JldA==", None),
            ("", None),
        ] {
            assert_eq!(line(said.as_bytes(), &url).as_deref(), shown, "{said}");
        }
    }
}

//! Bytes to text. The rule: what can't be read is replaced, and the note says so.

use encoding_rs::{Encoding, UTF_8};

/// How far into a page its own word on its charset is looked for; the HTML standard says 1,024 bytes.
const PRESCAN: usize = 1024;

/// The text of `bytes`, and a note if some of it could not be read. The charset is, in this order: a byte
/// order mark's, the `content-type`'s, a page's own `meta` (if `html`), UTF-8.
pub(crate) fn decode(bytes: &[u8], content_type: Option<&str>, html: bool) -> (String, Option<String>) {
    let label = content_type.and_then(charset_in).or_else(|| {
        let head = String::from_utf8_lossy(bytes.get(..PRESCAN.min(bytes.len()))?).into_owned();
        if html { charset_in(head.get(head.find("<meta")?..)?) } else { None }
    });
    let encoding = label.as_deref().and_then(|label| Encoding::for_label(label.as_bytes()));
    let (text, used, replaced) = encoding.unwrap_or(UTF_8).decode(bytes);
    let note = match (label, encoding) {
        (Some(label), None) => Some(format!("unknown charset {}, read as UTF-8", granted::quoted(&label))),
        _ if replaced => Some(format!("some characters are not valid {} and were replaced", used.name())),
        _ => None,
    };
    (text.into_owned(), note)
}

/// The value of the first `charset=` in a header's value or a page's head.
fn charset_in(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (_, value) = lower.split_once("charset")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let end = value.find(|c: char| c.is_whitespace() || "\"';>/,".contains(c)).unwrap_or(value.len());
    value.get(..end).filter(|label| !label.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_charset_is_the_headers_then_the_pages_own_then_utf_8() {
        assert_eq!(decode(b"caf\xe9", Some("text/plain; charset=ISO-8859-1"), false), ("café".into(), None));
        assert_eq!(
            decode(b"<meta charset='latin1'>\xe9", None, true),
            ("<meta charset='latin1'>é".into(), None)
        );
        let old = b"<meta http-equiv=Content-Type content=\"text/html; charset=windows-1251\">\xcf";
        assert!(decode(old, Some("text/html"), true).0.ends_with('П'));
        assert_eq!(decode("café".as_bytes(), None, false), ("café".into(), None));
        assert_eq!(decode(b"\xef\xbb\xbfok", Some("text/plain; charset=latin1"), false).0, "ok");
    }

    #[test]
    fn what_cannot_be_read_is_replaced_and_noted() {
        let (text, note) = decode(b"a\xffb", None, false);
        assert_eq!(text, "a\u{fffd}b");
        assert!(note.unwrap().contains("UTF-8"));
        assert!(decode(b"a", Some("text/plain; charset=klingon"), false).1.unwrap().contains("klingon"));
    }
}

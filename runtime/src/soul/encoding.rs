//! The bytes of a SOUL.md before anything reads them as Markdown: size, UTF-8, characters that cannot be
//! seen, and nesting that would make a Markdown parser slow.
//!
//! The one rule: what a person cannot see never reaches the reader. So a file with such characters is refused
//! here, whole, before its structure is looked at: they could have made the structure another one than it
//! seems.

use super::diagnostic::{Diagnostic, Findings};
use super::source::Source;
use crate::grant::EntryError;
use crate::visible;

/// A SOUL.md is prose and a page of grants: at most 256 KiB.
pub(super) const MAXIMUM_BYTES: usize = 256 * 1024;
/// So many container markers (`>`, `-`, `1.`) may open at the head of one line.
const MARKERS: usize = 16;
/// So many columns a line may be indented by.
const INDENTATION: usize = 256;

/// The file's text without its byte order mark.
pub(super) fn decode<'a>(file: &str, bytes: &'a [u8]) -> Result<&'a str, Diagnostic> {
    if bytes.len() > MAXIMUM_BYTES {
        return Err(too_large(file, u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
        Diagnostic::whole(
            file,
            u32::try_from(line).unwrap_or(u32::MAX),
            format!("the byte 0x{byte:02x} is not UTF-8 here"),
            "save the file as UTF-8",
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A file of `bytes` bytes is refused by its size alone.
pub(super) fn too_large(file: &str, bytes: u64) -> Diagnostic {
    Diagnostic::whole(
        file,
        1,
        format!("the file has {bytes} bytes, and at most {MAXIMUM_BYTES} are read"),
        "a SOUL.md is a page or two: move the rest to another file",
    )
}

/// Refuses every character that a reader cannot see, and every line that nests absurdly.
pub(super) fn inspect(source: &Source<'_>, findings: &mut Findings<'_>) {
    let mut before = None;
    let mut characters = source.text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if !is_readable(before, character, next) {
            let message = match character {
                '\r' => "a carriage return without a line feed: it hides what stands before it on a terminal"
                    .into(),
                '\u{feff}' => "a byte order mark that is not at the start of the file".into(),
                _ => format!("the character U+{:04X} cannot be seen", u32::from(character)),
            };
            findings.error(EntryError::at(at..at + character.len_utf8(), message).hint("delete it"));
        }
        before = Some(character);
    }
    // Viewers that know front matter show such a block as a table or not at all; Markdown reads on.
    let first = source.text.lines().next().unwrap_or_default().trim_end();
    if matches!(first, "---" | "+++") {
        findings.error(
            EntryError::at(0..first.len(), "front matter: some viewers hide what stands in it")
                .hint("delete the block; SOUL.md says who the agent is under `## Identity`"),
        );
    }
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        // The parser's work on a line grows with the containers that are open: bounded before it starts.
        if nests_absurdly(line) {
            let start = at + line.len() - line.trim_start().len();
            findings.error(
                EntryError::at(start..start + 1, "this line is nested too deeply")
                    .hint("lists and quotes nest at most 3 deep"),
            );
        }
        at += line.len();
    }
}

fn is_readable(before: Option<char>, character: char, next: Option<char>) -> bool {
    match character {
        '\n' | '\t' => true,
        '\r' => next == Some('\n'),
        // U+FE0F after a symbol asks for its colourful form, as in ⚠️ or 1️⃣; anywhere else it is only
        // hidden.
        '\u{fe0f}' => before.is_some_and(|before| {
            matches!(before, '0'..='9' | '#' | '*')
                || !before.is_ascii() && !before.is_alphanumeric() && !visible::is_invisible(before)
        }),
        _ => !visible::is_invisible(character),
    }
}

fn nests_absurdly(line: &str) -> bool {
    let content = line.trim_start_matches([' ', '\t']);
    if content.trim_end().is_empty() {
        return false;
    }
    let indentation: usize =
        line.chars().take_while(|c| matches!(c, ' ' | '\t')).map(|c| if c == '\t' { 4 } else { 1 }).sum();
    if indentation > INDENTATION {
        return true;
    }
    // `* * * * *` is a line across the page, not a list in a list.
    if ['-', '*', '_']
        .iter()
        .any(|mark| content.trim_end().chars().all(|c| c == *mark || c == ' ' || c == '\t'))
    {
        return false;
    }
    let mut rest = content;
    for _ in 0..=MARKERS {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let after = rest.get(digits..).unwrap_or_default();
        let (marker, bullet) = match after.chars().next() {
            Some('>') if digits == 0 => (1, false),
            Some('-' | '*' | '+') if digits == 0 => (1, true),
            Some('.' | ')') if digits > 0 => (1, true),
            _ => return false,
        };
        let Some(after) = after.get(marker..) else { return false };
        let trimmed = after.trim_start_matches([' ', '\t']);
        if bullet && trimmed.len() == after.len() {
            return false;
        }
        rest = trimmed;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<Diagnostic> {
        let source = Source::new("SOUL.md", text);
        let mut findings = Findings::new(&source);
        inspect(&source, &mut findings);
        findings.finish().0
    }

    #[test]
    fn what_cannot_be_seen_is_refused_by_name_and_line() {
        for (text, line, name) in [
            ("a\nb\u{200b}c", 2, "U+200B"),
            ("a\0", 1, "U+0000"),
            ("\u{202e}a", 1, "U+202E"),
            ("a\u{85}- b", 1, "U+0085"),
            ("a\u{2028}- b", 1, "U+2028"),
            ("a\n\n\u{e0041}", 3, "U+E0041"),
            ("a\rb", 1, "carriage return"),
            ("a\u{feff}", 1, "byte order mark"),
            ("a\u{fe0f}", 1, "U+FE0F"),
            ("\u{fe0f}", 1, "U+FE0F"),
            ("1\u{fe0f}\u{fe0f}", 1, "U+FE0F"),
        ] {
            let errors = errors(text);
            assert_eq!(errors.len(), 1, "{text:?}");
            assert_eq!(errors[0].line, line, "{text:?}");
            assert!(errors[0].message.contains(name), "{text:?}: {}", errors[0].message);
        }
        assert!(errors("é 日本 ⚠\u{fe0f} 1\u{fe0f}\u{20e3}\r\n\tx\n").is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_on_their_line() {
        for (bytes, line) in [(&b"a\nb\n\x80"[..], 3), (b"a\xc3", 1), (b"\xed\xa0\x80", 1), (b"\xc0\xaf", 1)]
        {
            assert_eq!(decode("SOUL.md", bytes).unwrap_err().line, line);
        }
        assert_eq!(decode("SOUL.md", b"\xef\xbb\xbfa").unwrap(), "a");
        assert_eq!(decode("SOUL.md", b"\xef\xbb\xbf\xef\xbb\xbfa").unwrap(), "\u{feff}a");
        assert!(decode("SOUL.md", &vec![b'a'; MAXIMUM_BYTES]).is_ok());
        assert!(decode("SOUL.md", &vec![b'a'; MAXIMUM_BYTES + 1]).is_err());
    }

    #[test]
    fn front_matter_is_refused_since_some_viewers_hide_it() {
        for text in ["---\n## Skills\n- probe: x\n---\n# A\n", "+++\nx\n+++\n", "--- \r\nx\r\n"] {
            assert_eq!(errors(text).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn only_absurd_nesting_is_refused_before_parsing() {
        for fine in [
            "- - - x",
            "* * * * * * * * * * * * * * * * * * * *",
            "> > x",
            "x\n---",
            "10 > 5",
            &" ".repeat(999),
        ] {
            assert!(errors(fine).is_empty(), "{fine}");
        }
        for absurd in
            [">".repeat(50), "- ".repeat(50) + "x", "1. ".repeat(50), format!("{}x", " ".repeat(257))]
        {
            assert_eq!(errors(&absurd).len(), 1, "{absurd}");
        }
    }
}

//! How a message shows what a model or a file chose: quoted and cut. The rule: a cut never falls inside a
//! character.

/// The longest quotation in a message, in bytes.
const LONGEST_QUOTE: usize = 200;

/// `text` in backticks, at most 200 bytes of it, control characters escaped.
pub fn quoted(text: &str) -> String {
    let head = cut(text, LONGEST_QUOTE);
    let mark = if head.len() < text.len() { "…" } else { "" };
    let shown: String = head
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    format!("`{shown}{mark}`")
}

/// The longest beginning of `text` that has at most `limit` bytes and ends between two characters.
pub fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("héllo", 2), "h");
        assert_eq!(cut("héllo", 3), "hé");
        assert_eq!(cut("héllo", 100), "héllo");
    }

    #[test]
    fn a_quotation_is_bounded_and_has_no_control_characters() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "`a\\u{1b}[2J\\n`");
        assert!(quoted(&"x".repeat(10_000)).len() < 210);
    }
}

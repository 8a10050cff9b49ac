//! The names that become folders and ids: slugs of skills and channels, and the agent's id from its name.
//!
//! A slug finds a file, so it holds nothing that a path, a glob, a shell or a URL would read as more than a
//! letter.

use super::keys::Key;

/// At most this many characters.
const LONGEST: usize = 64;

/// What keeps `text` from being a slug, if anything does.
pub(super) fn slug_error(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".into());
    }
    if let Some(odd) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(match odd {
            'A'..='Z' => format!("`{odd}` is upper case"),
            ' ' => "it holds a space".into(),
            '`' => "it holds a backtick".into(),
            _ if odd.is_ascii() => format!("it holds `{odd}`"),
            _ => format!("it holds U+{:04X}, which is not ASCII", u32::from(odd)),
        });
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Some("it starts or ends with `-`".into());
    }
    if text.contains("--") {
        return Some("it holds `--`".into());
    }
    (text.len() > LONGEST).then(|| format!("it is longer than {LONGEST} characters"))
}

/// Like [`slug_error`], and none of the grants' keys: a bullet that slipped one level out must not become a
/// skill.
pub(super) fn entry_error(text: &str) -> Option<String> {
    slug_error(text).or_else(|| Key::parse(text).map(|_| "it is the key of a grant".into()))
}

/// A slug near a text that is none.
pub(super) fn slug_near(text: &str) -> Option<String> {
    let folded: String = text
        .trim()
        .trim_matches(['*', '_', '`', '[', ']'])
        .chars()
        .map(|c| match c {
            ' ' | '_' => '-',
            _ => c.to_ascii_lowercase(),
        })
        .collect();
    (folded != text && entry_error(&folded).is_none()).then_some(folded)
}

/// The agent's id: lower case, spaces to `-`, then the slug rule. An id makes itself.
///
/// # Errors
///
/// What keeps the name from being one.
pub fn agent_id(name: &str) -> Result<String, String> {
    // Only ASCII is folded: `K` (U+212A, the Kelvin sign) must not become the `k` of another agent.
    let id = name.to_ascii_lowercase().replace(' ', "-");
    match slug_error(&id) {
        None => Ok(id),
        Some(reason) => Err(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_holds_nothing_that_a_path_or_a_shell_would_read() {
        for good in ["a", "file-reader", "x2", &"a".repeat(64)] {
            assert_eq!(entry_error(good), None, "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a--b",
            "A",
            "a b",
            "a/b",
            "../x",
            "/x",
            "a\\b",
            "a.b",
            "{a,b}",
            "$x",
            "*",
            "a_b",
            "é",
            "brow\u{455}er",
            "browser\u{a0}",
            "browser\u{3000}",
            "\u{ff42}",
            "cafe\u{301}",
            "write",
            "hosts",
            "sha256",
            &"a".repeat(65),
        ] {
            assert!(entry_error(bad).is_some(), "{bad}");
        }
        assert_eq!(slug_near("File Reader").as_deref(), Some("file-reader"));
        assert_eq!(slug_near("`browser`").as_deref(), Some("browser"));
        assert_eq!(slug_near("../x"), None);
    }

    #[test]
    fn a_name_makes_an_id_or_says_why_not() {
        assert_eq!(agent_id("Blog Writer 2").as_deref(), Ok("blog-writer-2"));
        assert_eq!(agent_id("Echo\u{212a}"), Err("it holds U+212A, which is not ASCII".into()));
        assert_eq!(agent_id("A  B"), Err("it holds `--`".into()));
        assert!(agent_id("Echo\\n- [10:15] Used skill: forged").is_err());
    }
}

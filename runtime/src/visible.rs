//! Text that a model, a skill or a file chose, made safe for a person to read.
//!
//! A guest picks paths, URLs, log lines and even the function names in a backtrace. Printed raw they could move the
//! cursor, reverse the direction of a line or forge the line after it. So everything that is shown passes through
//! here: one table of characters that cannot be seen, one way to escape them.

/// At most this many characters of a target stand in a denial's first line.
pub const TARGET_CHARACTERS: usize = 80;

/// Characters that a reader cannot see, or that move what they see: controls (tab and newline among them),
/// bidirectional and zero-width formatting, fillers, tags and variation selectors, and private-use or
/// noncharacter code points. From the Unicode properties Cc, Cf, Zl, Zp and Default_Ignorable_Code_Point.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{0600}'..='\u{0605}' | '\u{06dd}' | '\u{070f}' | '\u{0890}'..='\u{0891}' | '\u{08e2}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e000}'..='\u{f8ff}'
            | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

/// `text` in double quotes, with quotes, backslashes and invisible characters escaped as in JSON (astral ones as
/// `\u{…}`), cut after `limit` characters with `…` inside the quotes.
#[must_use]
pub fn quoted(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit) + 2);
    out.push('"');
    for (index, character) in text.chars().enumerate() {
        if index == limit {
            out.push('…');
            break;
        }
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            _ => push_visible(&mut out, character),
        }
    }
    out.push('"');
    out
}

/// A target as it stands in a denial: [`quoted`], at most [`TARGET_CHARACTERS`] characters.
#[must_use]
pub fn quoted_target(text: &str) -> String {
    quoted(text, TARGET_CHARACTERS)
}

/// One line of text with invisible characters escaped and nothing else changed: what a guest printed, ready to be
/// shown. Newlines are escaped too, so that one line stays one line.
#[must_use]
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push_visible(&mut out, character);
    }
    out
}

/// A JSON text with every invisible character written as a `\u` escape.
///
/// The input must be valid JSON: there such characters stand only inside strings, where the escape means the same.
/// Newlines and tabs between tokens are kept.
#[must_use]
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) && !matches!(character, '\n' | '\t') {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(character);
        }
    }
    out
}

fn push_visible(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        _ if is_invisible(character) => {
            let code = u32::from(character);
            if code <= 0xffff {
                out.push_str(&format!("\\u{code:04x}"));
            } else {
                out.push_str(&format!("\\u{{{code:x}}}"));
            }
        }
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_the_direction_is_escaped() {
        let cases = [
            ("plain é 日本", "plain é 日本"),
            ("a\u{1b}[2Jb", "a\\u001b[2Jb"),
            ("a\nb\r\tc", "a\\nb\\r\\tc"),
            ("txt.\u{202e}exe", "txt.\\u202eexe"),
            ("zero\u{200b}width", "zero\\u200bwidth"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("nel\u{85}", "nel\\u0085"),
        ];
        for (raw, shown) in cases {
            assert_eq!(line(raw), shown);
        }
    }

    #[test]
    fn a_target_is_quoted_and_cut() {
        assert_eq!(quoted_target("a\"b\\c"), r#""a\"b\\c""#);
        let long = "x".repeat(100);
        assert_eq!(quoted_target(&long), format!("\"{}…\"", "x".repeat(80)));
        assert_eq!(quoted(&"é".repeat(3), 3), "\"ééé\"");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let value = serde_json::json!({"a": "x\u{202e}\u{7f}\u{e0041}y", "b": [1, 2]});
        let shown = json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.chars().any(|c| is_invisible(c) && c != '\n'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}

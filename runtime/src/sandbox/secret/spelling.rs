//! The ways in which one character may be written in what a server sends back: one table, the same for every secret.
//!
//! A server may escape some characters of a value and leave others, and each encoder has a set of its own; so the choice
//! is open at every character. Compared without regard to case: `%2f` is `%2F`, and a server may fold a header's value.

use std::sync::LazyLock;

/// The spellings of an ASCII character.
pub(super) type Spellings = Vec<Vec<u8>>;

/// What stands for a character of the value itself.
pub(super) fn of(character: u8) -> &'static Spellings {
    static TABLE: LazyLock<Vec<Spellings>> = LazyLock::new(|| (0..=u8::MAX).map(spellings).collect());
    static NONE: Spellings = Spellings::new();
    TABLE.get(usize::from(character)).unwrap_or(&NONE)
}

/// What stands for a character of its base64: the two alphabets differ in two characters.
pub(super) fn of_base64(character: u8) -> [&'static Spellings; 2] {
    let other = match character {
        b'+' => b'-',
        b'-' => b'+',
        b'/' => b'_',
        b'_' => b'/',
        same => same,
    };
    [of(character), of(other)]
}

/// What may stand between two characters of base64 or hexadecimal digits: MIME breaks lines, and so does a JSON string.
pub(super) const FOLDS: [&[u8]; 4] = [b"\r\n", b"\n", b"\\r\\n", b"\\n"];
/// And between digits besides: `73:65`, `73 65`, `73-65`.
pub(super) const SEPARATORS: [&[u8]; 3] = [b":", b" ", b"-"];

fn spellings(character: u8) -> Spellings {
    let shown = char::from(character);
    let mut all = vec![
        vec![character],
        // URLs and forms.
        format!("%{character:02x}").into_bytes(),
        // JSON, JavaScript, C.
        format!("\\u{character:04x}").into_bytes(),
        format!("\\x{character:02x}").into_bytes(),
        // HTML and XML.
        format!("&#{character};").into_bytes(),
        format!("&#x{character:x};").into_bytes(),
        // UTF-16, either end first.
        vec![character, 0],
        vec![0, character],
    ];
    let named: &[&str] = match shown {
        '&' => &["&amp;"],
        '<' => &["&lt;"],
        '>' => &["&gt;"],
        '"' => &["&quot;"],
        '\'' => &["&apos;", "&#039;"],
        ' ' => &["+", "&nbsp;"],
        _ => &[],
    };
    all.extend(named.iter().map(|name| name.as_bytes().to_vec()));
    if shown.is_ascii_punctuation() {
        all.push(vec![b'\\', character]);
    }
    all
}

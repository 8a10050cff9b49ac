//! Escapes: percent (RFC 3986), JSON's and C's backslashes and HTML's entities at once, and quoted-printable (RFC 2045) apart,
//! since `?number=42` is a query as often as it is a `B`; C's short octal ones apart too.
//!
//! Which of them a receiver undoes, nobody here knows; the text as it is was looked at before.

mod entities;

use super::nearby::Nearby;

/// The text with its escapes undone; none if it has none.
pub(in crate::oversight::outputs) fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    undone(text, |byte| matches!(byte, b'%' | b'\\' | b'&'), escape)
}

/// The text with quoted-printable undone; none unless two characters in a row are quoted, or a line goes on.
pub(super) fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let is_quoted = text.windows(6).any(|window| {
        matches!(window, [b'=', b'\n', ..] | [b'=', b'\r', b'\n', ..])
            || matches!(window, [b'=', a, b, b'=', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_hexdigit()))
    });
    if !is_quoted {
        return None;
    }
    undone(text, |byte| byte == b'=', escape)
}

/// The text with C's octal escapes undone as C does it, with as many digits as there are: `\40` is a space. The others stay,
/// since one that follows may be a digit.
pub(super) fn unoctaled(text: &[u8]) -> Option<Vec<u8>> {
    undone(
        text,
        |byte| byte == b'\\',
        |text| match text {
            [b'\\', rest @ ..] => (1..=3).rev().find_map(|digits| octal(rest, digits)),
            _ => None,
        },
    )
}

fn undone(text: &[u8], begins: fn(u8) -> bool, escape: Escapes) -> Option<Vec<u8>> {
    let mut view = Nearby::new(text);
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| rest.iter().position(|byte| begins(*byte))) {
        at += offset;
        // None looks beyond the next character that begins one, so that all are linear however long a number is.
        let rest = text.get(at..).unwrap_or_default();
        let Some((escape, length)) = escape(rest) else {
            at += 1;
            continue;
        };
        let mut end = at + length;
        match escape {
            Escape::Nothing => view.change(at, end, b""),
            Escape::Byte(byte) => view.change(at, end, &[byte]),
            Escape::Unit(unit) => {
                let (character, more) = character(unit, text.get(end..).unwrap_or_default());
                end += more;
                view.change(at, end, character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        at = end;
    }
    view.finish()
}

/// Reads the escape at the beginning of a text.
type Escapes = fn(&[u8]) -> Option<(Escape, usize)>;

/// What an escape stands for.
enum Escape {
    Nothing,
    Byte(u8),
    /// A code point, or a half of one in UTF-16.
    Unit(u32),
}

/// The escape at the beginning of this text, and its length in bytes.
fn escape(text: &[u8]) -> Option<(Escape, usize)> {
    match text {
        [b'%' | b'\\', b'u', rest @ ..] => match rest {
            [b'{', rest @ ..] => {
                let length = rest.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
                let number = number(rest, 16, length)?;
                (rest.get(length) == Some(&b'}')).then_some((Escape::Unit(number), length + 4))
            }
            _ => Some((Escape::Unit(number(rest, 16, 4)?), 6)),
        },
        [b'\\', b'U', rest @ ..] => Some((Escape::Unit(number(rest, 16, 8)?), 10)),
        [b'\\', b'x', rest @ ..] => Some((Escape::Byte(u8::try_from(number(rest, 16, 2)?).ok()?), 4)),
        [b'%', rest @ ..] => Some((Escape::Byte(u8::try_from(number(rest, 16, 2)?).ok()?), 3)),
        [b'=', b'\r', b'\n', ..] => Some((Escape::Nothing, 3)),
        [b'=', b'\n', ..] | [b'\\', b'\n', ..] => Some((Escape::Nothing, 2)),
        [b'=', rest @ ..] => {
            // Quoted-printable writes capitals; `a=bad` is a setting.
            let digits = rest.get(..2)?;
            digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')).then_some(())?;
            Some((Escape::Byte(u8::try_from(number(rest, 16, 2)?).ok()?), 3))
        }
        [b'&', b'#', b'x' | b'X', rest @ ..] => entity(rest, 16, 3),
        [b'&', b'#', rest @ ..] => entity(rest, 10, 2),
        [b'&', rest @ ..] => {
            let (character, length) = entities::named(rest)?;
            Some((Escape::Unit(character), length + 1))
        }
        [b'\\', rest @ ..] => backslash(rest),
        _ => None,
    }
}

/// A number of exactly so many digits.
fn number(text: &[u8], radix: u32, digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|digits| !digits.is_empty())?;
    if !digits.iter().all(|byte| char::from(*byte).is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// `&#52;`, whose end browsers do not need.
fn entity(text: &[u8], radix: u32, before: usize) -> Option<(Escape, usize)> {
    let length = text.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let ends = usize::from(text.get(length) == Some(&b';'));
    Some((Escape::Unit(number(text, radix, length)?), before + length + ends))
}

/// What stands behind a backslash, as JSON and C have it.
fn backslash(text: &[u8]) -> Option<(Escape, usize)> {
    let plain = |byte: u8| Some((Escape::Byte(byte), 2));
    match *text.first()? {
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        byte @ (b'"' | b'\'' | b'\\' | b'/' | b'-' | b'.' | b'_') => plain(byte),
        b'0'..=b'3' => octal(text, 3),
        _ => None,
    }
}

/// A byte in so many octal digits.
fn octal(text: &[u8], digits: usize) -> Option<(Escape, usize)> {
    Some((Escape::Byte(u8::try_from(number(text, 8, digits)?).ok()?), digits + 1))
}

/// The character of a unit, and the length of the second half of a pair that follows it.
fn character(unit: u32, rest: &[u8]) -> (char, usize) {
    if let 0xd800..=0xdbff = unit
        && let [b'\\' | b'%', b'u', digits @ ..] = rest
        && let Some(low @ 0xdc00..=0xdfff) = number(digits, 16, 4)
    {
        let point = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 0)
}

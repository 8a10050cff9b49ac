//! Escapes: percent (RFC 3986), JSON's and C's backslashes and HTML's entities at once, and quoted-printable (RFC 2045) apart,
//! since `?number=42` is a query as often as it is a `B`.
//!
//! Which of them a receiver undoes, nobody here knows; the text as it is was looked at before.

use super::nearby::Nearby;

/// The text with its escapes undone; none if it has none.
pub(in crate::oversight::outputs) fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    undone(text, |byte| matches!(byte, b'%' | b'\\' | b'&'))
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
    undone(text, |byte| byte == b'=')
}

fn undone(text: &[u8], begins: fn(u8) -> bool) -> Option<Vec<u8>> {
    let mut view = Nearby::new(text);
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| rest.iter().position(|byte| begins(*byte))) {
        at += offset;
        let rest = text.get(at..).unwrap_or_default();
        // The longest is `&CounterClockwiseContourIntegral;`; of those with a meaning here, `\U0001F511`.
        let rest = rest.get(..rest.len().min(16)).unwrap_or_default();
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
        [b'&', rest @ ..] => named(rest),
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

/// Entities of characters that stand in what is looked for, or between its parts.
fn named(text: &[u8]) -> Option<(Escape, usize)> {
    const NAMES: [(&[u8], u32); 24] = [
        (b"amp", 38),
        (b"lt", 60),
        (b"gt", 62),
        (b"quot", 34),
        (b"apos", 39),
        (b"nbsp", 32),
        (b"shy", 0xad),
        (b"zwnj", 0x200c),
        (b"zwj", 0x200d),
        (b"ensp", 32),
        (b"emsp", 32),
        (b"thinsp", 32),
        (b"hyphen", 45),
        (b"dash", 45),
        (b"ndash", 45),
        (b"period", 46),
        (b"sol", 47),
        (b"plus", 43),
        (b"equals", 61),
        (b"commat", 64),
        (b"lowbar", 95),
        (b"colon", 58),
        (b"Tab", 9),
        (b"NewLine", 10),
    ];
    let end = text.iter().position(|byte| *byte == b';')?;
    let name = text.get(..end)?;
    let (_, character) = NAMES.iter().find(|(known, _)| *known == name)?;
    Some((Escape::Unit(*character), end + 2))
}

/// What stands behind a backslash, as JSON and C have it.
fn backslash(text: &[u8]) -> Option<(Escape, usize)> {
    let plain = |byte: u8| Some((Escape::Byte(byte), 2));
    match *text.first()? {
        b'n' => plain(b'\n'),
        b'r' => plain(b'\r'),
        b't' => plain(b'\t'),
        byte @ (b'"' | b'\'' | b'\\' | b'/' | b'-' | b'.' | b'_') => plain(byte),
        b'0'..=b'3' if number(text, 8, 3).is_some() => {
            Some((Escape::Byte(u8::try_from(number(text, 8, 3)?).ok()?), 4))
        }
        _ => None,
    }
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

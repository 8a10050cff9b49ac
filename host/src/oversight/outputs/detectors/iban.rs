//! International bank account numbers: a country, its length, and the remainder 1 modulo 97 (ISO 13616).

use super::Found;

/// Countries and the length of their numbers, from SWIFT's registry (release 99).
const LENGTHS: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];
/// Digits that one has at least: random letters of the right length are no account.
const DIGITS: usize = 8;

/// Tells of each number.
pub(super) fn each(text: &[u8], found: &mut Found<'_>) {
    let mut at = 0;
    while let Some(window) = text.get(at..at + 4) {
        let starts = match window {
            [a, b, c, d] => {
                a.is_ascii_alphabetic() && b.is_ascii_alphabetic() && c.is_ascii_digit() && d.is_ascii_digit()
            }
            _ => false,
        };
        let is_alone = || {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        };
        let end = (starts && is_alone()).then(|| end_of(text, at)).flatten();
        if let Some(end) = end {
            if !found(at..end) {
                return;
            }
            at = end;
        } else {
            at += 1;
        }
    }
}

/// Where the number that begins here ends, if it is one.
fn end_of(text: &[u8], start: usize) -> Option<usize> {
    let country = text.get(start..start + 2)?.to_ascii_uppercase();
    let (_, length) = LENGTHS.iter().find(|(code, _)| code.as_slice() == country)?;
    let mut characters = Vec::with_capacity(*length);
    let mut end = start;
    let mut apart = 0;
    while characters.len() < *length {
        let byte = *text.get(end)?;
        if byte.is_ascii_alphanumeric() {
            characters.push(byte.to_ascii_uppercase());
            apart = 0;
        } else if matches!(byte, b' ' | b'-' | b'.' | b'+' | b'_') && apart < 2 {
            apart += 1;
        } else {
            return None;
        }
        end += 1;
    }
    let ends = text.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let digits = characters.iter().filter(|byte| byte.is_ascii_digit()).count();
    (ends && digits >= DIGITS && remainder(&characters) == 1).then_some(end)
}

/// The number with its first four characters moved to the end and letters as 10 to 35, modulo 97.
fn remainder(characters: &[u8]) -> u32 {
    let (head, tail) = characters.split_at_checked(4).unwrap_or((characters, &[]));
    tail.iter().chain(head).fold(0, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    })
}

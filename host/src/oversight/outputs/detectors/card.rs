//! Payment card numbers: a known prefix, its length, Luhn's check digit (ISO/IEC 7812-1), written in one piece or in groups.
//!
//! One random number of sixteen digits in forty passes for a card, so groups count only as they are printed on cards, or if
//! nothing else stands in their row: otherwise each table of numbers would hold some.

use std::ops::Range;

use super::Found;

/// Digits of the shortest and of the longest card number.
const DIGITS: std::ops::RangeInclusive<usize> = 14..=19;
/// Groups as they are printed on cards.
const PRINTED: [&[usize]; 5] = [&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 4, 3], &[6, 13]];
/// Groups of one row that are looked at together; a longer row is a table of numbers.
const ROW: usize = 40;
/// A hexadecimal word of so many characters is a digest or an id, and digits within it are no number of their own.
const HEXADECIMAL: usize = 20;

/// Tells of each card number.
pub(super) fn each(text: &[u8], found: &mut Found<'_>) {
    let mut at = 0;
    while let Some(row) = Row::next(text, at) {
        at = row.end();
        for range in row.cards(text) {
            if !found(range) {
                return;
            }
        }
    }
}

/// Groups of digits, each apart from the next by the same one or two characters.
struct Row {
    groups: Vec<Range<usize>>,
    separator: Option<u8>,
}

impl Row {
    /// The next row that begins at `from` or later.
    fn next(text: &[u8], from: usize) -> Option<Self> {
        let start = from + text.get(from..)?.iter().position(u8::is_ascii_digit)?;
        let first = start..digits_end(text, start);
        let mut row = Self { groups: vec![first], separator: None };
        while row.groups.len() < ROW {
            let Some(next) = row.after(text) else { break };
            row.groups.push(next);
        }
        Some(row)
    }

    /// The group that follows in the same row.
    fn after(&mut self, text: &[u8]) -> Option<Range<usize>> {
        let end = self.end();
        let separator =
            *text.get(end).filter(|byte| matches!(byte, b' ' | b'-' | b'.' | b'_' | b'+' | b'/'))?;
        if self.separator.is_some_and(|own| own != separator) {
            return None;
        }
        let twice = text.get(end + 1) == Some(&separator);
        let start = end + 1 + usize::from(twice);
        text.get(start).filter(|byte| byte.is_ascii_digit())?;
        self.separator = Some(separator);
        Some(start..digits_end(text, start))
    }

    fn end(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    fn cards(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let lengths: Vec<usize> = self.groups.iter().map(Range::len).collect();
        if self.groups.len() > 1 && DIGITS.contains(&lengths.iter().sum()) {
            found.extend(self.card(text, 0, self.groups.len()));
        }
        let mut index = 0;
        while found.is_empty() && index < self.groups.len() {
            let cards = PRINTED.iter().map(|groups| groups.len()).chain([1]);
            let card = cards
                .filter(|count| self.is_printed(&lengths, index, *count))
                .find_map(|count| Some((self.card(text, index, count)?, count)));
            match card {
                Some((range, count)) => {
                    // Whatever follows is looked at too, as a row of its own.
                    found.push(range);
                    index += count;
                    let rest = Self {
                        groups: self.groups.iter().skip(index).cloned().collect(),
                        separator: self.separator,
                    };
                    if !rest.groups.is_empty() {
                        found.extend(rest.cards(text));
                    }
                }
                None => index += 1,
            }
        }
        found
    }

    /// Whether these groups stand as on a card.
    fn is_printed(&self, lengths: &[usize], index: usize, count: usize) -> bool {
        let Some(own) = lengths.get(index..index + count) else { return false };
        if let [length] = own {
            // After the point of a decimal number there are often sixteen digits.
            let is_fraction = self.separator == Some(b'.') && index > 0;
            return DIGITS.contains(length) && !is_fraction;
        }
        // A table of numbers with four digits is no row of cards: they begin at its beginning, or beside another length.
        let alone = index.is_multiple_of(count)
            || index.checked_sub(1).and_then(|before| lengths.get(before)).is_some_and(|length| *length != 4);
        PRINTED.contains(&own) && alone
    }

    /// The card number that these groups make.
    fn card(&self, text: &[u8], index: usize, count: usize) -> Option<Range<usize>> {
        let groups = self.groups.get(index..index + count)?;
        let range = groups.first()?.start..groups.last()?.end;
        let digits: Vec<u8> = groups
            .iter()
            .flat_map(|group| text.get(group.clone()).unwrap_or_default())
            .map(|digit| digit - b'0')
            .collect();
        (is_issued(&digits) && luhn(&digits) && !is_of_a_digest(text, &range)).then_some(range)
    }
}

fn digits_end(text: &[u8], start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
}

/// Whether an issuer's numbers begin so and are so long. Visa's old thirteen digits are left out: a German article number
/// (EAN, `4…`) would pass for one, and so are most of Maestro's many prefixes.
fn is_issued(digits: &[u8]) -> bool {
    let prefix = |length: usize| {
        digits.iter().take(length).fold(0_u32, |number, digit| number * 10 + u32::from(*digit))
    };
    match digits.len() {
        14 => matches!(prefix(3), 300..=305) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 62 | 65)
                || matches!(prefix(3), 644..=649)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011 | 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
        }
        17..=19 => prefix(2) == 62,
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(*digit);
            if index % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
        })
        .sum();
    // Zeros alone pass the sum.
    sum.is_multiple_of(10) && digits.iter().any(|digit| digit != digits.first().unwrap_or(&0))
}

/// Whether the digits are a part of a long hexadecimal word.
fn is_of_a_digest(text: &[u8], range: &Range<usize>) -> bool {
    let is_word = |byte: &&u8| byte.is_ascii_alphanumeric();
    let before = text.get(range.start.saturating_sub(128)..range.start).unwrap_or_default();
    let after = text.get(range.end..text.len().min(range.end + 128)).unwrap_or_default();
    let before: Vec<u8> = before.iter().rev().take_while(is_word).copied().collect();
    let after: Vec<u8> = after.iter().take_while(is_word).copied().collect();
    let around = before.iter().chain(&after);
    range.len() + before.len() + after.len() >= HEXADECIMAL
        && around.clone().any(u8::is_ascii_alphabetic)
        && around.clone().all(u8::is_ascii_hexdigit)
}

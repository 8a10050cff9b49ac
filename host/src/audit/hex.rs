//! 32 bytes as 64 lower-case hexadecimal digits: hashes and MACs as they stand in a record.

use std::fmt;

use serde::{Serialize, Serializer};

/// A hash or a MAC, kept as its digits: that is how it is chained, written and compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Hex([u8; 64]);

impl Hex {
    /// Stands as `prev` in the first record.
    pub(crate) const ZERO: Self = Self([b'0'; 64]);

    /// Writes 32 bytes in digits.
    pub(crate) fn of(bytes: &[u8; 32]) -> Self {
        let mut digits = [b'0'; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            for (digit, value) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
                *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
            }
        }
        Self(digits)
    }

    /// Reads exactly 64 lower-case digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 64] = text.as_bytes().try_into().ok()?;
        digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// The digits.
    pub(crate) fn as_str(&self) -> &str {
        // Only ASCII digits are ever put in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes that the digits stand for.
    pub(super) fn bytes(&self) -> [u8; 32] {
        let value = |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(self.0.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |sum, digit| (sum << 4) | value(*digit));
        }
        bytes
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_bytes_are_two_spellings_of_one_value() {
        let bytes: [u8; 32] = std::array::from_fn(|index| (index * 37 + 5) as u8);
        let hex = Hex::of(&bytes);
        assert_eq!(hex.bytes(), bytes);
        assert_eq!(Hex::parse(hex.as_str()), Some(hex));
        assert_eq!(Hex::parse(&hex.as_str().to_uppercase()), None);
        assert_eq!(Hex::parse(""), None);
        assert_eq!(Hex::ZERO.bytes(), [0; 32]);
    }
}

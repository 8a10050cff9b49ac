//! Host names: one spelling each, or none.
//!
//! A name is ASCII letters, digits and hyphens in labels; `xn--` labels must be what IDNA would write. The
//! one rule: a name that another parser could read as a number or as another name is no name. So `127.1`,
//! `0x7f000001` and `1.2.3.4.` are refused here and can reach no matcher.

use std::fmt;

/// Why a text is not a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// Nothing at all.
    Empty,
    /// Not ASCII.
    NotAscii,
    /// An empty label: `a..b`, or a dot in front.
    EmptyLabel,
    /// More than 63 octets in a label or 253 in the name.
    TooLong,
    /// An underscore.
    Underscore,
    /// Another character that does not belong in a host name.
    Character(char),
    /// A hyphen at the start or the end of a label.
    Hyphen,
    /// An `xn--` label that decodes to nothing, or to something that IDNA writes otherwise.
    Punycode,
    /// The last label is a number, but the whole is not a plain IPv4 address.
    Number,
}

impl fmt::Display for NameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("no host"),
            Self::NotAscii => formatter.write_str("a host name with characters outside ASCII"),
            Self::EmptyLabel => formatter.write_str("an empty label in the host name"),
            Self::TooLong => formatter.write_str("a host name that is longer than DNS allows"),
            Self::Underscore => formatter.write_str("an underscore, which no host name may hold"),
            Self::Character(character) => {
                write!(formatter, "`{}` in a host name", character.escape_debug())
            }
            Self::Hyphen => formatter.write_str("a label that starts or ends with a hyphen"),
            Self::Punycode => formatter.write_str("an `xn--` label that is not valid IDNA"),
            Self::Number => formatter
                .write_str("a number where only the four plain decimal numbers of an IPv4 address may stand"),
        }
    }
}

/// The canonical form: lower case, without a trailing dot.
pub(super) fn canonical(text: &str) -> Result<String, NameError> {
    if !text.is_ascii() {
        return Err(NameError::NotAscii);
    }
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > 253 {
        return Err(NameError::TooLong);
    }
    let name = text.to_ascii_lowercase();
    for label in name.split('.') {
        check_label(label)?;
    }
    if name.rsplit('.').next().is_some_and(is_number) {
        return Err(NameError::Number);
    }
    // One label at a time: strict IDNA also refuses `r3---sn-x`, a plain name that content networks do use.
    let is_canonical = |label: &str| idna::domain_to_ascii_strict(label).is_ok_and(|ascii| ascii == label);
    if !name.split('.').filter(|label| label.starts_with("xn--")).all(is_canonical) {
        return Err(NameError::Punycode);
    }
    Ok(name)
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if label.len() > 63 {
        return Err(NameError::TooLong);
    }
    for character in label.chars() {
        match character {
            'a'..='z' | '0'..='9' | '-' => {}
            '_' => return Err(NameError::Underscore),
            _ => return Err(NameError::Character(character)),
        }
    }
    if label.starts_with('-') || label.ends_with('-') { Err(NameError::Hyphen) } else { Ok(()) }
}

/// Whether a last label makes a WHATWG parser read the host as an IPv4 number: all digits, or `0x` and hex
/// digits.
fn is_number(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
        || label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

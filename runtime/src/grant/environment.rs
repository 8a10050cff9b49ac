//! An environment variable that a skill sees: `NAME=value`. Of the host's own environment a skill sees
//! nothing.

use std::fmt;

use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::visible;

/// One entry of an `env` line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentGrant {
    /// The variable's name: letters, digits and `_`, not starting with a digit.
    pub name: String,
    /// Its value, as written; perhaps empty.
    pub value: String,
    /// The line, with the entry's column.
    pub rule: RuleRef,
}

impl EnvironmentGrant {
    /// Reads one entry. The caller has taken the backticks off.
    ///
    /// # Errors
    ///
    /// Says what is no variable.
    pub fn parse(entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        let Some((name, value)) = entry.split_once('=') else {
            return Err(EntryError::whole(entry, "expected `NAME=value`")
                .hint("a comma begins the next entry: put an entry that holds one in backticks"));
        };
        if !is_name(name) {
            return Err(EntryError::at(
                0..name.len(),
                "a variable's name is letters, digits and `_`, and starts with no digit",
            )
            .hint("such as `LANG=en`, without spaces around `=`"));
        }
        let start = name.len() + 1;
        if let Some((at, odd)) = value.char_indices().find(|(_, c)| visible::is_invisible(*c)) {
            let at = start + at..start + at + odd.len_utf8();
            return Err(EntryError::at(
                at,
                format!("the value holds U+{:04X}, which cannot be seen", u32::from(odd)),
            )
            .hint("a value is one line of visible text"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned(), rule })
    }
}

/// Whether a text names a variable, or a secret.
pub(super) fn is_name(name: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(is_inner) && !name.starts_with(|c: char| c.is_ascii_digit())
}

impl fmt::Display for EnvironmentGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(entry: &str) -> Result<EnvironmentGrant, EntryError> {
        EnvironmentGrant::parse(
            entry,
            RuleRef { file: "SOUL.md".into(), line: 1, column: 1, text: String::new() },
        )
    }

    #[test]
    fn a_variable_is_a_name_and_a_value() {
        for (entry, name, value) in
            [("A=1", "A", "1"), ("_x2=a=b", "_x2", "a=b"), ("E=", "E", ""), ("G=hé, x", "G", "hé, x")]
        {
            let grant = read(entry).unwrap();
            assert_eq!((grant.name.as_str(), grant.value.as_str()), (name, value));
        }
        for entry in
            ["", "A", "=1", "1A=x", "A B=x", "A =x", "é=x", "A-B=x", "A=x\u{200b}", "A=x\ny", "A=\0", "$A=x"]
        {
            let error = read(entry).expect_err(entry);
            assert!(error.hint.is_some() && entry.get(error.at.clone()).is_some(), "{entry}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_grant(entry in "\\PC{0,3}[A-Z_]{0,3}=?\\PC{0,12}") {
            if let Ok(grant) = read(&entry) {
                prop_assert_eq!(read(&grant.to_string()), Ok(grant));
            }
        }
    }
}

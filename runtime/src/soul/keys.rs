//! The closed set of keys that may stand below a skill. What is not in this table is an error.

use crate::grant::DirectoryMode;
use crate::spelling;

/// A key of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Directories(DirectoryMode),
    Hosts,
    Environment,
    Secrets,
    Approve,
    Limit,
    Refuse,
    Sha256,
}

/// Every key with its spelling.
const KEYS: [(&str, Key); 10] = [
    ("read", Key::Directories(DirectoryMode::Read)),
    ("write", Key::Directories(DirectoryMode::Write)),
    ("create", Key::Directories(DirectoryMode::Create)),
    ("hosts", Key::Hosts),
    ("env", Key::Environment),
    ("secrets", Key::Secrets),
    ("approve", Key::Approve),
    ("limit", Key::Limit),
    ("refuse", Key::Refuse),
    ("sha256", Key::Sha256),
];

/// What people write for a key because other systems call it so.
const OTHER_NAMES: [(&str, &str); 18] = [
    ("fs", "`read`, `write` or `create`"),
    ("file", "`read`, `write` or `create`"),
    ("files", "`read`, `write` or `create`"),
    ("dir", "`read`, `write` or `create`"),
    ("dirs", "`read`, `write` or `create`"),
    ("directories", "`read`, `write` or `create`"),
    ("path", "`read`, `write` or `create`"),
    ("paths", "`read`, `write` or `create`"),
    ("net", "`hosts`"),
    ("network", "`hosts`"),
    ("http", "`hosts`"),
    ("url", "`hosts`"),
    ("urls", "`hosts`"),
    ("domains", "`hosts`"),
    ("environment", "`env`"),
    ("approval", "`approve`"),
    ("deny", "`refuse`"),
    ("digest", "`sha256`"),
];

impl Key {
    pub(super) fn parse(text: &str) -> Option<Self> {
        KEYS.iter().find(|(name, _)| *name == text).map(|(_, key)| *key)
    }

    pub(super) fn name(self) -> &'static str {
        KEYS.iter().find(|(_, key)| *key == self).map_or("", |(name, _)| name)
    }

    /// What to write instead of a key that is none.
    pub(super) fn hint(text: &str) -> String {
        let folded = text.trim_matches(['*', '_', '`']).to_ascii_lowercase();
        if let Some((_, meant)) = OTHER_NAMES.iter().find(|(name, _)| *name == folded) {
            return format!("did you mean {meant}?");
        }
        match spelling::nearest(&folded, KEYS.iter().map(|(name, _)| *name)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                let names: Vec<String> = KEYS.iter().map(|(name, _)| format!("`{name}`")).collect();
                format!("the keys are {}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_to_the_letter_and_guessed_otherwise() {
        for (name, key) in KEYS {
            assert_eq!(Key::parse(name), Some(key));
            assert_eq!(key.name(), name);
        }
        assert_eq!(Key::parse("Read"), None);
        assert_eq!(Key::hint("host"), "did you mean `hosts`?");
        assert_eq!(Key::hint("**Write**"), "did you mean `write`?");
        assert_eq!(Key::hint("net"), "did you mean `hosts`?");
        assert!(Key::hint("exec").starts_with("the keys are `read`"));
    }
}

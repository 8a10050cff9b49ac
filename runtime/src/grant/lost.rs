//! A directory that SOUL.md grants and that is not in force: it is gone, or another one lies where the trusted one was.
//!
//! The rule: it grants nothing. It is kept so that whoever reaches for it is told that, rather than that nobody granted it.

use crate::denial::RuleRef;

/// A granted directory that cannot be had at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostDirectory {
    /// Where the skill would see it: `/documents`.
    pub guest: String,
    /// The line that grants it.
    pub rule: RuleRef,
    /// What became of it, for a sentence's end.
    pub message: String,
    /// What an operator can do.
    pub hint: String,
}

impl LostDirectory {
    /// One that would be seen as `guest`, by this line.
    #[must_use]
    pub fn new(guest: &str, rule: RuleRef, message: &str, hint: &str) -> Self {
        Self { guest: guest.to_owned(), rule, message: message.to_owned(), hint: hint.to_owned() }
    }

    /// Whether this is a path in it, as far as its spelling tells. A path that goes up is none: where it leads cannot be told, and
    /// what reaches beyond a grant has to count as that.
    #[must_use]
    pub fn would_hold(&self, path: &str) -> bool {
        let goes_up = path.split('/').any(|name| name == "..");
        !goes_up
            && path
                .strip_prefix(self.guest.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

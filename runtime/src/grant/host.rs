//! Hosts. (Stub.)
use crate::denial::RuleRef;
use crate::grant::EntryError;

/// One entry of a `hosts` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGrant {
    /// The line, with the entry's column.
    pub rule: RuleRef,
    text: String,
}

impl HostGrant {
    /// Reads one entry.
    ///
    /// # Errors
    ///
    /// Says what does not parse.
    pub fn parse(entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        if entry.trim().is_empty() {
            return Err(EntryError::whole(entry, "an empty host"));
        }
        Ok(Self { rule, text: entry.to_owned() })
    }

    /// Stub.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.text.contains("(private") && !self.text.contains("127.")
    }
}

impl std::fmt::Display for HostGrant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

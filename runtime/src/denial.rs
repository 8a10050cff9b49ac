//! A refused access, as one value that a person, a model and a program can each act on.
//!
//! A denial is not an error of the program: it is recorded, it has a stable id (the table is in [`table`]), it names
//! the rule that decided, and its hint says what to do. Nothing else in the program refuses anything.

mod table;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::visible;

pub use table::DenialId;

/// A line of a file that a person wrote and that decided something: the place first, then its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleRef {
    /// The file as the operator named it, such as `SOUL.md` or `gateway.toml`.
    pub file: String,
    /// The line, counted from 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// The column of the deciding value, counted in characters from 1; 0 where the line as a whole is meant.
    #[serde(skip)]
    pub column: u32,
    /// The rule's own text, such as `hosts: https://en.wikipedia.org`.
    pub text: String,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&visible::line(&self.file))?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        write!(formatter, " `{}`", visible::line(&self.text))
    }
}

/// A refused access: what was refused, by which rule, and what to do.
///
/// ```
/// use soulbound_runtime::{Denial, DenialId};
///
/// let denial = Denial::new(DenialId::HostNotGranted, "skill `browser` may not reach \"https://evil.test:443\"")
///     .hint("soulbound why SOUL.md browser --host https://evil.test");
/// assert_eq!(denial.to_string().lines().next(),
///     Some("denied[host.not-granted]: skill `browser` may not reach \"https://evil.test:443\""));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The stable id.
    pub id: DenialId,
    /// One sentence: who may not do what. Targets in it are quoted, escaped and cut ([`visible::quoted_target`]).
    pub message: String,
    /// The WIT import through which it was tried, such as `wasi:http/outgoing-handler@0.2`.
    pub imported: Option<String>,
    /// The line that decided, where one did.
    pub rule: Option<RuleRef>,
    /// What to do. Never a proposal to grant what was chosen at run time.
    pub hint: Option<String>,
}

impl Denial {
    /// A denial with its first line only; the caller has quoted every target in `message`.
    #[must_use]
    pub fn new(id: DenialId, message: impl Into<String>) -> Self {
        Self { id, message: message.into(), imported: None, rule: None, hint: None }
    }

    /// Names the import through which the access was tried.
    #[must_use]
    pub fn imported(mut self, interface: impl Into<String>) -> Self {
        self.imported = Some(interface.into());
        self
    }

    /// Names the rule that decided.
    #[must_use]
    pub fn rule(mut self, rule: RuleRef) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the model is told: the first line and nothing of the rule or the hint.
    #[must_use]
    pub fn first_line(&self) -> String {
        format!("denied[{}]: {}", self.id, visible::line(&self.message))
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first_line())?;
        if let Some(imported) = &self.imported {
            write!(formatter, "\n  imported: {}", visible::line(imported))?;
        }
        if let Some(rule) = &self.rule {
            write!(formatter, "\n  rule:     {rule}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\n  hint:     {}", visible::line(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Denial {}

impl fmt::Display for DenialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for DenialId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_reads_as_the_contract_shows_it() {
        let denial =
            Denial::new(DenialId::HostNotGranted, "skill `browser` may not reach \"https://evil.test:443\"")
                .imported("wasi:http/outgoing-handler@0.2")
                .rule(RuleRef {
                    file: "SOUL.md".into(),
                    line: 14,
                    column: 5,
                    text: "hosts: https://en.wikipedia.org".into(),
                })
                .hint("soulbound why echo browser --host https://evil.test");
        insta::assert_snapshot!(denial, @r#"
        denied[host.not-granted]: skill `browser` may not reach "https://evil.test:443"
          imported: wasi:http/outgoing-handler@0.2
          rule:     SOUL.md:14 `hosts: https://en.wikipedia.org`
          hint:     soulbound why echo browser --host https://evil.test
        "#);
    }

    #[test]
    fn every_id_is_dotted_unique_and_explained() {
        let mut seen = std::collections::HashSet::new();
        for id in DenialId::ALL {
            assert!(seen.insert(id.as_str()), "{id} stands twice");
            assert!(id.as_str() == "busy" || id.as_str().contains('.'), "{id}");
            assert!(id.meaning().ends_with('.') && id.remedy().ends_with('.'), "{id}");
            assert_eq!(DenialId::parse(id.as_str()), Some(*id));
        }
        assert_eq!(DenialId::parse("host.nonsense"), None);
    }
}

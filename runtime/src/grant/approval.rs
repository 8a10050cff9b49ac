//! What of a skill waits for a person before it happens. It grants nothing.
//!
//! | entry | waits |
//! |---|---|
//! | `delete` | every call of the tool `delete` |
//! | `POST` | every request with this method |
//! | `writes` | every create, change, delete or rename of a file or a directory |
//! | `always` | every call |

use std::fmt;

use crate::denial::RuleRef;
use crate::grant::EntryError;
use crate::spelling;

/// One entry of an `approve` line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApprovalGrant {
    /// What waits.
    pub what: Approval,
    /// The line, with the entry's column.
    pub rule: RuleRef,
}

/// What waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Approval {
    /// Every call.
    Always,
    /// Every create, change, delete or rename of a file or a directory.
    Writes,
    /// Every HTTP request with this method, upper case.
    Method(String),
    /// Every call of this tool, as the component exports it.
    Tool(String),
}

/// A method that is misspelt would wait for nothing, so only those that exist are taken.
const METHODS: [&str; 15] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
];

impl ApprovalGrant {
    /// Reads one entry.
    ///
    /// # Errors
    ///
    /// Says what is neither a tool's name, nor a method, nor one of the two words.
    pub fn parse(entry: &str, rule: RuleRef) -> Result<Self, EntryError> {
        let error = |message: &str, hint: String| Err(EntryError::whole(entry, message).hint(hint));
        let what = match entry {
            "always" => Approval::Always,
            "writes" => Approval::Writes,
            _ if is_tool(entry) => Approval::Tool(entry.to_owned()),
            _ if METHODS.contains(&entry) => Approval::Method(entry.to_owned()),
            _ if entry.chars().all(|c| c.is_ascii_uppercase()) && !entry.is_empty() => {
                let hint = match spelling::nearest(entry, METHODS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "a tool's name is lower case".into(),
                };
                return error("unknown HTTP method", hint);
            }
            _ => {
                let folded = entry.to_ascii_lowercase();
                let method = entry.to_ascii_uppercase();
                let hint = if METHODS.contains(&method.as_str()) {
                    format!("did you mean `{method}`?")
                } else if is_tool(&folded) {
                    format!("did you mean `{folded}`?")
                } else {
                    "write a tool's name, an HTTP method, `writes` or `always`".into()
                };
                return error("expected a tool's name, an HTTP method, `writes` or `always`", hint);
            }
        };
        Ok(Self { what, rule })
    }

    /// The method whose name a tool's name is in lower case, `delete` for `DELETE`: for lists that are written with no skill
    /// to ask whether it has such a tool.
    #[must_use]
    pub fn method_of(tool: &str, rule: RuleRef) -> Option<Self> {
        let method =
            METHODS.into_iter().find(|method| *method != tool && method.eq_ignore_ascii_case(tool))?;
        Some(Self { what: Approval::Method(method.to_owned()), rule })
    }

    /// Whether every call of this tool waits.
    #[must_use]
    pub fn concerns_call(&self, tool: &str) -> bool {
        match &self.what {
            Approval::Always => true,
            Approval::Tool(name) => name == tool,
            Approval::Writes | Approval::Method(_) => false,
        }
    }

    /// Whether every request with this method waits. Methods are case-sensitive (RFC 9110, 9.1), but servers take `post`
    /// for `POST`: what differs in case alone waits too.
    #[must_use]
    pub fn concerns_request(&self, method: &str) -> bool {
        matches!(&self.what, Approval::Method(name) if name.eq_ignore_ascii_case(method))
    }

    /// Whether every change to a file waits.
    #[must_use]
    pub fn concerns_change(&self) -> bool {
        self.what == Approval::Writes
    }

    /// The entries that name a tool that the skill does not export: each would wait for nothing, and is an
    /// error.
    #[must_use]
    pub fn unknown_tools<'a>(grants: &'a [Self], exported: &[impl AsRef<str>]) -> Vec<&'a Self> {
        let is_known = |tool: &str| exported.iter().any(|name| name.as_ref() == tool);
        grants.iter().filter(|grant| matches!(&grant.what, Approval::Tool(tool) if !is_known(tool))).collect()
    }
}

/// Whether a text could be a tool's name: kebab-case words, perhaps below an interface.
fn is_tool(text: &str) -> bool {
    let is_label = |label: &str| {
        label.split('-').all(|word| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
    };
    text.split('.').count() <= 2 && text.split('.').all(is_label)
}

impl fmt::Display for ApprovalGrant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.what {
            Approval::Always => "always",
            Approval::Writes => "writes",
            Approval::Method(name) | Approval::Tool(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(entry: &str) -> Result<ApprovalGrant, EntryError> {
        ApprovalGrant::parse(
            entry,
            RuleRef { file: "SOUL.md".into(), line: 1, column: 1, text: String::new() },
        )
    }

    #[test]
    fn an_approval_names_a_tool_a_method_or_a_word() {
        for (entry, what) in [
            ("always", Approval::Always),
            ("writes", Approval::Writes),
            ("DELETE", Approval::Method("DELETE".into())),
            ("delete", Approval::Tool("delete".into())),
            ("make-directory", Approval::Tool("make-directory".into())),
            ("files.delete-2".trim_end_matches("-2"), Approval::Tool("files.delete".into())),
        ] {
            assert_eq!(read(entry).unwrap().what, what);
        }
        for entry in
            ["", "Always", "DELTE", "de lete", "a.b.c", "a/b", "*", "-a", "a--b", "é", "TRACE", "never!"]
        {
            assert!(read(entry).unwrap_err().hint.is_some(), "{entry}");
        }
    }

    #[test]
    fn each_entry_concerns_what_the_table_says_and_nothing_else() {
        for (entry, call, request, change) in [
            ("always", true, false, false),
            ("writes", false, false, true),
            ("POST", false, true, false),
            ("save", true, false, false),
            ("DELETE", false, false, false),
            ("delete", false, false, false),
        ] {
            let grant = read(entry).unwrap();
            assert_eq!(grant.concerns_call("save"), call, "{entry}");
            assert_eq!(grant.concerns_request("POST"), request, "{entry}");
            assert_eq!(grant.concerns_request("pOsT"), request, "{entry}");
            assert_eq!(grant.concerns_change(), change, "{entry}");
        }
    }

    #[test]
    fn a_tool_that_the_skill_does_not_export_is_found() {
        let grants: Vec<ApprovalGrant> =
            ["save", "delte", "POST", "writes"].iter().map(|entry| read(entry).unwrap()).collect();
        let unknown = ApprovalGrant::unknown_tools(&grants, &["save", "delete"]);
        assert_eq!(unknown.iter().map(ToString::to_string).collect::<Vec<_>>(), ["delte"]);
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same_grant(entry in "[a-zA-Z.-]{0,8}") {
            if let Ok(grant) = read(&entry) {
                prop_assert_eq!(read(&grant.to_string()), Ok(grant));
            }
        }
    }
}

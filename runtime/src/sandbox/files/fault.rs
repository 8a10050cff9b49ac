//! Why an operation did not go through: refused by a rule, refused by the overseer, or simply failed.
//!
//! The rule: a refusal knows its stable id and the line that decided; what the guest is told follows from the id
//! alone, so the outside can't be told from what is not there.

use rustix::io::Errno;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::errno;
use crate::denial::{Denial, DenialId, RuleRef};
use crate::grant::LostDirectory;
use crate::visible;

/// The WIT import through which all of this is reached.
pub(super) const IMPORT: &str = "wasi:filesystem/types@0.2";

/// Why an operation did not go through.
#[derive(Debug)]
pub(super) enum Fault {
    /// A rule of the grant says no.
    Denied(Refusal),
    /// The overseer says no.
    Overseen(Box<Denial>),
    /// The grant covers it, and it failed: no such entry inside, not a directory, …
    Failed(ErrorCode),
}

/// A rule that said no.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The stable id.
    pub(super) id: DenialId,
    /// The deciding line: the grant's, or none where no grant was reached.
    pub(super) rule: Option<RuleRef>,
    /// What the path alone does not tell, such as what a renamed directory holds.
    pub(super) detail: Option<String>,
}

/// What was tried, for the record and for the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Open,
    Read,
    Write,
    Create,
    OpenNew,
    List,
    Stat,
    MakeDirectory,
    Delete,
    Rename,
    RenameTo,
    ReadLink,
    MakeLink,
    SetTimes,
    SetSize,
}

impl Verb {
    /// The word in the record.
    pub(super) fn access(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::OpenNew => "open-new",
            Self::List => "list",
            Self::Stat => "stat",
            Self::MakeDirectory => "make-directory",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::RenameTo => "rename-to",
            Self::ReadLink => "read-link",
            Self::MakeLink => "link",
            Self::SetTimes => "set-times",
            Self::SetSize => "set-size",
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Open | Self::Read => "open",
            Self::Write => "write to",
            Self::Create | Self::OpenNew => "create",
            Self::List => "list",
            Self::Stat => "look at",
            Self::MakeDirectory => "make the directory",
            Self::Delete => "delete",
            Self::Rename => "rename",
            Self::RenameTo => "rename anything to",
            Self::ReadLink => "read the link",
            Self::MakeLink => "make the link",
            Self::SetTimes => "set the times of",
            Self::SetSize => "set the size of",
        }
    }

    fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Read | Self::List | Self::Stat | Self::ReadLink)
    }
}

/// Who a denial's sentence and hint are about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who<'a> {
    /// The skill's slug.
    pub(super) skill: &'a str,
    /// The agent as the command line names it.
    pub(super) agent: &'a str,
    /// The skill's own line, if it was given.
    pub(super) line: Option<&'a RuleRef>,
    /// Whether SOUL.md grants the skill no directory at all.
    pub(super) bare: bool,
    /// Directories that it grants and that cannot be had.
    pub(super) lost: &'a [LostDirectory],
}

impl Refusal {
    /// A refusal by a grant's line.
    pub(super) fn new(id: DenialId, rule: Option<RuleRef>) -> Self {
        Self { id, rule, detail: None }
    }

    /// Outside every grant.
    pub(super) fn outside() -> Self {
        Self::new(DenialId::PathOutside, None)
    }

    /// With what the path alone does not tell.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What the guest is told. Outside, hidden and mounted are as if they were not there.
    pub(super) fn code(&self) -> ErrorCode {
        match self.id {
            DenialId::PathOutside | DenialId::PathHidden | DenialId::PathMount | DenialId::PathMoved => {
                ErrorCode::NoEntry
            }
            DenialId::PathReadOnly => ErrorCode::ReadOnly,
            DenialId::PathQuota => ErrorCode::Quota,
            DenialId::PathAcross => ErrorCode::CrossDevice,
            _ => ErrorCode::NotPermitted,
        }
    }

    /// The refusal as the value that is recorded.
    pub(super) fn denial(self, who: Who<'_>, verb: Verb, target: &str) -> Denial {
        let Who { skill, agent, line, bare, lost } = who;
        let mut message =
            format!("skill `{skill}` may not {} {}", verb.sentence(), visible::quoted_target(target));
        if let Some(detail) = &self.detail {
            message.push_str(": ");
            message.push_str(detail);
        }
        let lost = lost.iter().find(|lost| self.id == DenialId::PathOutside && lost.would_hold(target));
        if let Some(lost) = lost {
            message.push_str(": ");
            message.push_str(&lost.message);
            let denial = Denial::new(DenialId::PathMoved, message).imported(IMPORT);
            return denial.rule(lost.rule.clone()).hint(lost.hint.clone());
        }
        let mut denial = Denial::new(self.id, message).imported(IMPORT);
        denial.rule = self.rule.or_else(|| line.cloned());
        let hint = if bare {
            // The line to add, never the path that was chosen at run time.
            let key = if verb.changes() { "write" } else { "read" };
            format!("add `  - {key}: ./<directory>` under `- {skill}:` in SOUL.md")
        } else if self.id == DenialId::PathQuota {
            "raise `limit: disk …` under the skill in SOUL.md, if it should write more".to_owned()
        } else if plain(target) && plain(agent) {
            let write = if verb.changes() { " --write" } else { "" };
            format!("soulbound why {agent} {skill} --path {target}{write}")
        } else {
            // A name that a shell would take apart stands in no command that we propose.
            format!("soulbound explain {}", self.id)
        };
        denial.hint(hint)
    }
}

/// Whether a word can be pasted into a shell as it is.
fn plain(word: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
    !word.is_empty() && word.len() <= 256 && !word.starts_with('-') && word.bytes().all(harmless)
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Denied(refusal)
    }
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        Self::Failed(code)
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Self::Failed(errno::code(error))
    }
}

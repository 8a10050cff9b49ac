//! A difference between what is trusted of an agent and what is found, in words and for programs.

use serde::Serialize;
use soulbound_runtime::skill::Digest;
use soulbound_runtime::soul::{Difference, Effect};
use soulbound_runtime::visible;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// What it amounts to.
    pub(crate) effect: Amounts,
    /// The skill; none for what concerns the agent.
    pub(crate) skill: Option<String>,
    /// The difference in words, escaped.
    pub(crate) text: String,
    /// The line of SOUL.md that has it, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u32>,
    /// Whether it is about a granted directory rather than the file that grants it.
    #[serde(skip)]
    pub(crate) directory: Option<Lost>,
    /// The file, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<ChangedFile>,
}

/// A file that is not as it was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ChangedFile {
    /// Its path, within the skill's folder or beside SOUL.md.
    pub(crate) path: String,
    /// What was trusted; none for a new file.
    pub(crate) trusted: Option<Digest>,
    /// What was found; none for a file that is gone.
    pub(crate) found: Option<Digest>,
}

/// Why a granted directory is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is another directory than the one that was trusted.
    Moved,
    /// It cannot be opened.
    Closed,
    /// It could be, and the operator's settings deny it.
    Denied,
}

/// What a change amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Amounts {
    /// More could be reached: waits for trust.
    Widening,
    /// Less can be reached: applies at once.
    Narrowing,
    /// Other text for people and models: waits.
    Words,
    /// Other bytes: they wait, the trusted ones go on.
    Bytes,
}

impl Amounts {
    /// The word that people read.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Widening => "widens",
            Self::Narrowing => "narrows",
            Self::Words => "words",
            Self::Bytes => "bytes",
        }
    }
}

impl Change {
    /// A change in words.
    pub(crate) fn new(effect: Amounts, skill: Option<&str>, text: &str) -> Self {
        let skill = skill.map(str::to_owned);
        Self { effect, skill, text: visible::line(text), line: None, directory: None, file: None }
    }

    /// A file with other bytes, or on one side only.
    pub(crate) fn of_file(
        skill: Option<&str>,
        path: &str,
        trusted: Option<Digest>,
        found: Option<Digest>,
    ) -> Self {
        let what = match (trusted, found) {
            (Some(_), None) => "is gone",
            (None, _) => "is new",
            _ => "has other bytes",
        };
        let mut change = Self::new(Amounts::Bytes, skill, &format!("`{path}` {what}"));
        change.file = Some(ChangedFile { path: path.to_owned(), trusted, found });
        change
    }
}

impl From<Difference> for Change {
    fn from(difference: Difference) -> Self {
        let effect = match difference.effect {
            Effect::Widening => Amounts::Widening,
            Effect::Narrowing => Amounts::Narrowing,
            Effect::Words => Amounts::Words,
        };
        let line = (difference.line > 0).then_some(difference.line);
        Self { effect, skill: difference.skill, text: difference.text, line, directory: None, file: None }
    }
}

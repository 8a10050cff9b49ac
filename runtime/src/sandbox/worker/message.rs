//! What this program and a worker tell each other. Only these two read it, and they are one program: no version is needed.

use serde::{Deserialize, Serialize};

use crate::confine::Walls;
use crate::denial::{Denial, DenialId, RuleRef};
use crate::grant::Grant;
use crate::sandbox::channels::{CallChannels, SendFault};
use crate::sandbox::files::{HandedGrant, HandedLoss};
use crate::sandbox::guest::Program;
use crate::sandbox::interfaces::SelfKnowledge;
use crate::sandbox::linker::Linking;
use crate::sandbox::outcome::{CallError, Ending, ErrorKind};
use crate::sandbox::overseer::FileChange;
use crate::sandbox::witness::cut;
use crate::sandbox::worker::http::{Fault, Fields, Length, Piece, RequestHead};
use crate::skill::Tool;

/// What is kept of each text of a denial, in bytes; ours are shorter.
const TEXT_BYTES: usize = 4 << 10;
/// What is kept of an error's message, in bytes.
const MESSAGE_BYTES: usize = 16 << 10;

/// What a worker is made of, told once. The handles go before it, the compiled code with it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(super) skill: String,
    pub(super) named: String,
    pub(super) linking: Linking,
    pub(super) tools: Vec<Tool>,
    pub(super) knowledge: SelfKnowledge,
    pub(super) environment: Vec<(String, String)>,
    pub(super) channels: Vec<(String, bool)>,
    pub(super) directories: Vec<HandedGrant>,
    pub(super) skill_line: Option<Line>,
    pub(super) lost: Vec<HandedLoss>,
    pub(super) memory: u64,
    pub(super) output: u64,
    pub(super) disk: u64,
    /// Calls at once, and beside them those that are held: the agent's share.
    pub(super) slots: (u32, u32),
}

impl Setup {
    /// What a worker needs to run this program.
    pub(crate) fn new(
        program: &Program,
        named: &str,
        linking: Linking,
        tools: &[Tool],
        grant: &Grant,
    ) -> Self {
        Self {
            skill: program.skill.as_ref().to_owned(),
            named: named.to_owned(),
            linking,
            tools: tools.to_vec(),
            knowledge: program.knowledge.as_ref().clone(),
            environment: program.environment.clone(),
            channels: CallChannels::new(grant, None).shown(),
            directories: program.files.handed(),
            skill_line: grant.line.as_ref().map(Line::of),
            lost: grant.lost.iter().map(HandedLoss::of).collect(),
            memory: program.memory,
            output: program.output,
            disk: program.disk,
            slots: (0, 0),
        }
    }
}

/// What a worker says of itself, once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Start {
    /// Confined, and ready for calls.
    Ready(Walls),
    /// Not, and why.
    Failed(String),
}

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// Run this; the body is the arguments. `inspects` is how much of files' content is held back to be judged.
    Call { call: u64, tool: String, inspects: Option<u64> },
    /// End it.
    Cancel { call: u64 },
    /// What was asked is answered; a mask's content is the body.
    Answer { ask: u64, answer: Answer },
    /// A piece of a request's body is wanted.
    Next { ask: u64 },
    /// A piece of an answer's body; data is the body.
    Piece { ask: u64, piece: Piece },
}

/// The answer to what a worker asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    Unchanged,
    Masked,
    Denied(Refused),
    /// A message went out, and what is told of it.
    Sent(String),
    /// A request's answer, whose body is asked for.
    Response {
        status: u16,
        fields: Fields,
        length: Length,
    },
    /// A request failed.
    Fault {
        fault: Fault,
        denial: Option<Refused>,
    },
    /// It did not.
    Unsent {
        kind: SendFault,
        message: String,
        denial: Option<Refused>,
    },
}

/// What a worker tells of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) call: u64,
    pub(super) what: What,
}

/// What it tells.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum What {
    /// May it change this? Content to be judged is the body.
    Change {
        ask: u64,
        change: FileChange,
        path: String,
        to: Option<String>,
        content: bool,
    },
    /// Send the body there.
    Send {
        ask: u64,
        channel: String,
    },
    /// Send this request, if it may be sent.
    Request {
        ask: u64,
        head: RequestHead,
    },
    /// A piece of an answer's body is wanted.
    Next {
        ask: u64,
    },
    /// A piece of a request's body; data is the body.
    Piece {
        ask: u64,
        piece: Piece,
    },
    /// Nothing more of a request is wanted.
    GiveUp {
        ask: u64,
    },
    /// A file was reached for. It was refused, or it failed, or neither.
    File {
        target: String,
        access: String,
        denial: Option<Refused>,
        failed: Option<String>,
    },
    /// So many bytes are on their way to files.
    Written {
        bytes: u64,
    },
    Progress {
        done: u64,
        total: Option<u64>,
        message: Option<String>,
    },
    /// It computed for so many milliseconds.
    Computed {
        milliseconds: u64,
    },
    /// It is over. The body is the value, of the result or of the tool's error.
    Ended {
        ending: End,
        lines: Vec<(String, String)>,
        dropped: u64,
        peak: u64,
    },
}

/// How a guest ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum End {
    Returned,
    Failed { denial: Option<Box<Refused>>, error: Option<Box<Wrong>> },
}

/// An error of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wrong {
    kind: ErrorKind,
    id: Option<String>,
    message: String,
    value: bool,
}

/// A denial.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Refused {
    id: String,
    message: String,
    imported: Option<String>,
    rule: Option<Line>,
    hint: Option<String>,
}

/// A line of SOUL.md.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line(String, u32, u32, String);

impl Line {
    pub(crate) fn of(rule: &RuleRef) -> Self {
        Self(rule.file.clone(), rule.line, rule.column, rule.text.clone())
    }

    pub(crate) fn into_rule(self) -> RuleRef {
        let Self(file, line, column, text) = self;
        RuleRef { file, line, column, text }
    }
}

impl Refused {
    pub(super) fn of(denial: &Denial) -> Self {
        Self {
            id: denial.id.as_str().to_owned(),
            message: denial.message.clone(),
            imported: denial.imported.clone(),
            rule: denial.rule.as_ref().map(Line::of),
            hint: denial.hint.clone(),
        }
    }

    /// The denial, of texts that are cut; none where it has an id that there is not.
    pub(super) fn into_denial(self) -> Option<Denial> {
        let short = |text: String| cut(&text, TEXT_BYTES);
        let rule = self.rule.map(Line::into_rule).map(|rule| RuleRef {
            file: short(rule.file),
            text: short(rule.text),
            ..rule
        });
        Some(Denial {
            id: DenialId::parse(&self.id)?,
            message: short(self.message),
            imported: self.imported.map(short),
            rule,
            hint: self.hint.map(short),
        })
    }
}

impl End {
    /// An ending, and the value that goes beside it.
    pub(super) fn of(ending: &Ending) -> (Self, Vec<u8>) {
        let text = |value: &serde_json::Value| serde_json::to_vec(value).unwrap_or_default();
        match ending {
            Ending::Returned(value) => (Self::Returned, text(value)),
            Ending::Failed { denial, error } => {
                let wrong = error.as_ref().map(|error| Wrong {
                    kind: error.kind,
                    id: error.id.map(|id| id.as_str().to_owned()),
                    message: error.message.clone(),
                    value: error.value.is_some(),
                });
                let value = error.as_ref().and_then(|error| error.value.as_ref()).map(text);
                let denial = denial.as_ref().map(Refused::of).map(Box::new);
                (Self::Failed { denial, error: wrong.map(Box::new) }, value.unwrap_or_default())
            }
        }
    }

    /// The ending; none where the value is no JSON, or an id is unknown: then the worker is not what it was.
    pub(super) fn into_ending(self, value: &[u8]) -> Option<Ending> {
        Some(match self {
            Self::Returned => Ending::Returned(serde_json::from_slice(value).ok()?),
            Self::Failed { denial, error } => {
                let denial = match denial {
                    Some(denial) => Some(denial.into_denial()?),
                    None => None,
                };
                let error = match error {
                    Some(wrong) => Some(wrong.into_error(value)?),
                    None => None,
                };
                Ending::Failed { denial, error }
            }
        })
    }
}

impl Wrong {
    fn into_error(self, value: &[u8]) -> Option<CallError> {
        let id = match self.id {
            Some(id) => Some(DenialId::parse(&id)?),
            None => None,
        };
        let value = if self.value { Some(serde_json::from_slice(value).ok()?) } else { None };
        Some(CallError { id, value, ..CallError::new(self.kind, cut(&self.message, MESSAGE_BYTES)) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn there_and_back(ending: &Ending) -> Option<Ending> {
        let (end, value) = End::of(ending);
        let text = serde_json::to_vec(&end).unwrap();
        serde_json::from_slice::<End>(&text).unwrap().into_ending(&value)
    }

    #[test]
    fn an_ending_is_the_same_on_the_other_side() {
        let rule = RuleRef { file: "SOUL.md".into(), line: 3, column: 5, text: "read: ./a".into() };
        let denial = Denial::new(DenialId::PathOutside, "no").rule(rule).hint("do").imported("wasi:x");
        let error = CallError {
            id: Some(DenialId::GuestTrap),
            value: Some(json!({"message": "\u{1b}"})),
            ..CallError::new(ErrorKind::Tool, "it said")
        };
        for ending in [
            Ending::Returned(json!([1, null, "two"])),
            Ending::Returned(json!(null)),
            Ending::Failed { denial: Some(denial), error: None },
            Ending::Failed { denial: None, error: Some(error) },
        ] {
            assert_eq!(there_and_back(&ending), Some(ending));
        }
    }

    #[test]
    fn an_ending_that_cannot_be_is_none() {
        let unknown = Refused { id: "path.nonsense".into(), ..Refused::of(&Denial::new(DenialId::Busy, "")) };
        assert_eq!(End::Failed { denial: Some(Box::new(unknown)), error: None }.into_ending(b""), None);
        assert_eq!(End::Returned.into_ending(b"no json"), None);
    }
}

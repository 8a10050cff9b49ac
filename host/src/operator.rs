//! What operators ask of a gateway: the one line of JSON that goes over `gateway.sock`, and the one that comes back.
//!
//! The socket is 0600 in a 0700 folder, and the gateway asks the kernel whose process is at the other end: the operator
//! is who has the gateway's own user id. A terminal proves nothing.

pub(crate) mod approvals;
pub(crate) mod arm;
pub(crate) mod client;
pub(crate) mod holding;
pub(crate) mod perform;
pub(crate) mod stop;
pub(crate) mod tokens;
mod trails;
pub(crate) mod waiting;
mod who;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use soulbound_runtime::sandbox::value::{parse_arguments, parse_pairs};
use soulbound_runtime::sandbox::{CallError, ErrorKind};
use soulbound_runtime::skill::Tool;
use soulbound_runtime::{Denial, DenialId, visible};

pub(crate) use perform::perform;
pub(crate) use trails::{note, note_of_agent, record, record_act, record_alone};
pub(crate) use who::Who;

use crate::oversight::secrets::act::SecretAct;
use crate::state::StateFolder;
use crate::trust::act::Act;

/// A request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// How the gateway stands.
    Status {},
    /// End every call, start none, and leave.
    Stop {
        /// Whose act.
        who: Who,
    },
    /// Leave in an orderly way; nothing is stopped for good.
    Quit {
        /// Whose act.
        who: Who,
    },
    /// An act on an agent.
    Act {
        /// Which.
        act: Act,
        /// Whose.
        who: Who,
    },
    /// A new token; of the operator when no agent is named.
    Token {
        /// The agent's id.
        agent: Option<String>,
        /// Whose act.
        who: Who,
    },
    /// Sets or removes a secret.
    Secret {
        /// What.
        act: SecretAct,
        /// Whose act.
        who: Who,
    },
    /// Something about what waits for a person.
    Approvals {
        /// What.
        ask: approvals::Ask,
        /// Whose act.
        who: Who,
    },
    /// One call of a tool.
    Call {
        /// The agent's id.
        agent: String,
        /// The skill.
        skill: String,
        /// The tool.
        tool: String,
        /// Its arguments.
        arguments: Arguments,
        /// Whether lines about what it waits for may come before the reply.
        #[serde(default)]
        told: bool,
        /// Whose act.
        who: Who,
    },
    /// From here on the connection speaks MCP as this agent, and nothing of the operator's.
    Mcp {
        /// The agent's id.
        agent: String,
    },
}

impl Request {
    /// The same with what the kernel says of who asks, whatever the request says.
    pub(crate) fn by(mut self, uid: u32, pid: Option<i32>) -> Self {
        if let Self::Act { who, .. }
        | Self::Token { who, .. }
        | Self::Secret { who, .. }
        | Self::Approvals { who, .. }
        | Self::Stop { who }
        | Self::Quit { who } = &mut self
        {
            who.known(uid, pid.and_then(|pid| u32::try_from(pid).ok()));
        }
        self
    }
}

/// A call's arguments as somebody wrote them; what the words mean depends on the tool.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Arguments {
    /// One JSON object.
    Json(String),
    /// `key=value` words.
    Pairs(Vec<String>),
}

impl Arguments {
    /// As this tool takes them.
    pub(crate) fn read(&self, tool: Option<&Tool>) -> Result<Map<String, Value>, CallError> {
        let read = match self {
            Self::Json(text) => parse_arguments(text),
            Self::Pairs(words) => parse_pairs(words.iter().map(String::as_str), tool),
        };
        read.map_err(|error| CallError::new(ErrorKind::Arguments, error.to_string()))
    }
}

/// A reply.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// Whether it was done.
    pub(crate) ok: bool,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) value: Value,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Problem>,
}

/// Why something was not done.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Problem {
    /// What happened.
    pub(crate) message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

impl Reply {
    /// Done.
    pub(crate) fn done(value: Value) -> Self {
        Self { ok: true, value, error: None }
    }

    /// Not done. The text after `hint:` is the hint.
    pub(crate) fn failed(error: &anyhow::Error) -> Self {
        let text = format!("{error:#}");
        let (message, hint) = match text.split_once("\n  hint: ") {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (text, None),
        };
        Self { ok: false, value: Value::Null, error: Some(Problem { message, hint }) }
    }

    /// The value, or the error as the command line shows it.
    pub(crate) fn into_result(self) -> anyhow::Result<Value> {
        match (self.ok, self.error) {
            (true, _) => Ok(self.value),
            (false, Some(Problem { message, hint: Some(hint) })) => {
                anyhow::bail!("{message}\n  hint: {hint}")
            }
            (false, problem) => {
                anyhow::bail!(
                    "{}",
                    problem.map_or_else(|| "the gateway gave no reason".to_owned(), |it| it.message)
                )
            }
        }
    }
}

/// The denial of everything under a stopped state folder.
pub(crate) fn stopped(state: &StateFolder) -> Denial {
    let folder = visible::quoted_target(&state.path().display().to_string());
    Denial::new(DenialId::GatewayStopped, format!("everything under {folder} was stopped by an operator"))
        .hint("when the reason is gone: soulbound gateway start")
}

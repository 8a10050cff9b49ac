//! What waits and what was approved for longer, for whoever looks.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use soulbound_runtime::sandbox::{Content, Effect};
use tokio::time::Instant;

use super::card::{self, Position};
use super::kept::Permission;
use super::queue::Request;
use super::subject::What;
use super::{Approvals, subject::Subject};

/// What `approvals list` tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Listing {
    /// What waits, the oldest first.
    pub(crate) waiting: Vec<Value>,
    /// What was approved for longer than once.
    pub(crate) standing: Vec<Standing>,
    /// Changes whenever something begins or ceases to wait.
    pub(crate) version: u64,
}

/// A permission and how long it lasts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Whose.
    pub(crate) agent: String,
    /// Seconds; none until it is revoked.
    pub(crate) seconds: Option<u64>,
    /// The permission.
    #[serde(flatten)]
    pub(crate) permission: Permission,
}

impl Approvals {
    /// Everything, at this moment.
    pub(crate) fn listing(&self, agents: &[String]) -> Listing {
        let version = *self.changes.borrow();
        let waiting = self.queue().all().into_iter().map(document).collect();
        let of = |agent: &String| {
            let all = self.kept.list(agent).into_iter();
            all.map(|(permission, seconds)| Standing { agent: agent.clone(), seconds, permission })
                .collect::<Vec<_>>()
        };
        Listing { waiting, standing: agents.iter().flat_map(of).collect(), version }
    }

    /// Waits until something is other than at this version, or a moment has passed. Whoever waits here watches, and could
    /// decide.
    pub(crate) async fn until_other(&self, version: u64, within: std::time::Duration) {
        self.watches();
        let mut changes = self.changes.subscribe();
        let _ = tokio::time::timeout(within, changes.wait_for(|now| *now != version)).await;
        self.watches();
    }

    fn watches(&self) {
        *self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
    }
}

pub(super) fn position(request: &Request) -> Position {
    Position {
        name: request.name.clone().unwrap_or_default(),
        id: request.id.clone(),
        seconds: request.deadline.saturating_duration_since(Instant::now()).as_secs(),
        times: request.times,
        waiting: request.waiting(),
        asked: request.asked.to_string(),
    }
}

/// A question for programs.
pub(super) fn document(request: &Request) -> Value {
    let (subject, position) = (&request.subject, position(request));
    json!({
        "name": position.name, "id": position.id, "agent": subject.agent, "skill": subject.skill,
        "purpose": subject.purpose, "tool": subject.tool, "what": card::line(subject), "call": subject.call,
        "arguments": subject.arguments, "effect": effect(subject), "rule": subject.rule,
        "binding": request.binding, "component": subject.component, "soul": subject.soul, "policy": subject.policy,
        "door": subject.door, "asked": position.asked, "seconds": position.seconds, "times": position.times,
        "waiting": position.waiting,
    })
}

fn effect(subject: &Subject) -> Value {
    let content = |content: Option<&Content>| {
        content.map(|content| json!({"bytes": content.0.len(), "sha256": content.digest()}))
    };
    match &subject.what {
        What::Call => Value::Null,
        What::Result(result) => json!({"kind": "result", "content": content(Some(result))}),
        What::Effect(Effect::Request { method, url, headers, body }) => json!({
            "kind": "request", "method": method, "url": url, "headers": headers, "body": content(body.as_ref()),
        }),
        What::Effect(Effect::Change { change, path, to, content: held }) => json!({
            "kind": crate::gateway::overseer::verb(*change), "path": path, "to": to, "content": content(held.as_ref()),
        }),
        What::Effect(Effect::Message { channel, text }) => {
            json!({"kind": "message", "channel": channel, "content": content(Some(text))})
        }
        What::Effect(other) => json!({"kind": format!("{other:?}")}),
    }
}

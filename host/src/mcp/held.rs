//! A call that waits for a person in the client that made it: where the operator allows decisions that way and the client
//! has forms.
//!
//! In the stateless era the client is answered `input_required` with a sealed `requestState`, comes back with the form filled
//! in, and the same call goes on; in the older one it is asked while the call is open. The rule: what comes back is whatever
//! the client likes to send. The seal binds it to this agent, tool, arguments, question and time, and what it leads to is
//! taken out once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, InputRequest,
    InputRequests, InputRequiredResult, InputResponses, ProtocolVersion, RequestStateCodec, SealOptions,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::{Map, Value, json};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::visible;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::DropGuard;

use crate::audit;
use crate::gateway::request::Answer;
use crate::mcp::served::Served;
use crate::oversight::form::{Asked, Form};

/// Calls held for clients to come back to, of one agent.
const HELD: usize = 256;
/// How long a decided call is kept for a client that has not come back, beyond the question's own time.
const LINGERS: Duration = Duration::from_secs(10);
/// The form's name among the input requests.
const FORM: &str = "approval";
/// The form's one field.
const FIELD: &str = "approve";

/// The calls of one agent that wait for their clients.
pub(crate) struct Held {
    codec: RequestStateCodec,
    calls: Mutex<HashMap<String, HeldCall>>,
}

/// A call under way, and the questions that it asks.
pub(super) struct HeldCall {
    pub(super) answer: JoinHandle<Answer>,
    pub(super) asked: mpsc::UnboundedReceiver<Asked>,
    /// Ends the call with whoever held it.
    pub(super) _guard: DropGuard,
}

impl Held {
    /// None yet, under a key of this process: what was sealed before a restart is worth nothing.
    pub(crate) fn new() -> anyhow::Result<Arc<Self>> {
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let codec = RequestStateCodec::try_new(key)?;
        Ok(Arc::new(Self { codec, calls: Mutex::default() }))
    }

    /// Keeps a call until its client comes back: what the client is answered.
    pub(super) fn keep(
        self: &Arc<Self>,
        asked: Asked,
        context: &[u8],
        call: HeldCall,
    ) -> Result<InputRequiredResult, HeldCall> {
        {
            let mut calls = self.lock();
            if calls.len() >= HELD {
                return Err(call);
            }
            calls.insert(asked.id.clone(), call);
        }
        let (held, id, within) = (Arc::clone(self), asked.id.clone(), asked.within + LINGERS);
        tokio::spawn(async move {
            tokio::time::sleep(within).await;
            held.lock().remove(&id);
        });
        let options = SealOptions::new().associated_data(context).ttl(asked.within + LINGERS);
        let state = self.codec.seal_with(asked.id.as_bytes(), &options);
        let requests = InputRequests::from([(
            FORM.to_owned(),
            InputRequest::Elicitation(ElicitRequest::new(form(&asked))),
        )]);
        Ok(InputRequiredResult::new(Some(requests), Some(state)))
    }

    /// The call that a client came back to, and which question it answers. Taken out: a state is good once.
    pub(super) fn take(&self, state: &str, context: &[u8]) -> Option<(String, HeldCall)> {
        let id = String::from_utf8(self.codec.open_with(state, context).ok()?).ok()?;
        let call = self.lock().remove(&id)?;
        Some((id, call))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, HeldCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a state is bound to beside its question.
pub(super) fn context(title: &str, tool: &str, arguments: &Map<String, Value>) -> Vec<u8> {
    let arguments = Digest::of(audit::exact_members(arguments).as_bytes());
    json!([title, tool, arguments]).to_string().into_bytes()
}

/// What a filled-in form says; nothing but a plain yes is one. `None` when there is none.
pub(super) fn decision(responses: Option<&InputResponses>) -> Option<bool> {
    let response = responses?.get(FORM)?;
    let result: ElicitResult = serde_json::from_value(response.clone()).ok()?;
    Some(is_yes(&result))
}

fn is_yes(result: &ElicitResult) -> bool {
    let said = result.content.as_ref().and_then(|content| content.get(FIELD));
    result.action == ElicitationAction::Accept && said == Some(&Value::Bool(true))
}

fn form(asked: &Asked) -> ElicitRequestParams {
    let field = json!({
        "type": "boolean", "title": "Let it go on, this once", "default": false,
        "description": "What stands above is exactly what runs. No answer is no.",
    });
    let schema = json!({"type": "object", "properties": {FIELD: field}, "required": [FIELD]});
    let requested_schema =
        serde_json::from_value(schema).unwrap_or_else(|_| ElicitationSchema::new(Default::default()));
    let message = format!("{} waits for a person\n\n{}", asked.name, asked.card);
    ElicitRequestParams::FormElicitationParams { meta: None, message, requested_schema }
}

/// Whether the client that asks can show a form.
pub(super) fn has_forms(context: &RequestContext<RoleServer>) -> bool {
    let declared = context.client_capabilities().and_then(|all| all.elicitation);
    // Neither of the two named means forms, as before there were others.
    declared.is_some_and(|one| one.form.is_some() || one.url.is_none())
}

/// Whether the client speaks the era in which a server answers that it needs something, and never asks.
pub(super) fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Who decides, as far as is known: the client's own word for itself.
pub(super) fn who(context: &RequestContext<RoleServer>) -> String {
    match context.client_info() {
        Some(info) => format!("whoever uses the client {}", visible::quoted_target(&info.name)),
        None => "whoever uses the client".to_owned(),
    }
}

/// The questions of a call, for the one request that it was made by.
pub(super) struct Questions(pub(super) mpsc::UnboundedSender<Asked>);

impl Form for Questions {
    fn show(&self, asked: Asked) {
        let _ = self.0.send(asked);
    }
}

/// Asks a client of the older era, which waits for the call's answer meanwhile.
pub(super) struct Asking<S> {
    pub(super) agent: Arc<S>,
    pub(super) peer: Peer<RoleServer>,
    pub(super) who: String,
    pub(super) threads: tokio::runtime::Handle,
}

impl<S: Served> Form for Asking<S> {
    fn show(&self, asked: Asked) {
        let (agent, peer, who) = (Arc::clone(&self.agent), self.peer.clone(), self.who.clone());
        self.threads.spawn(async move {
            let answered = peer.create_elicitation_with_timeout(form(&asked), Some(asked.within)).await;
            // A client that cannot, or does not, is no decision: others may still decide.
            let Ok(result) = answered else { return };
            let said = agent.decide(&asked.id, is_yes(&result), &who);
            if let Err(error) = said {
                tracing::info!(error = format!("{error:#}"), "a client's decision came too late");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> HeldCall {
        let (_tell, asked) = mpsc::unbounded_channel();
        HeldCall {
            answer: tokio::spawn(std::future::pending()),
            asked,
            _guard: tokio_util::sync::CancellationToken::new().drop_guard(),
        }
    }

    #[tokio::test]
    async fn a_state_is_good_once_for_the_same_call_of_the_same_agent() {
        let held = Held::new().unwrap();
        let asked = Asked {
            id: "0123".to_owned(),
            name: "echo-7".to_owned(),
            card: "  skill: x".to_owned(),
            within: Duration::from_secs(60),
        };
        let arguments = json!({"path": "/a"}).as_object().unwrap().clone();
        let bound = context("Echo", "x__write", &arguments);
        let result = held.keep(asked, &bound, call()).ok().unwrap();
        let state = result.request_state.unwrap();
        let other = json!({"path": "/b"}).as_object().unwrap().clone();
        for context in [
            context("Eve", "x__write", &arguments),
            context("Echo", "x__delete", &arguments),
            context("Echo", "x__write", &other),
        ] {
            assert!(held.take(&state, &context).is_none());
        }
        assert!(held.take(&format!("{state}x"), &bound).is_none());
        assert!(Held::new().unwrap().take(&state, &bound).is_none(), "another process's key");
        assert_eq!(held.take(&state, &bound).unwrap().0, "0123");
        assert!(held.take(&state, &bound).is_none(), "used");
    }

    #[test]
    fn nothing_but_a_plain_yes_is_one() {
        let said = |response: Value| decision(Some(&InputResponses::from([(FORM.to_owned(), response)])));
        assert_eq!(said(json!({"action": "accept", "content": {"approve": true}})), Some(true));
        for no in [
            json!({"action": "accept", "content": {"approve": false}}),
            json!({"action": "accept", "content": {"approve": "true"}}),
            json!({"action": "accept", "content": {}}),
            json!({"action": "accept"}),
            json!({"action": "decline", "content": {"approve": true}}),
            json!({"action": "cancel"}),
        ] {
            assert_eq!(said(no.clone()), Some(false), "{no}");
        }
        assert_eq!((said(json!("yes")), decision(None)), (None, None));
    }
}

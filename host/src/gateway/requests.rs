//! What a running gateway does for the command line, one request after the other.

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::Outcome;
use tokio_util::sync::CancellationToken;

use crate::audit::Event;
use crate::gateway::Gateway;
use crate::answer::Answered;
use crate::gateway::agent::Agent;
use crate::gateway::request::{Answer, CallRequest};
use crate::gateway::token::{self, TokenOf};
use crate::operator::who::Who;
use crate::operator::{Arguments, Reply, Request};
use crate::trust::act::{Act, Done};

impl Gateway {
    /// Does what was asked, by the gateway's own user.
    pub(crate) async fn perform(self: &Arc<Self>, request: Request) -> Result<Reply> {
        match request {
            Request::Status {} => Ok(Reply::done(self.status())),
            Request::Token { agent, who } => self.make_token(agent.as_deref(), &who).await,
            Request::Act { act, who } => {
                let done = self.act(act, who).await?;
                Ok(Reply::done(serde_json::to_value(done)?))
            }
            Request::Call { agent, skill, tool, arguments, .. } => {
                let agent = self.agent(&agent).await.map_err(refusal)?;
                let answer = call(&agent, skill, tool, &arguments).await;
                let answered = Answered::of(&answer.outcome, answer.record.as_deref());
                Ok(Reply::done(serde_json::to_value(answered)?))
            }
            // These three end or change the connection; the socket answers them.
            Request::Stop { .. } | Request::Quit { .. } | Request::Mcp { .. } => anyhow::bail!("this is asked alone"),
        }
    }

    /// An operator's act on an agent. What it takes away is taken first; the record comes with it.
    async fn act(self: &Arc<Self>, act: Act, who: Who) -> Result<Done> {
        let id = act.agent().map(str::to_owned);
        if let (Some(id), true) = (&id, act.stops()) {
            crate::trust::mark(self.state(), id, &act)?;
            if let Some(agent) = self.loaded_agent(id) {
                agent.halt();
            }
        }
        let (state, by) = (self.state().clone(), who.clone());
        let (done, event) = tokio::task::spawn_blocking(move || crate::trust::act::act(&state, act, by)).await??;
        let id = event.agent.clone();
        self.record_act(&id, event.what.event(), &event.what.note(), &who).await?;
        if let Some(agent) = self.loaded_agent(&id) {
            agent.forget();
            if event.what.removes() {
                self.unload(&id);
            } else {
                agent.look_again().await;
            }
        }
        Ok(done)
    }

    async fn make_token(self: &Arc<Self>, agent: Option<&str>, who: &Who) -> Result<Reply> {
        if let Some(id) = agent
            && !self.registry().is_id(id)
        {
            anyhow::bail!("there is no agent `{id}`\n  hint: soulbound agents list");
        }
        let of = json!({"of": agent.unwrap_or("operator")});
        self.record(Event::TokenMade, Some(json!(who)), Some(of)).await?;
        let token = token::issue(self.state(), agent.map_or(TokenOf::Operator, TokenOf::Agent))?;
        if let Some(agent) = agent.and_then(|id| self.loaded_agent(id)) {
            // Sessions that the old token began end with it.
            agent.halt();
        }
        Ok(Reply::done(json!({"token": token.reveal()})))
    }

    /// The settings again, if the file changed.
    pub(crate) async fn reread_settings(self: &Arc<Self>) {
        use crate::gateway::policy::Reread;
        let gateway = Arc::clone(self);
        let Ok(reread) = tokio::task::spawn_blocking(move || gateway.policies().reread(gateway.state())).await else { return };
        let recorded = match reread {
            Reread::Same => return,
            Reread::Changed(policy) => {
                tracing::info!(policy = %policy.digest, "gateway.toml was read again");
                // What is in flight under the old settings ends where the new ones forbid it.
                for agent in self.loaded() {
                    agent.look_again().await;
                }
                self.record(Event::SettingsChanged, None, Some(json!({"policy": policy.digest.to_string()}))).await
            }
            Reread::Kept(why) => {
                tracing::error!(why, "gateway.toml cannot be used; the last good one stays in force");
                self.record(Event::SettingsUnreadable, None, Some(json!({"error": why}))).await
            }
        };
        if let Err(error) = recorded {
            tracing::error!(error = format!("{error:#}"), "a change of the settings could not be recorded");
        }
    }

    /// A record in the gateway's own trail.
    pub(crate) async fn record(&self, event: Event, who: Option<Value>, note: Option<Value>) -> Result<()> {
        Ok(self.trail().note(event, who, note).await?)
    }
}

/// One call for the operator. Dropping the future ends the call: whoever asked hung up.
async fn call(agent: &Arc<Agent>, skill: String, tool: String, arguments: &Arguments) -> Answer {
    let authorised = agent.authorise(&skill).await.ok();
    let schema = authorised.as_ref().and_then(|callable| callable.offered.bound.tool(&tool));
    match arguments.read(schema) {
        Ok(arguments) => {
            let cancel = CancellationToken::new();
            agent.call(CallRequest { skill, tool, arguments, door: "operator", progress: None, cancel }).await
        }
        Err(error) => Answer { record: None, outcome: Outcome::failed(error) },
    }
}

fn refusal(denial: Denial) -> anyhow::Error {
    match denial.hint.clone() {
        Some(hint) => anyhow::anyhow!("{}\n  hint: {hint}", denial.first_line()),
        None => anyhow::anyhow!(denial.first_line()),
    }
}

//! What a running gateway does for the command line, one request after the other.

use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::Outcome;
use tokio_util::sync::CancellationToken;

use crate::answer::Answered;
use crate::audit::Event;
use crate::gateway::Gateway;
use crate::gateway::agent::Agent;
use crate::gateway::request::{Answer, CallRequest};
use crate::gateway::token::{self, TokenOf};
use crate::operator::Who;
use crate::operator::waiting::WaitSink;
use crate::operator::{Arguments, Reply, Request, record, record_act, record_alone};
use crate::oversight::alerts::About;
use crate::oversight::secrets::act::SecretAct;
use crate::settings::restart;
use crate::trust::act::{self, Act, Asks, Done};
use crate::trust::event::What;

impl Gateway {
    /// Does what was asked, by the gateway's own user. `waits` hears what a call waits for.
    pub(crate) async fn perform(
        self: &Arc<Self>,
        request: Request,
        waits: Option<WaitSink>,
    ) -> Result<Reply> {
        match request {
            Request::Status {} => Ok(Reply::done(self.status())),
            Request::Token { agent, who } => self.make_token(agent.as_deref(), &who).await,
            Request::Act { act, who } => {
                let done = self.act(act, who).await?;
                Ok(Reply::done(serde_json::to_value(done)?))
            }
            Request::Secret { act, who } => self.change_secret(act, who).await,
            Request::Approvals { ask, who } => {
                // A decision is recorded, and a disk that hangs must not hold up the thread that hears a stop.
                let gateway = Arc::clone(self);
                self.threads().spawn(async move { gateway.about_approvals(ask, &who).await }).await?
            }
            Request::Call { agent, skill, tool, arguments, .. } => {
                let agent = self.agent(&agent).await.map_err(refusal)?;
                let cancel = CancellationToken::new();
                // The caller that hangs up drops this future, and with it the call.
                let _hung_up = cancel.clone().drop_guard();
                let answer = self.threads().spawn(call(agent, skill, tool, arguments, waits, cancel)).await?;
                let answered = Answered::of(&answer.outcome, answer.record.as_deref());
                Ok(Reply::done(serde_json::to_value(answered)?))
            }
            // These three end or change the connection; the socket answers them.
            Request::Stop { .. } | Request::Quit { .. } | Request::Mcp { .. } => {
                anyhow::bail!("this is asked alone")
            }
        }
    }

    /// An operator's act on an agent. What it takes away is taken first; the record comes with it.
    pub(super) async fn act(self: &Arc<Self>, act: Act, who: Who) -> Result<Done> {
        if let Act::Disable { id } | Act::Remove { id } = &act {
            // Its trail is opened while there is such an agent.
            self.load(id).await.map_err(refusal)?.halt();
        }
        let (gateway, by) = (Arc::clone(self), who);
        let asks = Asks { redteam: self.policies().current().settings.require_redteam };
        let done = tokio::task::spawn_blocking(move || act::act(gateway.state(), act, by, asks)).await??;
        let id = &done.event.agent;
        if !self.is_agent(id) && matches!(done.event.what, What::Attacked { .. }) {
            // A folder that may become one.
            record_alone(self.trail(), &done.event)?;
            return Ok(done);
        }
        let agent = match self.loaded_agent(id) {
            Some(agent) => agent,
            None => self.load(id).await.map_err(refusal)?,
        };
        record_act(agent.book(), self.trail(), &done.event)?;
        match &done.event.what {
            What::Disabled => self.alert_of_act(id, Event::AgentDisabled, &done.event.who),
            What::Removed => self.alert_of_act(id, Event::AgentRemoved, &done.event.who),
            _ => {}
        }
        agent.forget();
        if let What::Reset { skill, .. } = &done.event.what {
            agent.oversight().breakers().reset(skill.as_deref());
        }
        match done.event.what {
            What::Removed => self.unload(id),
            _ => agent.settle().await,
        }
        Ok(done)
    }

    /// Sets or removes a secret. The next request has it, or has it no more.
    async fn change_secret(self: &Arc<Self>, act: SecretAct, who: Who) -> Result<Reply> {
        let agent = self.load(&act.agent()?).await.map_err(refusal)?;
        let gateway = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            act.perform(gateway.policies().secrets(), gateway.registry(), &who, |noted| {
                record(agent.book(), gateway.trail(), agent.id(), noted.event, &who, &noted.note)
            })
        })
        .await??;
        Ok(Reply::done(json!({})))
    }

    async fn make_token(self: &Arc<Self>, agent: Option<&str>, who: &Who) -> Result<Reply> {
        if let Some(id) = agent
            && !self.is_agent(id)
        {
            anyhow::bail!("there is no agent `{id}`\n  hint: soulbound agents list");
        }
        self.trail().note(Event::TokenMade, &who.to_string(), &json!({"of": agent.unwrap_or("operator")}))?;
        let of = agent.map_or(TokenOf::Operator, TokenOf::Agent);
        let token = token::issue(self.state(), of)?;
        self.forget_token(of);
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
        let Ok(reread) =
            tokio::task::spawn_blocking(move || gateway.policies().reread(gateway.state())).await
        else {
            return;
        };
        let recorded = match reread {
            Reread::Same => return,
            Reread::Changed(policy) => {
                tracing::info!(policy = %policy.digest, "gateway.toml was read again");
                if let Some(waits) = restart::said(policy.waits.iter().copied()) {
                    tracing::warn!("{waits}: soulbound gateway restart");
                }
                self.delivery().reconfigure(&policy.settings.network);
                self.alerts().reconfigure(&policy.settings.alerts);
                self.channels().reconfigure(&policy.settings.channels);
                // What is in flight under the old settings ends where the new ones forbid it.
                for agent in self.loaded() {
                    agent.look_again().await;
                }
                let noted = if policy.waits.is_empty() {
                    json!({"policy": policy.digest})
                } else {
                    json!({"policy": policy.digest, "waits_for_restart": policy.waits})
                };
                self.trail().note(Event::SettingsChanged, "gateway", &noted)
            }
            Reread::Kept(why) => {
                tracing::error!(why, "gateway.toml cannot be used; the last good one stays in force");
                self.alert(About::Anomaly, Event::SettingsUnreadable.sentence(), &why);
                self.trail().note(Event::SettingsUnreadable, "gateway", &json!({"error": why}))
            }
        };
        if let Err(error) = recorded {
            tracing::error!(%error, "a change of the settings could not be recorded");
        }
    }
}

/// One call for the operator.
async fn call(
    agent: Arc<Agent>,
    skill: String,
    tool: String,
    arguments: Arguments,
    waits: Option<WaitSink>,
    cancel: CancellationToken,
) -> Answer {
    let authorised = agent.authorise(&skill).await.ok();
    let schema = authorised.as_ref().and_then(|callable| callable.offered.bound.tool(&tool));
    match arguments.read(schema) {
        Ok(arguments) => {
            agent
                .call(CallRequest {
                    skill,
                    tool,
                    arguments,
                    door: "operator",
                    progress: None,
                    form: None,
                    waits,
                    cancel,
                })
                .await
        }
        Err(error) => Answer { record: None, outcome: Outcome::failed(error) },
    }
}

pub(super) fn refusal(denial: Denial) -> anyhow::Error {
    match &denial.hint {
        Some(hint) => anyhow::anyhow!("{}\n  hint: {hint}", denial.first_line()),
        None => anyhow::anyhow!(denial.first_line()),
    }
}

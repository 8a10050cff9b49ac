//! What a running gateway answers an operator about approvals.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use soulbound_runtime::visible;

use crate::audit::Event;
use crate::gateway::Gateway;
use crate::operator::approvals::Ask;
use crate::operator::{Reply, Who};
use crate::oversight::approvals::card::Much;
use crate::oversight::approvals::{Decider, Decision, Listing, Way};
use crate::trust::Condition;

/// The longest that a request of somebody who watches waits.
const WATCH: Duration = Duration::from_secs(30);

impl Gateway {
    /// Answers, by the gateway's own user.
    pub(crate) async fn about_approvals(self: &std::sync::Arc<Self>, ask: Ask, who: &Who) -> Result<Reply> {
        let approvals = self.approvals();
        match ask {
            Ask::List {} => Ok(Reply::done(serde_json::to_value(self.approvals_listing()?)?)),
            Ask::Watch { version, milliseconds } => {
                approvals.until_other(version, Duration::from_millis(milliseconds).min(WATCH)).await;
                Ok(Reply::done(serde_json::to_value(self.approvals_listing()?)?))
            }
            Ask::Show { id, full } => {
                let much = if full { Much::All } else { Much::Enough };
                match approvals.shown(&id, much) {
                    Some((card, document)) => Ok(Reply::done(json!({"card": card, "request": document}))),
                    None => bail!(
                        "nothing waits under {}\n  hint: soulbound approvals list",
                        visible::quoted_target(&id)
                    ),
                }
            }
            Ask::Decide { id, decision } => {
                let policy = self.policies().current();
                let grants = !matches!(decision, Decision::Deny { .. });
                if grants && !policy.settings.approvals.ways.cli {
                    bail!(
                        "the operator's settings let nobody approve on the command line\n  hint: `cli` in `[approvals] ways` of gateway.toml"
                    );
                }
                let said = approvals.decide(&id, decision, &Decider::operator(who), self.trail())?;
                Ok(Reply::done(json!({"said": said})))
            }
            Ask::Revoke { id } => self.revoke_approval(&id.replace('#', "-"), who).await,
        }
    }

    /// A decision of whoever uses an agent's client. Only where the operator allows that, and only about that agent.
    pub(crate) fn decide_in_a_client(&self, agent: &str, id: &str, approve: bool, who: &str) -> Result<()> {
        let by = Decider { who: format!("{who} of {agent}"), way: Way::Mcp };
        let policy = self.policies().current();
        let is_its = self.approvals().is_of(id, agent);
        if !policy.settings.approvals.ways.mcp || !is_its {
            self.approvals().record_forged(self.trail(), &by, id, "no decision of a client of this agent");
            bail!("this does not wait for a client of agent `{agent}`");
        }
        let decision = if approve { Decision::Once {} } else { Decision::Deny { reason: None } };
        self.approvals().decide(id, decision, &by, self.trail()).map(drop)
    }

    fn approvals_listing(&self) -> Result<Listing> {
        let agents = self.registry().conditions()?.into_iter();
        let there = agents.filter(|(_, condition)| *condition != Condition::Removed);
        Ok(self.approvals().listing(&there.map(|(id, _)| id).collect::<Vec<_>>()))
    }

    async fn revoke_approval(self: &std::sync::Arc<Self>, name: &str, who: &Who) -> Result<Reply> {
        let shown = visible::quoted_target(name);
        let agent = name.rsplit_once('-').map(|(agent, _)| agent).filter(|agent| self.is_agent(agent));
        // Taken back first, recorded then: what is taken away never waits for the disk.
        let revoked = agent.map(|agent| self.approvals().revoke(agent, name)).transpose()?.flatten();
        let (Some(agent), Some(permission)) = (agent, revoked) else {
            bail!("nothing is approved for longer under {shown}\n  hint: soulbound approvals list");
        };
        let agent = self.load(agent).await.map_err(super::requests::refusal)?;
        let note = json!({"approval": name, "what": permission.what, "binding": permission.binding});
        agent.book().note(Event::ApprovalRevoked, &who.to_string(), &note)?;
        Ok(Reply::done(json!({"said": format!("{name} is not approved any more")})))
    }
}

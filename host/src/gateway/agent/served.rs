//! A gateway's agent as MCP serves it.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, visible};
use tokio::sync::watch;

use super::Agent;
use crate::gateway::call;
use crate::gateway::offer::Offer;
use crate::gateway::request::{Answer, CallRequest};
use crate::mcp;

impl mcp::Served for Arc<Agent> {
    fn title(&self) -> String {
        self.title.clone()
    }

    async fn offer(&self) -> Result<Arc<Offer>, Denial> {
        Ok(Arc::clone(self.live().await?.offer()))
    }

    async fn glance(&self) -> Result<Arc<Offer>, Denial> {
        match self.last() {
            Some(live) => Ok(Arc::clone(live.offer())),
            None => self.offer().await,
        }
    }

    fn seen(&self) -> Option<Arc<Offer>> {
        self.last().map(|live| Arc::clone(live.offer()))
    }

    async fn call(&self, request: CallRequest) -> Answer {
        Agent::call(self, request).await
    }

    async fn unknown(&self, tool: &str, arguments: Map<String, Value>, door: &'static str) -> Answer {
        call::unknown(self, tool, arguments, door).await
    }

    fn held(&self) -> Option<Arc<mcp::Held>> {
        let gateway = self.gateway.upgrade()?;
        gateway.policies().current().settings.approvals.ways.mcp.then(|| Arc::clone(&self.held))
    }

    fn decide(&self, id: &str, approve: bool, who: &str) -> Result<()> {
        let gateway = self.gateway.upgrade().context("the gateway has left")?;
        gateway.decide_in_a_client(&self.id, id, approve, who)
    }

    fn quoted(&self, name: &str) -> String {
        visible::quoted_target(&self.oversight.secrets().name(name))
    }

    fn file(&self, digest: &Digest) -> Result<Vec<u8>> {
        let gateway = self.gateway.upgrade().context("the gateway has left")?;
        Ok(gateway.registry().store().get(*digest)?)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

//! What MCP needs of an agent: its offer, a way to call, and the bytes that the operator trusted. The gateway's agent is
//! one; the tests have another.

use std::future::Future;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Map, Value};
use soulbound_runtime::skill::Digest;
use soulbound_runtime::{Denial, visible};
use tokio::sync::watch;

use crate::gateway::offer::Offer;
use crate::gateway::request::{Answer, CallRequest};
use crate::mcp::held::Held;

/// An agent that can be served over MCP.
pub(crate) trait Served: Send + Sync + 'static {
    /// The agent as people call it: `Echo (Content Writer)`.
    fn title(&self) -> String;

    /// What it offers now.
    ///
    /// # Errors
    ///
    /// Nothing runs: the gateway or the agent is stopped, or the agent is not trusted.
    fn offer(&self) -> impl Future<Output = Result<Arc<Offer>, Denial>> + Send;

    /// The offer as it was when somebody last looked: for finding a tool by its name, since its call looks again itself.
    ///
    /// # Errors
    ///
    /// As [`Served::offer`], if nobody looked yet.
    fn glance(&self) -> impl Future<Output = Result<Arc<Offer>, Denial>> + Send {
        self.offer()
    }

    /// The offer as it was when somebody last looked, if anybody did: for what cannot wait.
    fn seen(&self) -> Option<Arc<Offer>>;

    /// Calls a tool. Whatever comes of it is in the answer.
    fn call(&self, request: CallRequest) -> impl Future<Output = Answer> + Send;

    /// Refuses and records a call of a tool that is not offered, by the name that was asked for.
    fn unknown(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        door: &'static str,
    ) -> impl Future<Output = Answer> + Send;

    /// Where calls wait for whoever uses the client; none where the operator allows no decision that way.
    fn held(&self) -> Option<Arc<Held>> {
        None
    }

    /// Decides about what waits under this id, as whoever uses the client.
    ///
    /// # Errors
    ///
    /// It does not wait any more, or not by this way.
    fn decide(&self, _id: &str, _approve: bool, _who: &str) -> Result<()> {
        anyhow::bail!("nobody decides here")
    }

    /// A name that a model wrote, as an error may quote it.
    fn quoted(&self, name: &str) -> String {
        visible::quoted_target(name)
    }

    /// The trusted bytes with this digest, from the store. Blocks.
    ///
    /// # Errors
    ///
    /// They cannot be read, or are others by now.
    fn file(&self, digest: &Digest) -> Result<Vec<u8>>;

    /// Changes its value whenever [`Served::offer`] would answer otherwise.
    fn changes(&self) -> watch::Receiver<u64>;
}

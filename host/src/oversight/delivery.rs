//! The thread from which the gateway itself sends: alerts, messages to channels, whatever else an operator named.
//!
//! It is apart from the doors and from the guests' side, and has a resolver of its own: a skill that keeps name servers
//! busy, or a place that hangs, holds up no call, no stop and no alert to another place.

use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result};
use soulbound_runtime::sandbox::network::{
    NetworkConfig, Outbound, OutboundError, OutboundUrl, Sent, SystemResolver,
};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

use crate::oversight::place::{Place, Post};

/// Lookups, commands and files at once.
const BLOCKING: usize = 64;

/// The way out, and the thread that uses it.
pub(crate) struct Delivery {
    /// Taken when this is dropped: a runtime may not wait for its threads wherever that happens to be.
    runtime: Option<Runtime>,
    handle: Handle,
    outbound: RwLock<Outbound>,
}

impl Delivery {
    /// Starts the thread.
    pub(crate) fn start(network: &NetworkConfig) -> Result<Arc<Self>> {
        let outbound = RwLock::new(outbound(network)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING)
            .thread_name("soulbound-send")
            .enable_all()
            .build()
            .context("the thread that sends alerts and messages does not start")?;
        Ok(Arc::new(Self { handle: runtime.handle().clone(), runtime: Some(runtime), outbound }))
    }

    /// Other certificates or another proxy, from the next post on.
    pub(crate) fn reconfigure(&self, network: &NetworkConfig) {
        match outbound(network) {
            Ok(new) => *self.outbound.write().unwrap_or_else(PoisonError::into_inner) = new,
            // The same settings were good for the skills' network a moment ago.
            Err(error) => tracing::error!(error = format!("{error:#}"), "the way out stays as it was"),
        }
    }

    /// Where its tasks run.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Posts to a URL that the operator named. Ends within 10 s; dropping the future ends it at once.
    pub(crate) async fn post(
        &self,
        url: &OutboundUrl,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<Sent, OutboundError> {
        let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner).clone();
        let url = url.clone();
        let posting = self.handle.spawn(async move {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            outbound.post(&url, &headers, body).await
        });
        // Its thread ends with the process only; then nobody hears this.
        EndsWhenDropped(posting).await.unwrap_or(Err(OutboundError::Broken))
    }

    /// Posts what was made for a place.
    pub(crate) async fn post_to(&self, place: &Place, post: Post) -> Result<Sent, OutboundError> {
        self.post(place.url(), post.headers, post.body).await
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn outbound(network: &NetworkConfig) -> Result<Outbound> {
    let mut network = network.clone();
    network.resolver = Arc::new(SystemResolver::new());
    Outbound::new(&network).context("the operator's certificates cannot be used")
}

/// A task that does not outlive whoever waits for it.
pub(crate) struct EndsWhenDropped<T>(pub(crate) JoinHandle<T>);

impl<T> Future for EndsWhenDropped<T> {
    type Output = Option<T>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        std::pin::Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

impl<T> Drop for EndsWhenDropped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

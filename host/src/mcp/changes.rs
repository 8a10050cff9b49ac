//! Tells a client that the list of tools is another one now: a session of the old era by itself, a subscription of the new
//! one as far as it asked.

use std::sync::Arc;

use rmcp::model::SubscriptionFilter;
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio_util::sync::CancellationToken;

use crate::mcp::served::Served;

/// Watches the agent's offer for a session, until it is over.
pub(crate) fn announce<S: Served>(agent: &Arc<S>, peer: Peer<RoleServer>, over: CancellationToken) {
    let mut changes = agent.changes();
    tokio::spawn(over.run_until_cancelled_owned(async move {
        while changes.changed().await.is_ok() {
            let told = async {
                peer.notify_tool_list_changed().await?;
                peer.notify_resource_list_changed().await
            };
            if told.await.is_err() {
                break;
            }
        }
    }));
}

/// What of a subscription can be served.
pub(crate) fn accepted(requested: &SubscriptionFilter) -> SubscriptionFilter {
    let mut filter = SubscriptionFilter::new();
    filter.tools_list_changed = requested.tools_list_changed;
    filter.resources_list_changed = requested.resources_list_changed;
    filter
}

/// Serves a subscription until its client or the gateway ends it.
pub(crate) async fn listen<S: Served>(agent: &S, subscription: SubscriptionContext) {
    let mut changes = agent.changes();
    let wants = |wanted: Option<bool>| wanted == Some(true);
    loop {
        tokio::select! {
            () = subscription.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
        let (sink, accepted) = (subscription.sink(), subscription.accepted());
        let told = async {
            if wants(accepted.tools_list_changed) {
                sink.notify_tool_list_changed().await?;
            }
            if wants(accepted.resources_list_changed) {
                sink.notify_resource_list_changed().await?;
            }
            Ok::<(), rmcp::service::SubscriptionSendError>(())
        };
        if told.await.is_err() {
            return;
        }
    }
}

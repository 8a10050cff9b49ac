//! The approvals' webhook is told over the host's own way out.

use std::sync::Arc;

use serde_json::Value;
use soulbound_runtime::sandbox::network::OutboundUrl;

use super::Post;
use crate::oversight::delivery::Delivery;

/// Posts where the operator said.
pub(crate) struct Outside {
    pub(crate) delivery: Arc<Delivery>,
}

impl Post for Outside {
    fn post(&self, url: &str, document: Value) {
        let url = match OutboundUrl::parse(url) {
            Ok(url) => url,
            Err(error) => {
                tracing::error!(%error, "the approvals' webhook is no place to post to");
                return;
            }
        };
        let delivery = Arc::clone(&self.delivery);
        self.delivery.handle().spawn(async move {
            let headers = vec![("content-type", "application/json".to_owned())];
            // The question waits all the same: other ways are open, and no answer is no.
            if let Err(error) = delivery.post(&url, headers, document.to_string().into_bytes()).await {
                tracing::warn!(%error, "the approvals' webhook was not told");
            }
        });
    }
}

//! The door over HTTP: one service an agent, which the gateway mounts behind its authentication.
//!
//! Host and Origin are checked here too, by `rmcp`: a page in a browser that has rebound its name to loopback is refused
//! before anything is read. The token ends all sessions, streams and calls of the agent.

use std::sync::Arc;

use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::mcp::handler::Handler;
use crate::mcp::served::Served;
use crate::mcp::sessions::BoundedSessions;

/// The largest message of a client, in bytes; over HTTP and over the socket.
pub(super) const MESSAGE_BYTES: usize = 4 << 20;

/// What the gateway decides about the door.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpDoor {
    /// Names that may stand in `Host`, with or without a port. Empty allows none but loopback's.
    pub(crate) hosts: Vec<String>,
    /// Origins that may stand in `Origin`, each with its port or `:*`. Empty refuses every request that has one.
    pub(crate) origins: Vec<String>,
    /// Ends every session, stream and call, and lets nothing new in.
    pub(crate) end: CancellationToken,
}

/// The service of one agent.
pub(crate) type HttpService<S> = StreamableHttpService<Handler<S>, BoundedSessions>;

/// Makes the service of one agent.
pub(crate) fn http_service<S: Served>(agent: Arc<S>, door: HttpDoor) -> HttpService<S> {
    let mut config = StreamableHttpServerConfig::default()
        // A plain answer where nothing precedes it: half the bytes, and no event stream to set up.
        .with_json_response(true)
        .with_max_request_body_bytes(MESSAGE_BYTES)
        .with_cancellation_token(door.end)
        .with_allowed_origins(door.origins)
        .enforce_origin_validation();
    if !door.hosts.is_empty() {
        config = config.with_allowed_hosts(door.hosts);
    }
    let make = move || Ok(Handler::new(Arc::clone(&agent), "mcp-http"));
    StreamableHttpService::new(make, Arc::new(BoundedSessions::default()), config)
}

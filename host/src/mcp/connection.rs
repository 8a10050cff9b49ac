//! The door for the stdio shim: one connection on the gateway's socket, a message a line, one agent's scope.

use std::sync::Arc;

use rmcp::ServiceExt;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::mcp::handler::Handler;
use crate::mcp::http::MESSAGE_BYTES;
use crate::mcp::served::Served;

/// Serves an agent on a connection until its client closes it, or `end` is cancelled. When this returns, every call of
/// the connection has ended or is ending.
pub(crate) async fn serve_connection<S, Reader, Writer>(
    agent: Arc<S>,
    reader: Reader,
    writer: Writer,
    end: CancellationToken,
) where
    S: Served,
    Reader: AsyncRead + Send + Unpin + 'static,
    Writer: AsyncWrite + Send + Unpin + 'static,
{
    let own = end.child_token();
    // Whatever is still under way when the client is gone ends with it.
    let _end = own.clone().drop_guard();
    let transport = AsyncRwTransport::new_server(reader, writer).with_max_line_length(MESSAGE_BYTES);
    match Handler::new(agent, "mcp-stdio").serve_with_ct(transport, own).await {
        Ok(serving) => {
            if let Err(error) = serving.waiting().await {
                tracing::warn!(%error, "an MCP connection ended badly");
            }
        }
        // A client that connects and leaves, or speaks out of turn.
        Err(error) => tracing::debug!(%error, "an MCP connection did not begin"),
    }
}

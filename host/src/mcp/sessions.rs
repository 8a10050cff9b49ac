//! Sessions of the old era, bounded: a client that is started anew again and again leaves its old sessions behind, each
//! with a task and its buffers. A new one beyond the bound ends the one that was silent for longest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_core::Stream;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::session::{ServerSseMessage, SessionId, SessionManager};

/// Sessions of one agent at once.
const SESSIONS: usize = 64;
/// A session ends after so long without a word.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// `rmcp`'s sessions in memory, at most [`SESSIONS`] of them.
pub(crate) struct BoundedSessions {
    sessions: LocalSessionManager,
    heard: Mutex<HashMap<SessionId, Instant>>,
}

impl Default for BoundedSessions {
    fn default() -> Self {
        let mut config = SessionConfig::default();
        config.keep_alive = Some(IDLE);
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = config;
        Self { sessions, heard: Mutex::default() }
    }
}

type SessionError = <LocalSessionManager as SessionManager>::Error;

impl BoundedSessions {
    fn heard<Answer>(&self, with: impl FnOnce(&mut HashMap<SessionId, Instant>) -> Answer) -> Answer {
        with(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The session that was silent for longest, when there is no room for another.
    fn one_too_many(&self) -> Option<SessionId> {
        self.heard(|heard| {
            let full = heard.len() >= SESSIONS;
            let silent = heard.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone());
            silent.filter(|_| full)
        })
    }
}

impl SessionManager for BoundedSessions {
    type Error = SessionError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        if let Some(silent) = self.one_too_many() {
            self.close_session(&silent).await?;
        }
        let (id, transport) = self.sessions.create_session().await?;
        self.heard(|heard| heard.insert(id.clone(), Instant::now()));
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.sessions.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        let there = self.sessions.has_session(id).await?;
        // Asked on every request of a session.
        self.heard(|heard| if there { heard.insert(id.clone(), Instant::now()) } else { heard.remove(id) });
        Ok(there)
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.heard(|heard| heard.remove(id));
        self.sessions.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.sessions.create_stream(id, message).await
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        self.sessions.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.sessions.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.sessions.resume(id, last_event_id).await
    }
}

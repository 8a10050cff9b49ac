//! Making tokens: by the running gateway, or by the command itself where none runs. Either way it is recorded.

use anyhow::{Context, Result};
use serde_json::json;

use crate::audit::Event;
use crate::gateway::token::{self, Token, TokenOf};
use crate::operator::Who;
use crate::operator::client;
use crate::operator::{Request, note};
use crate::state::StateFolder;
use crate::state::lock::Waited;
use crate::trust::Registry;

/// Makes a new token, of the operator when no agent is named. The one before is worth nothing from now on.
pub(crate) fn make(state: &StateFolder, agent: Option<&str>, who: &Who) -> Result<Token> {
    if let Some(id) = agent {
        // Of an agent that there is.
        Registry::open(state).record(id)?;
    }
    let _lock = match client::or_lock(state)? {
        Waited::Ours(lock) => lock,
        Waited::Otherwise(client) => {
            let request = Request::Token { agent: agent.map(str::to_owned), who: who.clone() };
            let value = client.ask(&request, None)?.into_result()?;
            let token = value.get("token").and_then(serde_json::Value::as_str);
            return token.map(Token::told).context("the gateway's answer holds no token");
        }
    };
    note(state, Event::TokenMade, who, &json!({"of": agent.unwrap_or("operator")}))?;
    token::issue(state, agent.map_or(TokenOf::Operator, TokenOf::Agent))
}

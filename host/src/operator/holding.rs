//! Which agents the running gateway holds back: what changed before it first looked at it does not start.
//!
//! The rule: an agent that no gateway has looked at is judged as the next one will judge it. So what is told here is what the
//! next call gets, with a gateway and without.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use crate::operator::Request;
use crate::operator::client::Client;
use crate::state::StateFolder;
use crate::trust::Standing;

/// How long a gateway may take to say so.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// What the running gateway has looked at, and whether it holds that back. Nothing is known where it does not answer.
#[derive(Debug, Default)]
pub(crate) struct Holding(Option<HashMap<String, bool>>);

impl Holding {
    /// Asks. Where no gateway runs, none has looked at anything.
    pub(crate) fn ask(state: &StateFolder) -> Self {
        match Client::connect(state) {
            Ok(None) => Self(Some(HashMap::new())),
            Ok(Some(client)) => {
                let reply = client.ask(&Request::Status {}, Some(ANSWERS_WITHIN)).ok();
                reply.and_then(|reply| reply.into_result().ok()).as_ref().map(Self::of).unwrap_or_default()
            }
            Err(_) => Self(None),
        }
    }

    /// What a gateway's status says of it.
    fn of(status: &Value) -> Self {
        let agents = status.get("agents").and_then(Value::as_array).into_iter().flatten();
        let looked = agents.filter_map(|agent| {
            let id = agent.get("id")?.as_str()?.to_owned();
            Some((id, agent.get("held")?.as_bool()?))
        });
        Self(Some(looked.collect()))
    }

    /// Whether the next call of an agent that stands so is refused for it. While a gateway does not answer, something of the
    /// agent may be running: that nothing does is never told then.
    pub(crate) fn holds(&self, id: &str, standing: &Standing) -> bool {
        let Some(looked) = &self.0 else { return false };
        match looked.get(id) {
            Some(held) => *held && !standing.is_as_trusted(),
            None => standing.has_to_be_looked_at(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_that_was_never_looked_at_is_not_told_as_looked_at() {
        let status = serde_json::json!({"agents": [
            {"id": "new", "held": null}, {"id": "waits", "held": true}, {"id": "runs", "held": false}, {"id": "old"}]});
        let mut looked: Vec<_> = Holding::of(&status).0.unwrap().into_iter().collect();
        looked.sort();
        assert_eq!(looked, [("runs".to_owned(), false), ("waits".to_owned(), true)]);
        assert_eq!(Holding::of(&Value::Null).0, Some(HashMap::new()));
    }
}

//! What the shim reads of a message: which request it is, and which it answers. And the only message of its own: that a
//! request was refused.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::mcp::handler::REFUSED;

/// The few fields by which a message is known. The rest is skipped unread.
#[derive(Deserialize)]
pub(in crate::mcp) struct Head<'a> {
    id: Option<Value>,
    #[serde(borrow)]
    pub(in crate::mcp) method: Option<Cow<'a, str>>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    #[serde(rename = "requestId")]
    request: Option<Value>,
}

/// From here on a number in float form does not say which whole one was meant.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A request's id as JSON text: `7` and `"7"` are two. `7.0` is `7`, which is what the gateway answers to it.
fn id_text(id: &Value) -> Option<String> {
    let whole = |number: f64| number.fract() == 0.0 && number.abs() < EXACT;
    match id.as_f64().filter(|number| id.is_f64() && whole(*number)) {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole, and small enough")]
        Some(number) => Some((number as i64).to_string()),
        None => (id.is_string() || id.is_number()).then(|| id.to_string()),
    }
}

impl<'a> Head<'a> {
    /// The head of a line; none when it is no message.
    pub(in crate::mcp) fn of(line: &'a [u8]) -> Option<Self> {
        // An object, and no array of its fields, which serde would take as well.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(line).ok()
    }

    /// The id, if this asks for an answer.
    pub(in crate::mcp) fn request_id(&self) -> Option<String> {
        self.method.as_ref().and(self.id.as_ref()).and_then(id_text)
    }

    /// The id of the request that this answers.
    pub(super) fn answered_id(&self) -> Option<String> {
        if self.method.is_some() { None } else { self.id.as_ref().and_then(id_text) }
    }

    /// The id of the request that this takes back.
    pub(super) fn cancelled_id(&self) -> Option<String> {
        let takes_back = self.method.as_deref() == Some("notifications/cancelled");
        takes_back.then(|| self.params.as_ref()?.request.as_ref().and_then(id_text)).flatten()
    }
}

/// Why a request is not passed on.
#[derive(Debug, Clone)]
pub(in crate::mcp) struct Refusal {
    code: i32,
    message: String,
    id: Option<String>,
}

impl Refusal {
    /// There is no gateway, or it does not let the agent in, for this reason: a denial's first line, or some other words.
    pub(in crate::mcp) fn stopped(why: &str) -> Self {
        let denial = why.strip_prefix("denied[").and_then(|rest| rest.split_once("]: "));
        let (id, message) = match denial {
            Some((id, _)) => (id.to_owned(), why.to_owned()),
            None => ("gateway.stopped".to_owned(), format!("denied[gateway.stopped]: {why}")),
        };
        Self { code: REFUSED.0, message, id: Some(id) }
    }

    /// The gateway went away in the middle.
    pub(super) fn gone() -> Self {
        Self::stopped("the gateway ended while this was under way; its trail says how far it came")
    }

    /// A message beyond what the gateway takes.
    pub(super) fn too_long() -> Self {
        let message = format!("a message has at most {} bytes", super::PASSED);
        Self { code: -32_600, message, id: None }
    }

    /// A line that is no message, or several at once.
    pub(super) fn not_a_message() -> Self {
        Self { code: -32_600, message: "a line is one JSON-RPC message".to_owned(), id: None }
    }

    /// As a line for the client: the answer to this id.
    pub(in crate::mcp) fn line(&self, id: Option<&str>) -> Vec<u8> {
        let id = id.and_then(|id| serde_json::from_str::<Value>(id).ok());
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Some(denial), Value::Object(error)) = (&self.id, &mut error) {
            error.insert("data".to_owned(), json!({ "id": denial }));
        }
        let mut line = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_known_by_its_ids() {
        let head = |text: &'static str| Head::of(text.as_bytes()).unwrap();
        assert_eq!(head(r#"{"method":"a","id":7}"#).request_id().as_deref(), Some("7"));
        assert_eq!(head(r#"{"method":"a\u0062","id":"7"}"#).request_id().as_deref(), Some("\"7\""));
        assert_eq!(head(r#"{"method":"a"}"#).request_id(), None);
        assert_eq!(head(r#"{"id":7,"result":{"id":8}}"#).answered_id().as_deref(), Some("7"));
        assert_eq!(head(r#"{"id":7,"method":"x"}"#).answered_id(), None);
        let cancelled = head(r#"{"method":"notifications/cancelled","params":{"requestId":"x"}}"#);
        assert_eq!(cancelled.cancelled_id().as_deref(), Some("\"x\""));
    }

    /// Found by the fuzz target `mcp`: the gateway's answer was to nobody's request, so that a client was answered once more
    /// when the gateway ended.
    #[test]
    fn an_id_is_one_however_its_number_is_written() {
        for (written, known) in [
            ("7.0", "7"),
            ("0e99", "0"),
            ("-0.0", "0"),
            ("1e2", "100"),
            ("7.5", "7.5"),
            ("9007199254740992.0", "9007199254740992.0"),
        ] {
            let line = format!("{{\"method\":\"a\",\"id\":{written}}}");
            assert_eq!(Head::of(line.as_bytes()).unwrap().request_id().as_deref(), Some(known), "{written}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_client_writes_a_refusal_is_one_line_of_json(line in proptest::collection::vec(any::<u8>(), 0..200), why in ".*") {
            let id = Head::of(&line).and_then(|head| head.request_id());
            let refusal = Refusal::stopped(&why).line(id.as_deref());
            prop_assert_eq!(refusal.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert!(serde_json::from_slice::<Value>(&refusal).is_ok());
        }
    }
}

//! A client's messages over stdio: to the shim without a gateway, and to a gateway's connection. What comes back is
//! JSON-RPC, a message a line, and answers nothing that was not asked.

use std::collections::BTreeMap;

use serde_json::Value;
use soulbound::fuzz::{answers, is_request, refusal};

/// By what a client of the old era opens.
const OPENING: &[u8] = br#"{"jsonrpc":"2.0","id":"opening","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"f","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
"#;

/// Says the bytes, as they are and after an opening.
pub fn run(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        let refused = refusal(line, "nothing runs");
        assert_eq!(refused.iter().filter(|byte| **byte == b'\n').count(), 1, "a refusal is one line");
        let answer = message(refused.trim_ascii_end());
        assert_eq!(is_request(line), answer.get("id").filter(|id| !id.is_null()).map(Value::to_string));
    }
    let opened = [OPENING, bytes].concat();
    for said in [bytes, &opened] {
        let mut asked: BTreeMap<String, usize> = BTreeMap::new();
        for id in said.split(|byte| *byte == b'\n').filter_map(is_request) {
            *asked.entry(id).or_default() += 1;
        }
        let heard = answers(said).unwrap_or_else(|error| panic!("{error:#}"));
        for line in heard.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let message = message(line);
            let Some(id) = message.get("id").filter(|id| !id.is_null()) else { continue };
            if message.get("method").is_some() {
                continue;
            }
            let times =
                asked.get_mut(&id.to_string()).unwrap_or_else(|| panic!("{id} was not asked: {message}"));
            *times = times.checked_sub(1).unwrap_or_else(|| panic!("{id} is answered twice: {message}"));
        }
    }
}

fn message(line: &[u8]) -> Value {
    let message: Value = serde_json::from_slice(line)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
    assert_eq!(message["jsonrpc"], "2.0", "{message}");
    message
}

//! An answer on its way through the proxy: a JSON message, or a stream of them as events. Tool names in lists are made the
//! suite's; every other byte is passed on as it came.

use serde_json::Value;

use super::names;

/// Cuts a body into lines as they arrive, and translates those that are messages.
#[derive(Default)]
pub(super) struct Translator {
    rest: Vec<u8>,
}

impl Translator {
    /// What can be passed on now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let mut out = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            out.extend(translated(&line));
        }
        out
    }

    /// What is left at the end: a whole JSON body has no line end.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        translated(&std::mem::take(&mut self.rest))
    }
}

fn translated(line: &[u8]) -> Vec<u8> {
    let (prefix, json) = match line.strip_prefix(b"data:") {
        Some(json) => (b"data: ".as_slice(), json),
        None => (b"".as_slice(), line),
    };
    let Ok(mut message) = serde_json::from_slice::<Value>(json) else { return line.to_vec() };
    let Some(tools) = message.pointer_mut("/result/tools").and_then(Value::as_array_mut) else {
        return line.to_vec();
    };
    for tool in tools {
        if let Some(name) = tool.get_mut("name") {
            *name = names::theirs(name.as_str().unwrap_or_default()).into();
        }
    }
    let end: &[u8] = if line.ends_with(b"\n") { b"\n" } else { b"" };
    [prefix, message.to_string().as_bytes(), end].concat()
}

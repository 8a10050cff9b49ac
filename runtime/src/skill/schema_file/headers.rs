//! `x-mcp-header` (SEP-2243): a parameter that an HTTP client repeats in the header `Mcp-Param-NAME`, so that a proxy can
//! route a call without reading it.
//!
//! A client drops a tool whose annotations break the rules, and a server that read them otherwise than the client would
//! refuse every call. So a wrong one is an error here, before anybody sees it.

use std::collections::HashSet;

use serde_json::Value;

use super::Fault;
use super::parts::{self, About};
use crate::visible;

/// The keyword.
const KEYWORD: &str = "x-mcp-header";
/// A header's name, in bytes.
const NAME_BYTES: usize = 64;

/// Whether any parameter of a tool with this input schema is to stand in a header.
#[must_use]
pub fn asks_for_headers(input_schema: &Value) -> bool {
    let properties = input_schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .any(|(_, schema)| schema.get(KEYWORD).is_some() || asks_for_headers(schema))
}

/// Checks every annotation of a whole schema.
pub(super) fn check(root: &Value) -> Result<(), Fault> {
    if root.get(KEYWORD).is_some() {
        return Err(Fault::new(&format!("/{KEYWORD}"), "annotates a parameter, not all of them"));
    }
    below(root, "", true, &mut HashSet::new())
}

fn below(schema: &Value, place: &str, reached: bool, seen: &mut HashSet<String>) -> Result<(), Fault> {
    for part in parts::of(schema) {
        let at = format!("{place}{}", part.below);
        let reached = reached && matches!(part.about, About::Property(_));
        if let Some(name) = part.schema.get(KEYWORD).and_then(Value::as_str) {
            one(part.schema, name, reached, seen)
                .map_err(|message| Fault::new(&format!("{at}/{KEYWORD}"), message))?;
        }
        below(part.schema, &at, reached, seen)?;
    }
    Ok(())
}

fn one(schema: &Value, name: &str, reached: bool, seen: &mut HashSet<String>) -> Result<(), String> {
    if !reached {
        return Err("stands only on a property that `properties` alone lead to, from the top".to_owned());
    }
    // RFC 9110, section 5.6.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(is_token) {
        let found = visible::quoted(name, NAME_BYTES);
        return Err(format!(
            "{found} is no part of a header's name: 1 to {NAME_BYTES} letters, digits and `-`"
        ));
    }
    if !matches!(schema.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean")) {
        return Err("needs `\"type\": \"string\"`, `\"integer\"` or `\"boolean\"` beside it".to_owned());
    }
    if !seen.insert(name.to_ascii_lowercase()) {
        return Err(format!("`{name}` is the header of another parameter already"));
    }
    Ok(())
}

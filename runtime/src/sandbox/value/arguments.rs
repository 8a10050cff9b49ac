//! The text of a tool's arguments, read strictly: one JSON object, no key twice.
//!
//! `serde_json` keeps the last of two equal keys. A policy that read the first would have judged another call than the
//! one that ran.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::skill::Tool;
use crate::visible;

/// The largest text of arguments, in bytes. A list of small numbers takes fifty times its text as values.
const ARGUMENT_BYTES: usize = 2 << 20;

/// Arguments that do not fit the tool. The path says where: `args.limit`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ArgumentError {
    /// Where, such as `args.items[2].name`.
    pub path: String,
    /// What was expected and found. Values in it are quoted and escaped.
    pub message: String,
}

impl ArgumentError {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// Reads the text of a JSON object.
///
/// # Errors
///
/// It is too large, does not parse, is nested deeper than 128 levels, is no object, or has a key twice.
pub fn parse_arguments(text: &str) -> Result<Map<String, Value>, ArgumentError> {
    if text.len() > ARGUMENT_BYTES {
        return Err(ArgumentError::new(
            "args",
            format!("{} bytes, at most {ARGUMENT_BYTES} are taken", text.len()),
        ));
    }
    let value = parse_strictly(text).map_err(|error| {
        let what = if error.is_syntax() || error.is_eof() { "this is no JSON: " } else { "" };
        ArgumentError::new("args", format!("{what}{}", visible::line(&error.to_string())))
    })?;
    match value {
        Value::Object(map) => Ok(map),
        other => Err(ArgumentError::new("args", format!("expected an object, found {}", kind(&other)))),
    }
}

/// Reads `key=value` words. A value for a parameter that takes text is taken as it is; another is read as JSON.
///
/// # Errors
///
/// A word has no `=`, or a key stands twice.
pub fn parse_pairs<'a>(
    words: impl IntoIterator<Item = &'a str>,
    tool: Option<&Tool>,
) -> Result<Map<String, Value>, ArgumentError> {
    let mut map = Map::new();
    for word in words {
        let Some((key, text)) = word.split_once('=') else {
            return Err(ArgumentError::new(
                "args",
                format!("expected `key=value` or one JSON object, found {}", visible::quoted_target(word)),
            ));
        };
        let value = if takes_text(tool, key) {
            Value::from(text)
        } else {
            serde_json::from_str::<Strict>(text).map_or_else(|_| Value::from(text), |Strict(value)| value)
        };
        if map.insert(key.to_owned(), value).is_some() {
            return Err(ArgumentError::new(format!("args.{}", visible::line(key)), "given twice"));
        }
    }
    Ok(map)
}

/// Reads the text of a JSON value in which no object has a key twice.
///
/// # Errors
///
/// It does not parse, is nested deeper than 128 levels, or has a key twice.
pub(crate) fn parse_strictly(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).map(|Strict(value)| value)
}

/// Whether the schema of the parameter is a string, or an option of one.
fn takes_text(tool: Option<&Tool>, key: &str) -> bool {
    let Some(schema) = tool.and_then(|tool| tool.input_schema.pointer("/properties")?.get(key)) else {
        return false;
    };
    let is_string = |schema: &Value| match schema.get("type") {
        Some(Value::Array(types)) => {
            types.iter().any(|ty| ty == "string") && types.iter().all(|ty| ty == "string" || ty == "null")
        }
        ty => ty.is_some_and(|ty| ty == "string"),
    };
    is_string(schema)
        || schema.get("anyOf").and_then(Value::as_array).is_some_and(|any| any.iter().any(is_string))
}

pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => visible::quoted(text, 40),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A JSON value in which no object has a key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("key {} is given twice", visible::quoted(&key, 40))));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_given_twice_is_an_error_at_any_depth() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":[{"b":1,"b":1}]}"#] {
            assert!(parse_arguments(text).unwrap_err().message.contains("given twice"), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for text in ["", "[]", "1", "null", "{", r#"{"a":1}x"#, r#"{"a":1e400}"#, r#"{"a":NaN}"#] {
            assert!(parse_arguments(text).is_err(), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse_arguments(&deep).is_err());
    }

    #[test]
    fn pairs_are_text_or_json() {
        let map = parse_pairs(["path=/a=b", "limit=3", "all=true", "name=x"], None).unwrap();
        assert_eq!(
            Value::Object(map),
            serde_json::json!({"path": "/a=b", "limit": 3, "all": true, "name": "x"})
        );
        assert!(parse_pairs(["path"], None).is_err());
        assert!(parse_pairs(["a=1", "a=2"], None).is_err());
    }
}

//! Which keywords a file may use: those of draft 2020-12 that are enforced here, and the annotations that explain.
//!
//! JSON Schema lets a validator ignore what it does not know, so a misspelt `maximun` would promise a limit and set none.
//! Here an unknown keyword is an error, and so is one that the library or the budget would not carry.

use serde_json::Value;

use super::Fault;
use super::parts::{self, HOLDERS, Holds};
use crate::skill::schema;
use crate::spelling;
use crate::visible;

/// The one dialect.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// A description's length in bytes, as for those in `wit/`.
const DESCRIPTION_BYTES: usize = 1 << 10;
/// A pattern's length in bytes.
const PATTERN_BYTES: usize = 1_000;

/// Formats that are enforced. Each is decided in one pass over the text.
const FORMATS: &[&str] = &[
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "time",
    "uri",
    "uri-reference",
    "uuid",
];

/// What a keyword that holds no schema has as its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Dialect,
    Reference,
    Anchor,
    Types,
    Any,
    Values,
    Number,
    Count,
    Flag,
    Names,
    NamesByName,
    Description,
    Text,
    Pattern,
    Format,
    OnlyFalse,
    OnlyBase64,
    Header,
}

/// The keywords that hold no schema.
const PLAIN: &[(&str, Takes)] = &[
    ("$schema", Takes::Dialect),
    ("$ref", Takes::Reference),
    ("$anchor", Takes::Anchor),
    ("$comment", Takes::Text),
    ("title", Takes::Text),
    ("description", Takes::Description),
    ("default", Takes::Any),
    ("deprecated", Takes::Flag),
    ("examples", Takes::Values),
    ("type", Takes::Types),
    ("const", Takes::Any),
    ("enum", Takes::Values),
    ("multipleOf", Takes::Number),
    ("minimum", Takes::Number),
    ("exclusiveMinimum", Takes::Number),
    ("maximum", Takes::Number),
    ("exclusiveMaximum", Takes::Number),
    ("minLength", Takes::Count),
    ("maxLength", Takes::Count),
    ("pattern", Takes::Pattern),
    ("format", Takes::Format),
    ("contentEncoding", Takes::OnlyBase64),
    ("minItems", Takes::Count),
    ("maxItems", Takes::Count),
    ("uniqueItems", Takes::Flag),
    ("minContains", Takes::Count),
    ("maxContains", Takes::Count),
    ("minProperties", Takes::Count),
    ("maxProperties", Takes::Count),
    ("required", Takes::Names),
    ("dependentRequired", Takes::NamesByName),
    ("additionalProperties", Takes::OnlyFalse),
    ("x-mcp-header", Takes::Header),
];

/// Keywords that somebody may well write, and why they are not taken.
const REFUSED: &[(&str, &str)] = &[
    ("$id", "a tool's schema is known by its file; leave it out"),
    ("$dynamicRef", "use `$ref`"),
    ("$dynamicAnchor", "use `$anchor`"),
    ("$recursiveRef", "use `$ref`"),
    ("$vocabulary", "the dialect is draft 2020-12"),
    ("definitions", "draft 2020-12 calls it `$defs`"),
    ("dependencies", "draft 2020-12 calls it `dependentRequired` and `dependentSchemas`"),
    ("additionalItems", "draft 2020-12 calls it `items`, beside `prefixItems`"),
    ("nullable", "write `\"type\": [\"…\", \"null\"]`"),
    ("patternProperties", "WIT names every property; write it under `properties`"),
    ("propertyNames", "WIT names every property"),
    ("unevaluatedProperties", "nothing beyond what WIT names is ever taken"),
    ("unevaluatedItems", "write `items`, beside `prefixItems`"),
    ("contentMediaType", "nothing here looks into content; say it in `description`"),
    ("contentSchema", "nothing here looks into content; say it in `description`"),
];

/// Checks a whole file.
pub(super) fn check(root: &Value) -> Result<(), Fault> {
    if !root.is_object() {
        return Err(Fault::new("", "expected a JSON Schema, which is an object"));
    }
    if root.get("type").and_then(Value::as_str) != Some("object") {
        return Err(Fault::new("", "the arguments are an object: write `\"type\": \"object\"` at the top"));
    }
    visible_throughout(root, "")?;
    one(root, "")
}

fn one(schema: &Value, place: &str) -> Result<(), Fault> {
    let keywords = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(keywords) => keywords,
        other => return Err(Fault::new(place, format!("expected a schema, found {}", kind(other)))),
    };
    for (keyword, value) in keywords {
        let at = format!("{place}/{}", parts::escaped(keyword));
        if let Some((_, takes)) = PLAIN.iter().find(|(name, _)| name == keyword) {
            takes.check(value, place, &at)?;
        } else if let Some((_, holds, _)) = HOLDERS.iter().find(|(name, ..)| name == keyword) {
            let (is_held, wanted) = match holds {
                Holds::One => (true, "a schema"),
                Holds::List => (value.as_array().is_some_and(|list| !list.is_empty()), "a list of schemas"),
                Holds::Named => (value.is_object(), "an object of schemas"),
            };
            if !is_held {
                return Err(Fault::new(&at, format!("expected {wanted}, found {}", kind(value))));
            }
        } else {
            return Err(Fault::new(&at, unknown(keyword)));
        }
    }
    // Each of these says nothing without the other.
    for (keyword, needs) in
        [("then", "if"), ("else", "if"), ("minContains", "contains"), ("maxContains", "contains")]
    {
        if keywords.contains_key(keyword) && !keywords.contains_key(needs) {
            return Err(Fault::new(place, format!("`{keyword}` says nothing without `{needs}` beside it")));
        }
    }
    if keywords.contains_key("if") && !keywords.contains_key("then") && !keywords.contains_key("else") {
        return Err(Fault::new(place, "`if` says nothing without `then` or `else` beside it"));
    }
    parts::of(schema).iter().try_for_each(|part| one(part.schema, &format!("{place}{}", part.below)))
}

fn unknown(keyword: &str) -> String {
    if let Some((_, why)) = REFUSED.iter().find(|(name, _)| *name == keyword) {
        return format!("`{keyword}` is not enforced here, so it is not taken: {why}");
    }
    let known = PLAIN.iter().map(|(name, _)| *name).chain(HOLDERS.iter().map(|(name, ..)| *name));
    let found = visible::quoted(keyword, 40);
    match spelling::nearest(keyword, known) {
        Some(near) => format!("unknown keyword {found}; did you mean `{near}`?"),
        None => format!("unknown keyword {found}: nothing would enforce it"),
    }
}

impl Takes {
    fn check(self, value: &Value, place: &str, at: &str) -> Result<(), Fault> {
        let text = value.as_str();
        let names = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        let (is_taken, wanted) = match self {
            Self::Dialect if !place.is_empty() => (false, "`$schema` at the top only".to_owned()),
            Self::Dialect => (text == Some(DIALECT), format!("`{DIALECT}`")),
            Self::Anchor => (text.is_some_and(is_anchor), "a name of letters, digits, `-`, `_` and `.`".to_owned()),
            Self::Types => (is_types(value), "one of `null`, `boolean`, `integer`, `number`, `string`, `array`, `object`, or a list of them".to_owned()),
            Self::Any => (true, String::new()),
            Self::Values => (value.as_array().is_some_and(|list| !list.is_empty()), "a list of values".to_owned()),
            Self::Number => (value.is_number(), "a number".to_owned()),
            Self::Count => (value.is_u64(), "a whole number, 0 or more".to_owned()),
            Self::Flag => (value.is_boolean(), "true or false".to_owned()),
            Self::Names => (names(value), "a list of names".to_owned()),
            Self::NamesByName => {
                let held = value.as_object().is_some_and(|map| map.values().all(names));
                (held, "lists of names, by name".to_owned())
            }
            Self::Reference | Self::Text | Self::Header => (text.is_some(), "a text".to_owned()),
            Self::Description => (
                text.is_some_and(|text| text.len() <= DESCRIPTION_BYTES),
                format!("a text of at most {DESCRIPTION_BYTES} bytes"),
            ),
            Self::Pattern => (
                text.is_some_and(|text| text.len() <= PATTERN_BYTES),
                format!("a regular expression of at most {PATTERN_BYTES} bytes"),
            ),
            Self::Format => {
                (text.is_some_and(|text| FORMATS.contains(&text)), format!("one of the enforced formats: {}", FORMATS.join(", ")))
            }
            Self::OnlyFalse => (*value == Value::Bool(false), "false: nothing beyond what WIT names is taken".to_owned()),
            Self::OnlyBase64 => (text == Some("base64"), "`base64`".to_owned()),
        };
        if is_taken {
            Ok(())
        } else {
            Err(Fault::new(at, format!("expected {wanted}; found {}", kind(value))))
        }
    }
}

fn is_anchor(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
}

fn is_types(value: &Value) -> bool {
    let is_type = |value: &Value| {
        value.as_str().is_some_and(|name| {
            matches!(name, "null" | "boolean" | "integer" | "number" | "string" | "array" | "object")
        })
    };
    match value {
        Value::Array(list) => !list.is_empty() && list.iter().all(is_type),
        other => is_type(other),
    }
}

/// A model reads all of it, keys and examples too: what it reads is what a reviewer sees.
fn visible_throughout(value: &Value, place: &str) -> Result<(), Fault> {
    let seen = |text: &str, place: &str| {
        schema::check_text(text).map_err(|found| {
            Fault::new(place, format!("an invisible character, {}", visible::quoted(&found.to_string(), 1)))
        })
    };
    match value {
        Value::String(text) => seen(text, place),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| visible_throughout(item, &format!("{place}/{index}"))),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            seen(key, place)?;
            visible_throughout(value, &format!("{place}/{}", parts::escaped(key)))
        }),
        _ => Ok(()),
    }
}

/// A value as a message names it.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::String(text) => visible::quoted(text, 40),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => other.to_string(),
    }
}

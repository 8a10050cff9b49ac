//! The generated schema and the author's as one: what satisfies it satisfies both.
//!
//! The keywords of one schema all hold at once, so most of it is putting them side by side. Where both use the same keyword,
//! the narrower stands; where neither is narrower by itself, the generated one moves into `allOf`. No keyword of the author's
//! moves, so that the `$ref`s of the file lead where they led.

use serde_json::{Map, Value, json};

/// Both at once.
pub(super) fn of(generated: &Value, author: &Value) -> Value {
    let (generated, author) = match (generated, author) {
        (_, Value::Bool(false)) | (Value::Bool(false), _) => return Value::Bool(false),
        (_, Value::Object(author)) if generated.is_object() => (without_null(generated, author), author),
        (generated, Value::Bool(_)) => return generated.clone(),
        (_, author) => return author.clone(),
    };
    let mut both = generated.as_object().cloned().unwrap_or_default();
    let mut apart = Vec::new();
    for (keyword, ours) in author {
        let joined = match both.get(keyword) {
            None => ours.clone(),
            Some(theirs) => joined(keyword, theirs, ours).unwrap_or_else(|| {
                apart.push(json!({ keyword: theirs }));
                ours.clone()
            }),
        };
        both.insert(keyword.clone(), joined);
    }
    if !apart.is_empty()
        && let Value::Array(all) = both.entry("allOf").or_insert_with(|| Value::Array(Vec::new()))
    {
        all.extend(apart);
    }
    Value::Object(both)
}

/// An option whose author says a type, and not null, is what is in it.
fn without_null<'a>(generated: &'a Value, author: &Map<String, Value>) -> &'a Value {
    let says_no_null = match author.get("type") {
        None => false,
        Some(Value::Array(names)) => !names.iter().any(|name| name == "null"),
        Some(name) => name != "null",
    };
    match generated.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([inner, null]) if says_no_null && *null == json!({"type": "null"}) && inner.is_object() => inner,
        _ => generated,
    }
}

/// One value for a keyword that both have; none if the two have to stand apart.
fn joined(keyword: &str, generated: &Value, author: &Value) -> Option<Value> {
    Some(match keyword {
        "properties" => {
            let mut all = generated.as_object()?.clone();
            for (name, schema) in author.as_object()? {
                let both = all.get(name).map_or_else(|| schema.clone(), |theirs| of(theirs, schema));
                all.insert(name.clone(), both);
            }
            Value::Object(all)
        }
        "required" => {
            let mut all = generated.as_array()?.clone();
            all.extend(
                author
                    .as_array()?
                    .iter()
                    .filter(|name| !generated.as_array().is_some_and(|all| all.contains(name)))
                    .cloned(),
            );
            Value::Array(all)
        }
        "items" => of(generated, author),
        "prefixItems" => {
            let (theirs, ours) = (generated.as_array()?, author.as_array()?);
            let mut all: Vec<Value> =
                theirs.iter().zip(ours).map(|(theirs, ours)| of(theirs, ours)).collect();
            all.extend(theirs.iter().skip(ours.len()).cloned());
            Value::Array(all)
        }
        "minimum" | "minItems" | "minLength" => larger(generated, author, true),
        "maximum" | "maxItems" | "maxLength" => larger(generated, author, false),
        "uniqueItems" => Value::Bool(true),
        // Checked to be within what was generated, or free text, or the only value that there is.
        "type" | "enum" | "description" | "$schema" | "additionalProperties" | "contentEncoding" => {
            author.clone()
        }
        _ => return None,
    })
}

fn larger(one: &Value, other: &Value, wanted: bool) -> Value {
    let is_larger = one.as_f64() > other.as_f64();
    if is_larger == wanted { one.clone() } else { other.clone() }
}

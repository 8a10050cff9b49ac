//! A file says nothing that WIT contradicts: no property that is not there, no type that is never given, no limit that would
//! limit nothing. Each schema is held against what WIT takes at its place, through every `$ref`, branch and condition.
//!
//! What is found here would not let anything through: WIT is checked at every call. It would let a reviewer, or a model,
//! believe something that is not so.

use serde_json::{Map, Value};

use super::Fault;
use super::keywords::kind;
use super::parts::{self, About};
use super::references::Places;
use super::shape::{Kinds, Shape};
use crate::spelling;
use crate::visible;

/// Keywords that hold for one kind of value, and say nothing of others.
const ABOUT: &[(&str, Kinds)] = &[
    ("multipleOf", Kinds::NUMBERS),
    ("minimum", Kinds::NUMBERS),
    ("exclusiveMinimum", Kinds::NUMBERS),
    ("maximum", Kinds::NUMBERS),
    ("exclusiveMaximum", Kinds::NUMBERS),
    ("minLength", Kinds::TEXT),
    ("maxLength", Kinds::TEXT),
    ("pattern", Kinds::TEXT),
    ("format", Kinds::TEXT),
    ("minItems", Kinds::ARRAYS),
    ("maxItems", Kinds::ARRAYS),
    ("uniqueItems", Kinds::ARRAYS),
    ("items", Kinds::ARRAYS),
    ("prefixItems", Kinds::ARRAYS),
    ("contains", Kinds::ARRAYS),
    ("minProperties", Kinds::OBJECTS),
    ("maxProperties", Kinds::OBJECTS),
    ("required", Kinds::OBJECTS),
    ("properties", Kinds::OBJECTS),
    ("dependentRequired", Kinds::OBJECTS),
    ("dependentSchemas", Kinds::OBJECTS),
    ("additionalProperties", Kinds::OBJECTS),
];

/// Checks a file against the schema that was generated for its tool.
pub(super) fn check(author: &Value, generated: &Value) -> Result<(), Fault> {
    let places = Places::of(author)?;
    Reading { places: &places }.schema(author, "", &Shape::of(generated))?;
    defaults(author, generated)
}

struct Reading<'a> {
    places: &'a Places<'a>,
}

impl<'a> Reading<'a> {
    /// Never more than what [`super::references`] has counted.
    fn schema(&self, schema: &'a Value, place: &str, shape: &Shape<'_>) -> Result<(), Fault> {
        let Value::Object(keywords) = schema else { return Ok(()) };
        types(keywords, place, shape)?;
        values(keywords, place, shape)?;
        names(keywords, place, shape)?;
        for part in parts::of(schema) {
            let at = format!("{place}{}", part.below);
            match part.about {
                About::Nothing => {}
                About::Itself => self.schema(part.schema, &at, shape)?,
                About::Items => self.schema(part.schema, &at, &shape.items())?,
                About::Item(index) => match shape.item(index) {
                    Some(shape) => self.schema(part.schema, &at, &shape)?,
                    None => return Err(Fault::new(&at, "WIT has no item at this position")),
                },
                About::Property(name) => match shape.property(name) {
                    Some(shape) => self.schema(part.schema, &at, &shape)?,
                    None => return Err(Fault::new(&at, unknown(name, &shape.names()))),
                },
            }
        }
        match self.places.target(schema, place)? {
            Some((at, target)) => self.schema(target, &at, shape),
            None => Ok(()),
        }
    }
}

fn types(keywords: &Map<String, Value>, place: &str, shape: &Shape<'_>) -> Result<(), Fault> {
    let taken = shape.kinds();
    if let Some(named) = keywords.get("type")
        && !Kinds::named(named).is_within(taken)
    {
        return Err(Fault::new(
            &format!("{place}/type"),
            format!(
                "WIT takes {taken} here, and never {}; name no other",
                Kinds::named(named).without(taken)
            ),
        ));
    }
    if keywords.contains_key("contentEncoding") && !shape.has_bytes() {
        return Err(Fault::new(
            &format!("{place}/contentEncoding"),
            "WIT takes text here and not bytes (`list<u8>`), and looks at no encoding of it",
        ));
    }
    for (keyword, about) in ABOUT.iter().filter(|(keyword, _)| keywords.contains_key(*keyword)) {
        if !about.meets(shape.meant()) {
            return Err(Fault::new(
                &format!("{place}/{keyword}"),
                format!("WIT takes {} here, of which `{keyword}` says nothing", shape.meant()),
            ));
        }
        let says_number = keywords.get("type").is_some_and(|named| !Kinds::named(named).meets(Kinds::TEXT));
        if *about == Kinds::NUMBERS && shape.has_words_for_numbers() && !says_number {
            return Err(Fault::new(
                &format!("{place}/{keyword}"),
                format!(
                    "`{keyword}` would let \"NaN\" and \"Infinity\" pass; write `\"type\": \"number\"` beside it"
                ),
            ));
        }
    }
    Ok(())
}

fn values(keywords: &Map<String, Value>, place: &str, shape: &Shape<'_>) -> Result<(), Fault> {
    for keyword in ["const", "default", "enum", "examples"] {
        let Some(held) = keywords.get(keyword) else { continue };
        let one = std::slice::from_ref(held);
        let listed = if matches!(keyword, "enum" | "examples") {
            held.as_array().map_or(one, Vec::as_slice)
        } else {
            one
        };
        if let Some(odd) = shape.never_taken(listed) {
            let words = shape.words();
            let near = odd.as_str().and_then(|word| spelling::nearest(word, words.iter().copied()));
            let help = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return Err(Fault::new(
                &format!("{place}/{keyword}"),
                format!("WIT takes {} here, and never {}{help}", shape.kinds(), kind(odd)),
            ));
        }
    }
    Ok(())
}

/// Properties that are named without a schema.
fn names(keywords: &Map<String, Value>, place: &str, shape: &Shape<'_>) -> Result<(), Fault> {
    let known = shape.names();
    let named = |list: &Value| {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut lists: Vec<(String, Vec<String>)> = Vec::new();
    if let Some(list) = keywords.get("required") {
        lists.push(("/required".to_owned(), named(list)));
    }
    for keyword in ["dependentRequired", "dependentSchemas"] {
        for (name, held) in keywords.get(keyword).and_then(Value::as_object).into_iter().flatten() {
            lists.push((format!("/{keyword}"), vec![name.clone()]));
            lists.push((format!("/{keyword}/{}", parts::escaped(name)), named(held)));
        }
    }
    for (below, names) in lists {
        if let Some(odd) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(Fault::new(&format!("{place}{below}"), unknown(odd, &known)));
        }
    }
    Ok(())
}

fn unknown(name: &str, known: &[&str]) -> String {
    let found = visible::quoted(name, 40);
    match spelling::nearest(name, known.iter().copied()) {
        Some(near) => format!("WIT has no {found} here; did you mean `{near}`?"),
        None if known.is_empty() => format!("WIT has no {found} here; it takes no properties"),
        None => format!("WIT has no {found} here; it has `{}`", known.join("`, `")),
    }
}

/// Nothing fills a default in: it can only tell what the tool does when an optional parameter is left out.
fn defaults(author: &Value, generated: &Value) -> Result<(), Fault> {
    let required = generated.get("required").and_then(Value::as_array);
    for (name, schema) in author.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
        if is_required && schema.get("default").is_some() {
            return Err(Fault::new(
                &format!("/properties/{}/default", parts::escaped(name)),
                "WIT requires this parameter, and nothing fills a default in; make it an `option`, or leave `default` out",
            ));
        }
    }
    Ok(())
}

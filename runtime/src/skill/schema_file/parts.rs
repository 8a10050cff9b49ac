//! The schemas that stand directly inside a schema, each with its place and with what it is about. The one list of keywords
//! that hold schemas: whatever walks a schema walks it by this.

use serde_json::Value;

/// What a part is held against, seen from the value that the whole is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About<'a> {
    /// The same value.
    Itself,
    /// A property of it.
    Property(&'a str),
    /// Its items.
    Items,
    /// One of its items, by position.
    Item(usize),
    /// Nothing by itself: a definition.
    Nothing,
}

/// One part.
pub(super) struct Part<'a> {
    /// The keyword, and the key or position in it, as the end of a JSON pointer.
    pub(super) below: String,
    pub(super) about: About<'a>,
    pub(super) schema: &'a Value,
}

/// How a keyword holds schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// One.
    One,
    /// A list.
    List,
    /// By name.
    Named,
}

/// The keywords that hold schemas. Beside `Property` and `Item` no name or position is meant.
pub(super) const HOLDERS: &[(&str, Holds, About<'static>)] = &[
    ("$defs", Holds::Named, About::Nothing),
    ("properties", Holds::Named, About::Property("")),
    ("dependentSchemas", Holds::Named, About::Itself),
    ("allOf", Holds::List, About::Itself),
    ("anyOf", Holds::List, About::Itself),
    ("oneOf", Holds::List, About::Itself),
    ("not", Holds::One, About::Itself),
    ("if", Holds::One, About::Itself),
    ("then", Holds::One, About::Itself),
    ("else", Holds::One, About::Itself),
    ("items", Holds::One, About::Items),
    ("contains", Holds::One, About::Items),
    ("prefixItems", Holds::List, About::Item(0)),
];

/// The parts of a schema, in the order of [`HOLDERS`]. What is of another form than its keyword wants is passed over; that
/// is [`super::keywords`]' to refuse.
pub(super) fn of(schema: &Value) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for (keyword, holds, about) in HOLDERS {
        let Some(held) = schema.get(keyword) else { continue };
        match holds {
            Holds::One => parts.push(Part { below: format!("/{keyword}"), about: *about, schema: held }),
            Holds::List => {
                parts.extend(held.as_array().into_iter().flatten().enumerate().map(|(index, schema)| {
                    let about = if let About::Item(_) = about { About::Item(index) } else { *about };
                    Part { below: format!("/{keyword}/{index}"), about, schema }
                }))
            }
            Holds::Named => parts.extend(held.as_object().into_iter().flatten().map(|(name, schema)| {
                let about = if let About::Property(_) = about { About::Property(name) } else { *about };
                Part { below: format!("/{keyword}/{}", escaped(name)), about, schema }
            })),
        }
    }
    parts
}

/// A key as a segment of a JSON pointer (RFC 6901).
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

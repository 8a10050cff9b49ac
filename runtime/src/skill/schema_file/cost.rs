//! What it would take to hold arguments against a schema, counted before it is done.
//!
//! The library has no budget of its own, and a few bytes of a file can ask for a lot: two thousand branches for each of half
//! a million items, or a pattern that looks at every byte of a megabyte a thousand times. The count walks schema and
//! arguments side by side as the library will at most, and gives up when it has counted enough.

use std::collections::HashMap;

use serde_json::Value;

use super::Fault;
use super::parts::{self, About};
use super::references::Places;

/// Steps of one check; a step is a few nanoseconds. This many take half a second at worst, where the library is slowest.
pub(super) const STEPS: u64 = 100_000_000;
/// What a check takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steps {
    /// Schemas held against a value.
    pub(super) visits: u64,
    /// Everything.
    pub(super) all: u64,
}

/// Steps for one schema at one value.
const VISIT: u64 = 10;

/// A schema as the count walks it: each schema once, a `$ref` as one more part.
#[derive(Debug, Clone)]
pub(super) struct Costs {
    schemas: Vec<Cost>,
    root: usize,
}

#[derive(Debug, Clone, Default)]
struct Cost {
    /// For any value: keywords, and bytes of `enum`.
    fixed: u64,
    /// For each byte of a text.
    a_byte: u64,
    itself: Vec<usize>,
    properties: Vec<(String, usize)>,
    items: Vec<usize>,
    item: Vec<usize>,
    is_unique: bool,
}

impl Costs {
    /// Of a whole schema. `pattern` tells how many steps a pattern takes a byte.
    pub(super) fn of(root: &Value, mut pattern: impl FnMut(&str) -> Option<u64>) -> Result<Self, Fault> {
        let places = Places::of(root)?;
        let mut making =
            Making { places: &places, pattern: &mut pattern, schemas: Vec::new(), known: HashMap::new() };
        let root = making.schema(root, "")?;
        Ok(Self { schemas: making.schemas, root })
    }

    /// How many steps these arguments take; none if more than [`STEPS`].
    pub(super) fn steps(&self, arguments: &Value) -> Option<Steps> {
        let mut steps = Steps { visits: 0, all: 0 };
        self.spend(self.root, arguments, &mut steps)?;
        Some(steps)
    }

    fn spend(&self, schema: usize, value: &Value, steps: &mut Steps) -> Option<()> {
        let cost = self.schemas.get(schema)?;
        let own = match value {
            Value::String(text) => (text.len() as u64).saturating_mul(cost.a_byte),
            Value::Array(items) if cost.is_unique => size(value).saturating_mul(VISIT) + items.len() as u64,
            _ => 0,
        };
        steps.visits += 1;
        steps.all = steps.all.saturating_add(cost.fixed.saturating_add(own));
        if steps.all > STEPS {
            return None;
        }
        for part in &cost.itself {
            self.spend(*part, value, steps)?;
        }
        match value {
            Value::Object(map) => {
                for (name, part) in &cost.properties {
                    if let Some(value) = map.get(name) {
                        self.spend(*part, value, steps)?;
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    for part in cost.items.iter().chain(cost.item.get(index)) {
                        self.spend(*part, item, steps)?;
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

/// Values in a value.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<u64>(),
        Value::Object(map) => 1 + map.values().map(size).sum::<u64>(),
        Value::String(text) => 1 + text.len() as u64 / 8,
        _ => 1,
    }
}

struct Making<'a, 'p> {
    places: &'a Places<'a>,
    pattern: &'p mut dyn FnMut(&str) -> Option<u64>,
    schemas: Vec<Cost>,
    known: HashMap<String, usize>,
}

impl<'a> Making<'a, '_> {
    fn schema(&mut self, schema: &'a Value, place: &str) -> Result<usize, Fault> {
        if let Some(known) = self.known.get(place) {
            return Ok(*known);
        }
        let mut cost = Cost { fixed: VISIT, ..Cost::default() };
        if let Value::Object(keywords) = schema {
            let values = ["enum", "const", "required", "dependentRequired"]
                .iter()
                .filter_map(|keyword| keywords.get(*keyword));
            cost.fixed += keywords.len() as u64 * VISIT + values.map(size).sum::<u64>();
            cost.a_byte = u64::from(keywords.contains_key("minLength") || keywords.contains_key("maxLength"));
            cost.a_byte += if keywords.contains_key("format") { 4 } else { 0 };
            if let Some(text) = keywords.get("pattern").and_then(Value::as_str) {
                let steps = (self.pattern)(text);
                cost.a_byte += steps.ok_or_else(|| {
                    Fault::new(
                        &format!("{place}/pattern"),
                        "is no regular expression that is taken: one without look-around and back-references, and not too large",
                    )
                })?;
            }
            cost.is_unique = keywords.get("uniqueItems") == Some(&Value::Bool(true));
        }
        for part in parts::of(schema) {
            if part.about == About::Nothing {
                continue;
            }
            let index = self.schema(part.schema, &format!("{place}{}", part.below))?;
            match part.about {
                About::Itself | About::Nothing => cost.itself.push(index),
                About::Property(name) => cost.properties.push((name.to_owned(), index)),
                About::Items => cost.items.push(index),
                About::Item(_) => cost.item.push(index),
            }
        }
        if let Some((place, target)) = self.places.target(schema, place)? {
            cost.itself.push(self.schema(target, &place)?);
        }
        self.schemas.push(cost);
        let index = self.schemas.len() - 1;
        self.known.insert(place.to_owned(), index);
        Ok(index)
    }
}

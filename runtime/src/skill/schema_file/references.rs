//! `$ref`s: every one leads to a schema of the same file, none in a circle, and all of it followed stays small.
//!
//! Following is what costs: sixteen definitions that each name the next one twice are 65,536 schemas to hold against one
//! value, and a circle has no end. WIT types are finite, so an honest file needs neither.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Fault;
use super::parts::{self, About};
use crate::visible;

/// Schemas of one file, each `$ref` counted as what it leads to. As many as a generated schema may have.
const FOLLOWED: u64 = 2_000;
/// What a pattern counts: each is compiled.
const PATTERN: u64 = 20;
/// Values of `enum`, names of `required` and the like count one for so many.
const LISTED: u64 = 10;
/// Schemas within schemas, followed. The library recurses as deep.
const DEPTH: u32 = 48;

/// The schemas of a file by where they stand.
pub(super) struct Places<'a> {
    by_pointer: BTreeMap<String, &'a Value>,
    anchors: HashMap<&'a str, String>,
}

impl<'a> Places<'a> {
    pub(super) fn of(root: &'a Value) -> Result<Self, Fault> {
        let mut places = Self { by_pointer: BTreeMap::new(), anchors: HashMap::new() };
        places.add(root, String::new())?;
        Ok(places)
    }

    fn add(&mut self, schema: &'a Value, place: String) -> Result<(), Fault> {
        if let Some(anchor) = schema.get("$anchor").and_then(Value::as_str)
            && self.anchors.insert(anchor, place.clone()).is_some()
        {
            return Err(Fault::new(&place, format!("the anchor `{anchor}` stands at two places")));
        }
        for part in parts::of(schema) {
            self.add(part.schema, format!("{place}{}", part.below))?;
        }
        self.by_pointer.insert(place, schema);
        Ok(())
    }

    /// Where a schema's `$ref` leads, and to what. None if it has none.
    pub(super) fn target(
        &self,
        schema: &'a Value,
        place: &str,
    ) -> Result<Option<(String, &'a Value)>, Fault> {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return Ok(None) };
        let at = format!("{place}/$ref");
        let shown = visible::quoted_target(reference);
        let Some(fragment) = reference.strip_prefix('#') else {
            return Err(Fault::new(
                &at,
                format!("{shown} leads out of this file, and nothing is ever fetched; copy it to `$defs`"),
            ));
        };
        let pointer = if fragment.is_empty() || fragment.starts_with('/') {
            Some(fragment.to_owned())
        } else {
            self.anchors.get(fragment).cloned()
        };
        // Only to what was read as a schema: in the middle of an `enum` or an example nothing was checked.
        match pointer.and_then(|pointer| self.by_pointer.get(&pointer).map(|target| (pointer, *target))) {
            Some(found) => Ok(Some(found)),
            None => Err(Fault::new(&at, format!("there is no schema at {shown} in this file"))),
        }
    }
}

/// Checks all `$ref`s of a file.
pub(super) fn check(root: &Value) -> Result<(), Fault> {
    let places = Places::of(root)?;
    let mut sizes = Sizes { places: &places, known: HashMap::new() };
    // Definitions that nothing names too.
    for (place, schema) in &places.by_pointer {
        places.target(schema, place)?;
    }
    for part in parts::of(root).into_iter().filter(|part| part.about == About::Nothing) {
        sizes.of(part.schema, &part.below, 1)?;
    }
    sizes.of(root, "", 1).map(|_| ())
}

#[derive(Clone, Copy)]
struct Size {
    schemas: u64,
    depth: u32,
}

struct Sizes<'a> {
    places: &'a Places<'a>,
    /// None while it is being measured: who comes back to it has gone in a circle.
    known: HashMap<String, Option<Size>>,
}

impl<'a> Sizes<'a> {
    fn of(&mut self, schema: &'a Value, place: &str, above: u32) -> Result<Size, Fault> {
        match self.known.get(place) {
            Some(None) => return Err(Fault::new(place, "its `$ref`s go in a circle; WIT types do not")),
            Some(Some(size)) => return within(*size, place, above),
            None => {}
        }
        if above > DEPTH {
            return Err(too_deep(place));
        }
        self.known.insert(place.to_owned(), None);
        let pattern = if schema.get("pattern").is_some() { PATTERN } else { 0 };
        let listed =
            ["enum", "examples", "required"].iter().filter_map(|keyword| schema.get(keyword)?.as_array());
        let listed = listed.map(|list| list.len() as u64).sum::<u64>() / LISTED;
        let mut size = Size { schemas: 1 + pattern + listed, depth: 1 };
        let inside = parts::of(schema).into_iter().filter(|part| part.about != About::Nothing);
        let mut inside: Vec<(String, &Value)> =
            inside.map(|part| (format!("{place}{}", part.below), part.schema)).collect();
        inside.extend(self.places.target(schema, place)?);
        for (place, schema) in inside {
            let one = self.of(schema, &place, above + 1)?;
            size.schemas = size.schemas.saturating_add(one.schemas);
            size.depth = size.depth.max(one.depth + 1);
        }
        self.known.insert(place.to_owned(), Some(size));
        within(size, place, above)
    }
}

fn within(size: Size, place: &str, above: u32) -> Result<Size, Fault> {
    if size.schemas > FOLLOWED {
        return Err(Fault::new(
            place,
            format!(
                "with every `$ref` followed it has more than {FOLLOWED} schemas (a pattern counts {PATTERN}, {LISTED} values of a list one)"
            ),
        ));
    }
    if above + size.depth > DEPTH + 1 { Err(too_deep(place)) } else { Ok(size) }
}

fn too_deep(place: &str) -> Fault {
    Fault::new(place, format!("with every `$ref` followed its schemas are nested more than {DEPTH} deep"))
}

//! What WIT takes at a place, read back from the schema that was generated from the types ([`crate::skill::schema`]): the
//! alternatives of an option or a variant side by side.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Kinds of JSON values, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u8);

const NAMES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

impl Kinds {
    pub(super) const NUMBERS: Self = Self(0b0000_1100);
    pub(super) const TEXT: Self = Self(0b0001_0000);
    pub(super) const ARRAYS: Self = Self(0b0010_0000);
    pub(super) const OBJECTS: Self = Self(0b0100_0000);
    const NONE: Self = Self(0);

    /// Of a keyword `type`: a name or a list of names. `number` holds `integer`.
    pub(super) fn named(names: &Value) -> Self {
        match names {
            Value::Array(list) => list.iter().fold(Self::NONE, |all, name| all.or(Self::named(name))),
            Value::String(name) if name == "number" => Self::NUMBERS,
            Value::String(name) => {
                NAMES.iter().position(|known| known == name).map_or(Self::NONE, |at| Self(1 << at))
            }
            _ => Self::NONE,
        }
    }

    /// Of a value.
    fn of(value: &Value) -> Self {
        Self(match value {
            Value::Null => 1,
            Value::Bool(_) => 1 << 1,
            Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => 1 << 2,
            Value::Number(_) => 1 << 3,
            Value::String(_) => 1 << 4,
            Value::Array(_) => 1 << 5,
            Value::Object(_) => 1 << 6,
        })
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_within(self, other: Self) -> bool {
        self.without(other) == Self::NONE
    }
}

impl std::fmt::Display for Kinds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_number = Self::NUMBERS.is_within(*self);
        let has = |at: usize| self.0 & (1 << at) != 0 && !(is_number && NAMES.get(at) == Some(&"integer"));
        let names: Vec<String> = NAMES
            .iter()
            .enumerate()
            .filter(|(at, _)| has(*at))
            .map(|(_, name)| format!("`{name}`"))
            .collect();
        formatter.write_str(&names.join(" or "))
    }
}

/// The alternatives at a place. None of them: nothing is known of the place.
#[derive(Debug, Clone)]
pub(super) struct Shape<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Shape<'a> {
    /// Of a generated schema.
    pub(super) fn of(generated: &'a Value) -> Self {
        let mut leaves = Vec::new();
        flatten(generated, &mut leaves);
        Self(leaves)
    }

    /// What JSON values WIT takes here.
    pub(super) fn kinds(&self) -> Kinds {
        self.0.iter().fold(Kinds::NONE, |all, leaf| all.or(kinds(leaf)))
    }

    /// What the values mean: a 64-bit integer spelled as text is a number all the same, and `"NaN"` is none that a limit
    /// could hold for.
    pub(super) fn meant(&self) -> Kinds {
        let is_number = self.kinds().meets(Kinds::NUMBERS);
        self.0.iter().fold(Kinds::NONE, |all, leaf| {
            let kinds = kinds(leaf);
            let only_spelling = is_number && kinds.meets(Kinds::TEXT);
            all.or(if only_spelling { kinds.without(Kinds::TEXT) } else { kinds })
        })
    }

    /// Whether a number here may be spelled `"NaN"` or `"Infinity"`: a limit for numbers says nothing of those.
    pub(super) fn has_words_for_numbers(&self) -> bool {
        self.0
            .iter()
            .any(|leaf| leaf.get("enum").is_some_and(|words| words.get(0) == Some(&Value::from("NaN"))))
    }

    /// Whether bytes are taken here, which are written in base64.
    pub(super) fn has_bytes(&self) -> bool {
        self.0.iter().any(|leaf| leaf.contains_key("contentEncoding"))
    }

    /// The names of properties, if an object is taken here.
    pub(super) fn names(&self) -> Vec<&'a str> {
        self.objects().flat_map(|properties| properties.keys().map(String::as_str)).collect()
    }

    pub(super) fn property(&self, name: &str) -> Option<Self> {
        let mut found = Vec::new();
        self.objects().filter_map(|properties| properties.get(name)).for_each(|one| flatten(one, &mut found));
        (!found.is_empty()).then_some(Self(found))
    }

    fn objects(&self) -> impl Iterator<Item = &'a Map<String, Value>> {
        self.0.iter().filter_map(|leaf| leaf.get("properties").and_then(Value::as_object))
    }

    /// Any item, if an array is taken here.
    pub(super) fn items(&self) -> Self {
        let mut found = Vec::new();
        for leaf in &self.0 {
            for one in leaf.get("prefixItems").and_then(Value::as_array).into_iter().flatten() {
                flatten(one, &mut found);
            }
            if let Some(one @ Value::Object(_)) = leaf.get("items") {
                flatten(one, &mut found);
            }
        }
        Self(found)
    }

    /// The item at a position; none where WIT has no such position.
    pub(super) fn item(&self, index: usize) -> Option<Self> {
        let mut found = Vec::new();
        for leaf in &self.0 {
            let at = leaf.get("prefixItems").map_or(leaf.get("items"), |tuple| tuple.get(index));
            if let Some(one @ Value::Object(_)) = at {
                flatten(one, &mut found);
            }
        }
        (!found.is_empty()).then_some(Self(found))
    }

    /// The first value that WIT never takes here, as far as its kind and, for an enumerated word, its spelling tell.
    pub(super) fn never_taken<'v>(&self, values: &'v [Value]) -> Option<&'v Value> {
        let is_word = |leaf: &Map<String, Value>| leaf.contains_key("enum") || leaf.contains_key("const");
        let free = self.0.iter().filter(|leaf| !is_word(leaf));
        let free = free.fold(Kinds::NONE, |all, leaf| all.or(kinds(leaf)));
        // A set: the author of the file may be that of the component, whose types may have ten thousand words.
        let words: HashSet<&str> = self.words().into_iter().collect();
        let is_taken = |value: &&Value| {
            Kinds::of(value).is_within(free) || value.as_str().is_some_and(|word| words.contains(word))
        };
        values.iter().find(|value| !is_taken(value))
    }

    /// The words that are taken here, where only certain ones are.
    pub(super) fn words(&self) -> Vec<&'a str> {
        let words = self.0.iter().flat_map(|leaf| {
            let several = leaf.get("enum").and_then(Value::as_array).into_iter().flatten();
            several.chain(leaf.get("const"))
        });
        words.filter_map(Value::as_str).collect()
    }
}

fn flatten<'a>(generated: &'a Value, leaves: &mut Vec<&'a Map<String, Value>>) {
    let Value::Object(map) = generated else { return };
    match map.get("anyOf").or_else(|| map.get("oneOf")).and_then(Value::as_array) {
        Some(alternatives) => alternatives.iter().for_each(|one| flatten(one, leaves)),
        None => leaves.push(map),
    }
}

fn kinds(leaf: &Map<String, Value>) -> Kinds {
    let values = || leaf.get("enum").and_then(Value::as_array).into_iter().flatten().chain(leaf.get("const"));
    match leaf.get("type") {
        Some(names) => Kinds::named(names),
        None => values().fold(Kinds::NONE, |all, value| all.or(Kinds::of(value))),
    }
}

//! A tool's schema, compiled once, and held against the arguments of each call.
//!
//! Patterns run on the engine that never backtracks. `format` is enforced, and only formats that can be. No `$ref` is ever
//! fetched: there is nothing built in that could, and [`super::references`] has refused every one that would need it.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Value, json};

use super::Fault;
use super::cost::{Costs, STEPS, Steps};
use super::keywords;
use crate::sandbox::value::ArgumentError;
use crate::visible;

/// A pattern's sizes compiled, in bytes, and how many steps each takes a byte at worst: one for a state, of which one is about
/// 32 bytes. Larger ones are refused.
const PATTERNS: &[(usize, u64)] = &[(2 << 10, 32), (8 << 10, 128), (64 << 10, 1_024)];
/// Up to so many visits, and steps, an argument that does not fit is looked for by name: the library lists every reason of every
/// branch on the way, a few hundred bytes each.
const EXPLAINED: Steps = Steps { visits: 20_000, all: 10_000_000 };
/// So many steps are a millisecond at worst.
const SLOW: u64 = 200_000;
/// What the library says, in characters.
const REASON_CHARACTERS: usize = 200;

/// A schema that arguments are held against. Clones share it.
#[derive(Clone)]
pub(crate) struct EnforcedSchema(Arc<Inner>);

struct Inner {
    document: Value,
    validator: Validator,
    costs: Costs,
    file: String,
}

impl EnforcedSchema {
    /// Compiles the generated schema and the author's, joined.
    /// `file` is the path of the file that says it, for messages.
    pub(super) fn compile(document: Value, file: &str) -> Result<Self, Fault> {
        let mut known = HashMap::new();
        let costs = Costs::of(&document, |pattern| {
            *known.entry(pattern.to_owned()).or_insert_with(|| steps(pattern))
        })?;
        let largest = PATTERNS.last().map_or(0, |(size, _)| *size);
        let validator = options(largest)
            .build(&document)
            .map_err(|error| Fault::new(error.instance_path().as_str(), reason(&error)))?;
        Ok(Self(Arc::new(Inner { document, validator, costs, file: file.to_owned() })))
    }

    /// The schema as clients are shown it.
    pub(super) fn document(&self) -> &Value {
        &self.0.document
    }

    /// Whether holding arguments against it takes longer than whoever asks should wait, who has others to serve.
    pub(crate) fn is_slow(&self, arguments: &Value) -> bool {
        self.0.costs.steps(arguments).is_none_or(|steps| steps.all > SLOW)
    }

    /// Holds arguments, an object, against the schema.
    ///
    /// # Errors
    ///
    /// The first place that does not fit.
    pub(crate) fn check(&self, arguments: &Value) -> Result<(), ArgumentError> {
        let Inner { validator, costs, file, .. } = &*self.0;
        let Some(steps) = costs.steps(arguments) else {
            return Err(ArgumentError::new(
                "args",
                format!("too large to be held against `{file}`, which would take more than {STEPS} steps"),
            ));
        };
        if steps.visits > EXPLAINED.visits || steps.all > EXPLAINED.all {
            let fits = validator.is_valid(arguments);
            return if fits {
                Ok(())
            } else {
                Err(ArgumentError::new("args", format!("do not fit `{file}` in the skill")))
            };
        }
        validator.validate(arguments).map_err(|error| {
            let found = keywords::kind(error.instance());
            ArgumentError::new(
                path(error.instance_path().as_str()),
                format!("{}, found {found} (`{file}` in the skill)", reason(&error)),
            )
        })
    }
}

fn options(pattern_bytes: usize) -> jsonschema::ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(pattern_bytes))
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .offline()
}

/// Steps a byte of a pattern; none if it is too large or does not compile.
fn steps(pattern: &str) -> Option<u64> {
    let schema = json!({ "pattern": pattern });
    PATTERNS.iter().find(|(size, _)| options(*size).build(&schema).is_ok()).map(|(_, steps)| *steps)
}

/// What the library says, without the value, cut and escaped.
fn reason(error: &ValidationError<'_>) -> String {
    let text = error.masked_with("the value").to_string();
    let mut characters = text.chars();
    let cut: String = characters.by_ref().take(REASON_CHARACTERS).collect();
    let rest = if characters.next().is_some() { "…" } else { "" };
    visible::line(&format!("{cut}{rest}"))
}

/// A JSON pointer into the arguments as other messages name places: `args.items[2].name`.
fn path(pointer: &str) -> String {
    let mut path = "args".to_owned();
    for segment in pointer.split('/').skip(1) {
        if segment.bytes().all(|byte| byte.is_ascii_digit()) && !segment.is_empty() {
            path.push_str(&format!("[{segment}]"));
        } else {
            path.push_str(&format!(".{}", visible::line(&segment.replace("~1", "/").replace("~0", "~"))));
        }
    }
    path
}

//! WIT types as JSON Schema (draft 2020-12): what a model is told about a tool's arguments and result.
//!
//! The rows are those of the JSON table in the design; [`crate::sandbox::value`] converts by the same table.

use serde_json::{Map, Value, json};
use wit_parser::{Docs, Function, Resolve, Type, TypeDefKind, TypeId};

use crate::visible;

/// Schema nodes of one tool. Types share parts, a schema repeats them: sixteen records that each use the next one
/// twice would make 65,536.
const NODES: u32 = 2_000;

/// Whether doc comments go into the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Documentation {
    /// As `description`.
    Kept,
    /// Not: for comparing two worlds.
    Left,
}

/// Why a function cannot be called with JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unrepresentable {
    /// JSON has nothing like it.
    #[error("its types hold a {0}, which JSON cannot say")]
    Kind(&'static str),
    /// Over [`NODES`].
    #[error("its types are too large to describe")]
    TooLarge,
    /// A doc comment that hides something.
    #[error("a doc comment of its types holds an invisible character")]
    Invisible,
}

/// The schemas of a function's arguments and of its result.
pub(crate) fn of_function(
    resolve: &Resolve,
    function: &Function,
    documentation: Documentation,
) -> Result<(Value, Value), Unrepresentable> {
    let mut builder = Builder { resolve, documentation, left: NODES };
    let mut properties = Map::new();
    let mut required = Vec::new();
    for param in &function.params {
        if !builder.is_option(param.ty) {
            required.push(Value::from(param.name.as_str()));
        }
        properties.insert(param.name.clone(), builder.schema(param.ty)?);
    }
    let input = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let output = match function.result {
        None => json!({"type": "null"}),
        Some(ty) => match builder.result_payload(ty) {
            Some(Some(ok)) => builder.schema(ok)?,
            Some(None) => json!({"type": "null"}),
            None => builder.schema(ty)?,
        },
    };
    Ok((input, output))
}

/// The first character of a doc comment that a reader could not see.
pub(crate) fn check_text(text: &str) -> Result<(), char> {
    match text
        .chars()
        .find(|character| visible::is_invisible(*character) && !matches!(character, '\n' | '\t'))
    {
        Some(found) => Err(found),
        None => Ok(()),
    }
}

struct Builder<'a> {
    resolve: &'a Resolve,
    documentation: Documentation,
    left: u32,
}

impl Builder<'_> {
    fn schema(&mut self, ty: Type) -> Result<Value, Unrepresentable> {
        self.left = self.left.checked_sub(1).ok_or(Unrepresentable::TooLarge)?;
        let integer =
            |minimum: i64, maximum: i64| json!({"type": "integer", "minimum": minimum, "maximum": maximum});
        Ok(match ty {
            Type::Bool => json!({"type": "boolean"}),
            Type::U8 => integer(0, u8::MAX.into()),
            Type::U16 => integer(0, u16::MAX.into()),
            Type::U32 => integer(0, u32::MAX.into()),
            Type::S8 => integer(i8::MIN.into(), i8::MAX.into()),
            Type::S16 => integer(i16::MIN.into(), i16::MAX.into()),
            Type::S32 => integer(i32::MIN.into(), i32::MAX.into()),
            Type::U64 => json!({"type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$"}),
            Type::S64 => json!({"type": ["integer", "string"], "pattern": "^-?[0-9]+$"}),
            Type::F32 | Type::F64 => {
                json!({"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]})
            }
            Type::Char => json!({"type": "string", "minLength": 1, "maxLength": 1}),
            Type::String => json!({"type": "string"}),
            Type::ErrorContext => return Err(Unrepresentable::Kind("error-context")),
            Type::Id(id) => self.defined(id)?,
        })
    }

    fn defined(&mut self, id: TypeId) -> Result<Value, Unrepresentable> {
        let resolve = self.resolve;
        let Some(definition) = resolve.types.get(id) else {
            return Err(Unrepresentable::Kind("unknown type"));
        };
        let schema = match &definition.kind {
            TypeDefKind::Type(ty) => self.schema(*ty)?,
            TypeDefKind::Record(record) => {
                let mut properties = Map::new();
                let mut required = Vec::new();
                for field in &record.fields {
                    if !self.is_option(field.ty) {
                        required.push(Value::from(field.name.as_str()));
                    }
                    let schema = self.schema(field.ty)?;
                    properties.insert(field.name.clone(), self.described(schema, &field.docs)?);
                }
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
            }
            TypeDefKind::Flags(flags) => {
                let names: Vec<&str> = flags.flags.iter().map(|flag| flag.name.as_str()).collect();
                json!({"type": "array", "items": {"enum": names}, "uniqueItems": true})
            }
            TypeDefKind::Tuple(tuple) => {
                let items = tuple.types.iter().map(|ty| self.schema(*ty)).collect::<Result<Vec<_>, _>>()?;
                json!({"type": "array", "prefixItems": items, "items": false, "minItems": items.len()})
            }
            TypeDefKind::Variant(variant) => {
                let mut cases = Vec::new();
                for case in &variant.cases {
                    let schema = match case.ty {
                        None => json!({"const": case.name}),
                        Some(ty) => one_property(&case.name, self.schema(ty)?),
                    };
                    cases.push(self.described(schema, &case.docs)?);
                }
                json!({"oneOf": cases})
            }
            TypeDefKind::Enum(kinds) => {
                let names: Vec<&str> = kinds.cases.iter().map(|case| case.name.as_str()).collect();
                json!({"type": "string", "enum": names})
            }
            TypeDefKind::Option(inner) if self.is_option(*inner) => {
                let some = self.schema(*inner)?;
                json!({"anyOf": [one_property("some", some), {"type": "null"}]})
            }
            TypeDefKind::Option(inner) => json!({"anyOf": [self.schema(*inner)?, {"type": "null"}]}),
            TypeDefKind::Result(result) => {
                let ok = result.ok.map_or_else(|| Ok(json!({"type": "null"})), |ty| self.schema(ty))?;
                let err = result.err.map_or_else(|| Ok(json!({"type": "null"})), |ty| self.schema(ty))?;
                json!({"oneOf": [one_property("ok", ok), one_property("err", err)]})
            }
            TypeDefKind::List(Type::U8) => json!({"type": "string", "contentEncoding": "base64"}),
            TypeDefKind::List(ty) => json!({"type": "array", "items": self.schema(*ty)?}),
            other => return Err(Unrepresentable::Kind(other.as_str())),
        };
        self.described(schema, &definition.docs)
    }

    fn described(&self, mut schema: Value, docs: &Docs) -> Result<Value, Unrepresentable> {
        if self.documentation == Documentation::Kept
            && let Some(text) = &docs.contents
            && let Value::Object(map) = &mut schema
            && !map.contains_key("description")
        {
            check_text(text).map_err(|_| Unrepresentable::Invisible)?;
            let text: String = text.trim().chars().take(1_024).collect();
            map.insert("description".to_owned(), text.into());
        }
        Ok(schema)
    }

    /// Follows aliases.
    fn kind(&self, ty: Type) -> Option<&TypeDefKind> {
        let Type::Id(id) = ty else { return None };
        match &self.resolve.types.get(id)?.kind {
            TypeDefKind::Type(inner) => self.kind(*inner),
            kind => Some(kind),
        }
    }

    fn is_option(&self, ty: Type) -> bool {
        matches!(self.kind(ty), Some(TypeDefKind::Option(_)))
    }

    fn result_payload(&self, ty: Type) -> Option<Option<Type>> {
        match self.kind(ty) {
            Some(TypeDefKind::Result(result)) => Some(result.ok),
            _ => None,
        }
    }
}

fn one_property(name: &str, schema: Value) -> Value {
    json!({"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": false})
}

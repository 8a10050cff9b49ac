//! WIT values into JSON, counted as they are made: a result over the limit is an error, never a cut value.

use base64::Engine as _;
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

/// What a tool returned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Returned {
    /// Its value; null for none.
    Value(Value),
    /// The `err` of its `result`.
    ToolError(Value),
}

/// The result is larger than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Converts what a tool returned, spending at most `limit` bytes of JSON. The type tells an empty `list<u8>` from
/// other empty lists.
pub(crate) fn result_to_json(result: Option<(&Val, &Type)>, limit: u64) -> Result<Returned, TooLarge> {
    let mut budget = Budget { left: limit };
    Ok(match result {
        None => Returned::Value(Value::Null),
        Some((Val::Result(Ok(value)), ty)) => Returned::Value(budget.payload(value.as_deref(), &ok_of(ty))?),
        Some((Val::Result(Err(value)), ty)) => {
            Returned::ToolError(budget.payload(value.as_deref(), &err_of(ty))?)
        }
        Some((value, ty)) => Returned::Value(budget.json(value, ty)?),
    })
}

// A value is of its type, so the fallbacks below are never met; `bool` stands for "nothing special".

fn ok_of(ty: &Type) -> Type {
    if let Type::Result(result) = ty { result.ok().unwrap_or(Type::Bool) } else { Type::Bool }
}

fn err_of(ty: &Type) -> Type {
    if let Type::Result(result) = ty { result.err().unwrap_or(Type::Bool) } else { Type::Bool }
}

fn item_of(ty: &Type) -> Type {
    match ty {
        Type::List(list) => list.ty(),
        Type::Option(option) => option.ty(),
        _ => Type::Bool,
    }
}

fn case_of(ty: &Type, name: &str) -> Type {
    let Type::Variant(variant) = ty else { return Type::Bool };
    variant.cases().find(|case| case.name == name).and_then(|case| case.ty).unwrap_or(Type::Bool)
}

struct Budget {
    left: u64,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(TooLarge)?;
        Ok(())
    }

    fn payload(&mut self, value: Option<&Val>, ty: &Type) -> Result<Value, TooLarge> {
        value.map_or(Ok(Value::Null), |value| self.json(value, ty))
    }

    fn text(&mut self, text: &str) -> Result<String, TooLarge> {
        // Escapes count: a control character is six bytes of JSON.
        let escaped: usize = text.bytes().map(|byte| if byte < 0x20 || byte == 0x7f { 6 } else { 1 }).sum();
        self.spend(escaped + 2)?;
        Ok(text.to_owned())
    }

    fn number(&mut self, number: impl Into<Number>) -> Result<Value, TooLarge> {
        self.spend(8)?;
        Ok(Value::Number(number.into()))
    }

    fn one(&mut self, name: &str, value: Value) -> Result<Value, TooLarge> {
        let mut object = Map::new();
        object.insert(self.text(name)?, value);
        Ok(Value::Object(object))
    }

    fn json(&mut self, value: &Val, ty: &Type) -> Result<Value, TooLarge> {
        match value {
            Val::Bool(value) => self.spend(5).map(|()| Value::Bool(*value)),
            Val::S8(n) => self.number(*n),
            Val::U8(n) => self.number(*n),
            Val::S16(n) => self.number(*n),
            Val::U16(n) => self.number(*n),
            Val::S32(n) => self.number(*n),
            Val::U32(n) => self.number(*n),
            Val::S64(n) if n.unsigned_abs() > super::EXACT => self.text(&n.to_string()).map(Value::String),
            Val::S64(n) => self.number(*n),
            Val::U64(n) if *n > super::EXACT => self.text(&n.to_string()).map(Value::String),
            Val::U64(n) => self.number(*n),
            // Through the shortest text, so that 0.1 stays 0.1 and not 0.10000000149011612.
            Val::Float32(n) => self.float(n.to_string().parse().unwrap_or(f64::from(*n))),
            Val::Float64(n) => self.float(*n),
            Val::Char(character) => self.text(character.encode_utf8(&mut [0; 4])).map(Value::String),
            Val::String(text) | Val::Enum(text) => self.text(text).map(Value::String),
            Val::List(items) | Val::FixedLengthList(items) => {
                let item_type = item_of(ty);
                if item_type == Type::U8 {
                    return self.base64(items);
                }
                self.spend(2 + items.len())?;
                items
                    .iter()
                    .map(|item| self.json(item, &item_type))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            Val::Tuple(items) => {
                self.spend(2 + items.len())?;
                let types: Vec<Type> =
                    if let Type::Tuple(tuple) = ty { tuple.types().collect() } else { Vec::new() };
                let items = items.iter().zip(types);
                items.map(|(item, ty)| self.json(item, &ty)).collect::<Result<_, _>>().map(Value::Array)
            }
            Val::Record(fields) => {
                self.spend(2)?;
                let Type::Record(record) = ty else { return Ok(Value::Null) };
                let mut object = Map::new();
                for ((name, value), field) in fields.iter().zip(record.fields()) {
                    object.insert(self.text(name)?, self.json(value, &field.ty)?);
                }
                Ok(Value::Object(object))
            }
            Val::Variant(name, None) => self.text(name).map(Value::String),
            Val::Variant(name, Some(value)) => {
                let value = self.json(value, &case_of(ty, name))?;
                self.one(name, value)
            }
            Val::Option(None) => self.spend(4).map(|()| Value::Null),
            Val::Option(Some(value)) if matches!(**value, Val::Option(_)) => {
                let value = self.json(value, &item_of(ty))?;
                self.one("some", value)
            }
            Val::Option(Some(value)) => self.json(value, &item_of(ty)),
            Val::Result(Ok(value)) => {
                let value = self.payload(value.as_deref(), &ok_of(ty))?;
                self.one("ok", value)
            }
            Val::Result(Err(value)) => {
                let value = self.payload(value.as_deref(), &err_of(ty))?;
                self.one("err", value)
            }
            Val::Flags(names) => {
                self.spend(2)?;
                names
                    .iter()
                    .map(|name| self.text(name).map(Value::String))
                    .collect::<Result<_, _>>()
                    .map(Value::Array)
            }
            // Inspection offers no tool whose types hold these.
            Val::Map(_) | Val::Resource(_) | Val::Future(_) | Val::Stream(_) | Val::ErrorContext(_) => {
                self.spend(4).map(|()| Value::Null)
            }
        }
    }

    fn base64(&mut self, items: &[Val]) -> Result<Value, TooLarge> {
        self.spend(items.len().saturating_mul(4) / 3 + 4)?;
        let byte = |item: &Val| if let Val::U8(byte) = item { Some(*byte) } else { None };
        let bytes: Vec<u8> = items.iter().filter_map(byte).collect();
        Ok(base64::engine::general_purpose::STANDARD.encode(bytes).into())
    }

    fn float(&mut self, value: f64) -> Result<Value, TooLarge> {
        match Number::from_f64(value) {
            Some(number) => self.number(number),
            None if value.is_nan() => self.text("NaN").map(Value::String),
            None if value > 0.0 => self.text("Infinity").map(Value::String),
            None => self.text("-Infinity").map(Value::String),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_integers_are_strings_and_floats_are_short() {
        let cases = [
            (Val::U64(1 << 53), Type::U64, serde_json::json!(9_007_199_254_740_992_u64)),
            (Val::U64((1 << 53) + 1), Type::U64, serde_json::json!("9007199254740993")),
            (Val::S64(i64::MIN), Type::S64, serde_json::json!("-9223372036854775808")),
            (Val::Float32(0.1), Type::Float32, serde_json::json!(0.1)),
            (Val::Float64(f64::NAN), Type::Float64, serde_json::json!("NaN")),
            (Val::Float64(f64::NEG_INFINITY), Type::Float64, serde_json::json!("-Infinity")),
        ];
        for (value, ty, expected) in cases {
            assert_eq!(result_to_json(Some((&value, &ty)), 1_000), Ok(Returned::Value(expected)));
        }
    }

    #[test]
    fn a_result_over_the_limit_is_refused() {
        let text = Val::String("x".repeat(100));
        assert!(result_to_json(Some((&text, &Type::String)), 102).is_ok());
        assert_eq!(result_to_json(Some((&text, &Type::String)), 101), Err(TooLarge));
        let escaped = Val::String("\u{0}".repeat(100));
        assert_eq!(result_to_json(Some((&escaped, &Type::String)), 500), Err(TooLarge));
    }
}

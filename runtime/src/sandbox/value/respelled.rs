//! Arguments in the one spelling that a skill cannot tell from any other: an option that is null is absent, a 64-bit integer
//! is a number, however it was written.
//!
//! A schema judges spellings. Without this, `"200"` would pass a `maximum` of 100 and null would satisfy `required`, and the
//! skill would see 200 and nothing.

use serde_json::{Map, Value};
use wasmtime::component::types::Type;

/// The arguments in that spelling; none if they are in it. They have been converted before, so they are of these types.
pub(crate) fn respelled<'a>(
    arguments: &Map<String, Value>,
    params: impl Iterator<Item = (&'a str, Type)>,
) -> Option<Map<String, Value>> {
    let params: Vec<(&str, Type)> = params.collect();
    object(arguments, params.iter().map(|(name, ty)| (*name, ty)))
}

fn object<'a>(
    given: &Map<String, Value>,
    fields: impl Iterator<Item = (&'a str, &'a Type)>,
) -> Option<Map<String, Value>> {
    let mut changed: Option<Map<String, Value>> = None;
    for (name, ty) in fields {
        let Some(value) = given.get(name) else { continue };
        if value.is_null() && matches!(ty, Type::Option(_)) {
            changed.get_or_insert_with(|| given.clone()).shift_remove(name);
        } else if let Some(value) = one(value, ty) {
            changed.get_or_insert_with(|| given.clone()).insert(name.to_owned(), value);
        }
    }
    changed
}

fn one(value: &Value, ty: &Type) -> Option<Value> {
    match (ty, value) {
        (Type::U64, Value::String(text)) => text.parse::<u64>().ok().map(Value::from),
        (Type::S64, Value::String(text)) => text.parse::<i64>().ok().map(Value::from),
        (Type::Option(option), Value::Object(map)) if matches!(option.ty(), Type::Option(_)) => {
            payload(map, "some", Some(&option.ty()))
        }
        (Type::Option(option), _) if !value.is_null() => one(value, &option.ty()),
        (Type::List(list), Value::Array(items)) => {
            let ty = list.ty();
            array(items, std::iter::repeat_n(ty, items.len()))
        }
        (Type::Tuple(tuple), Value::Array(items)) => array(items, tuple.types()),
        (Type::Record(record), Value::Object(map)) => {
            let fields: Vec<_> = record.fields().collect();
            object(map, fields.iter().map(|field| (field.name, &field.ty))).map(Value::Object)
        }
        (Type::Variant(variant), Value::Object(map)) => {
            let name = map.keys().next()?;
            let case = variant.cases().find(|case| case.name == name)?;
            match case.ty {
                Some(ty) => payload(map, name, Some(&ty)),
                None => Some(Value::from(name.as_str())),
            }
        }
        (Type::Result(result), Value::Object(map)) => {
            payload(map, "ok", result.ok().as_ref()).or_else(|| payload(map, "err", result.err().as_ref()))
        }
        _ => None,
    }
}

fn array(items: &[Value], types: impl Iterator<Item = Type>) -> Option<Value> {
    let mut changed: Option<Vec<Value>> = None;
    for (index, (item, ty)) in items.iter().zip(types).enumerate() {
        if let Some(value) = one(item, &ty)
            && let Some(place) = changed.get_or_insert_with(|| items.to_vec()).get_mut(index)
        {
            *place = value;
        }
    }
    changed.map(Value::Array)
}

/// `{"case": value}` with the value respelled.
fn payload(map: &Map<String, Value>, name: &str, ty: Option<&Type>) -> Option<Value> {
    let value = one(map.get(name)?, ty?)?;
    let mut changed = Map::new();
    changed.insert(name.to_owned(), value);
    Some(Value::Object(changed))
}

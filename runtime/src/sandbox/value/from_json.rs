//! JSON into WIT values, by the component's own types.

use base64::Engine as _;
use serde_json::{Map, Number, Value};
use wasmtime::component::Val;
use wasmtime::component::types::Type;

use super::arguments::{ArgumentError, kind};
use crate::visible;

/// The arguments in the order of the parameters.
///
/// # Errors
///
/// The first argument that is missing, unknown or of another type, with its path.
pub(crate) fn arguments_to_values<'a>(
    arguments: &Map<String, Value>,
    params: impl Iterator<Item = (&'a str, Type)>,
) -> Result<Vec<Val>, ArgumentError> {
    let params: Vec<(&str, Type)> = params.collect();
    known_keys("args", arguments, params.iter().map(|(name, _)| *name))?;
    params.iter().map(|(name, ty)| field("args", arguments, name, ty)).collect()
}

fn known_keys<'a>(
    path: &str,
    object: &Map<String, Value>,
    mut names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), ArgumentError> {
    for key in object.keys() {
        let mut all = names.clone();
        if !names.clone().any(|name| name == key) {
            let near = all.find(|name| strsim::normalized_damerau_levenshtein(name, key) >= 0.6);
            let help = match near {
                Some(near) => format!("; did you mean `{near}`?"),
                None => format!("; expected {}", list(names.by_ref())),
            };
            return Err(ArgumentError::new(
                format!("{path}.{}", visible::line(key)),
                format!("unknown{help}"),
            ));
        }
    }
    Ok(())
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { "nothing".to_owned() } else { quoted.join(", ") }
}

fn field(path: &str, object: &Map<String, Value>, name: &str, ty: &Type) -> Result<Val, ArgumentError> {
    let path = format!("{path}.{name}");
    match (object.get(name), ty) {
        (Some(value), _) => value_of(&path, value, ty),
        (None, Type::Option(_)) => Ok(Val::Option(None)),
        (None, _) => Err(ArgumentError::new(path, format!("missing; expected {}", name_of(ty)))),
    }
}

fn value_of(path: &str, value: &Value, ty: &Type) -> Result<Val, ArgumentError> {
    let wrong = || ArgumentError::new(path, format!("expected {}, found {}", name_of(ty), kind(value)));
    let signed = |minimum: i64, maximum: i64| {
        signed(value).filter(|n| (minimum..=maximum).contains(n)).ok_or_else(wrong)
    };
    let unsigned = |maximum: u64| unsigned(value).filter(|n| *n <= maximum).ok_or_else(wrong);
    let text = || value.as_str().ok_or_else(wrong);
    let array = || value.as_array().ok_or_else(wrong);
    let cast = |_| wrong();
    Ok(match ty {
        Type::Bool => Val::Bool(value.as_bool().ok_or_else(wrong)?),
        Type::S8 => Val::S8(i8::try_from(signed(i8::MIN.into(), i8::MAX.into())?).map_err(cast)?),
        Type::S16 => Val::S16(i16::try_from(signed(i16::MIN.into(), i16::MAX.into())?).map_err(cast)?),
        Type::S32 => Val::S32(i32::try_from(signed(i32::MIN.into(), i32::MAX.into())?).map_err(cast)?),
        Type::S64 => Val::S64(match value {
            Value::String(text) => decimal(text).ok_or_else(wrong)?,
            _ => signed(i64::MIN, i64::MAX)?,
        }),
        Type::U8 => Val::U8(u8::try_from(unsigned(u8::MAX.into())?).map_err(cast)?),
        Type::U16 => Val::U16(u16::try_from(unsigned(u16::MAX.into())?).map_err(cast)?),
        Type::U32 => Val::U32(u32::try_from(unsigned(u32::MAX.into())?).map_err(cast)?),
        Type::U64 => Val::U64(match value {
            Value::String(text) => decimal(text).ok_or_else(wrong)?,
            _ => unsigned(u64::MAX)?,
        }),
        Type::Float32 => {
            let wide = float(value).ok_or_else(wrong)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "rounding to f32 is what the type means; overflow is refused"
            )]
            let narrow = wide as f32;
            if narrow.is_infinite() && wide.is_finite() {
                return Err(wrong());
            }
            Val::Float32(narrow)
        }
        Type::Float64 => Val::Float64(float(value).ok_or_else(wrong)?),
        Type::Char => {
            let mut characters = text()?.chars();
            match (characters.next(), characters.next()) {
                (Some(one), None) => Val::Char(one),
                _ => return Err(wrong()),
            }
        }
        Type::String => Val::String(text()?.to_owned()),
        Type::List(list) if list.ty() == Type::U8 => Val::List(bytes(path, text()?)?),
        Type::List(list) => {
            let ty = list.ty();
            let items = array()?.iter().enumerate();
            Val::List(
                items
                    .map(|(i, item)| value_of(&format!("{path}[{i}]"), item, &ty))
                    .collect::<Result<_, _>>()?,
            )
        }
        Type::Record(record) => {
            let object = value.as_object().ok_or_else(wrong)?;
            let fields: Vec<_> = record.fields().collect();
            known_keys(path, object, fields.iter().map(|field| field.name))?;
            let values = fields
                .iter()
                .map(|each| Ok((each.name.to_owned(), field(path, object, each.name, &each.ty)?)));
            Val::Record(values.collect::<Result<_, ArgumentError>>()?)
        }
        Type::Tuple(tuple) => {
            let (items, types) = (array()?, tuple.types());
            if items.len() != types.len() {
                return Err(ArgumentError::new(
                    path,
                    format!("expected {} items, found {}", types.len(), items.len()),
                ));
            }
            let values = items.iter().zip(types).enumerate();
            Val::Tuple(
                values
                    .map(|(i, (item, ty))| value_of(&format!("{path}[{i}]"), item, &ty))
                    .collect::<Result<_, _>>()?,
            )
        }
        Type::Variant(variant) => {
            let (name, payload) = case(value).ok_or_else(wrong)?;
            let Some(case) = variant.cases().find(|case| case.name == name) else {
                let names: Vec<String> = variant.cases().map(|case| format!("`{}`", case.name)).collect();
                return Err(ArgumentError::new(
                    path,
                    format!("expected one of {}, found {}", names.join(", "), kind(value)),
                ));
            };
            let path = format!("{path}.{name}");
            match (case.ty, payload) {
                (None, None | Some(Value::Null)) => Val::Variant(name.to_owned(), None),
                (Some(ty), Some(payload)) => {
                    Val::Variant(name.to_owned(), Some(Box::new(value_of(&path, payload, &ty)?)))
                }
                (Some(ty), None) => {
                    return Err(ArgumentError::new(path, format!("missing; expected {}", name_of(&ty))));
                }
                (None, Some(_)) => return Err(ArgumentError::new(path, "this case has no value")),
            }
        }
        Type::Enum(names) => {
            let name = text()?;
            if !names.names().any(|known| known == name) {
                return Err(ArgumentError::new(
                    path,
                    format!("expected one of {}, found {}", list(names.names()), kind(value)),
                ));
            }
            Val::Enum(name.to_owned())
        }
        Type::Option(option) => {
            let inner = option.ty();
            match value {
                Value::Null => Val::Option(None),
                Value::Object(object) if matches!(inner, Type::Option(_)) => {
                    known_keys(path, object, ["some"].into_iter())?;
                    let some = object
                        .get("some")
                        .ok_or_else(|| ArgumentError::new(path, "expected `some` or null"))?;
                    Val::Option(Some(Box::new(value_of(&format!("{path}.some"), some, &inner)?)))
                }
                _ if matches!(inner, Type::Option(_)) => {
                    return Err(ArgumentError::new(
                        path,
                        "expected `{\"some\": …}` or null for a nested option",
                    ));
                }
                _ => Val::Option(Some(Box::new(value_of(path, value, &inner)?))),
            }
        }
        Type::Result(result) => match case(value).ok_or_else(wrong)? {
            ("ok", payload) => Val::Result(Ok(payload_of(&format!("{path}.ok"), payload, result.ok())?)),
            ("err", payload) => Val::Result(Err(payload_of(&format!("{path}.err"), payload, result.err())?)),
            _ => return Err(wrong()),
        },
        Type::Flags(flags) => {
            let mut set = Vec::new();
            for item in array()? {
                let name = item.as_str().ok_or_else(wrong)?;
                if !flags.names().any(|known| known == name) {
                    return Err(ArgumentError::new(
                        path,
                        format!("expected some of {}, found {}", list(flags.names()), kind(item)),
                    ));
                }
                if set.iter().any(|known| known == name) {
                    return Err(ArgumentError::new(path, format!("`{name}` is given twice")));
                }
                set.push(name.to_owned());
            }
            Val::Flags(set)
        }
        _ => return Err(ArgumentError::new(path, "this type cannot be given as JSON")),
    })
}

/// `"case"`, or `{"case": value}` with that one key.
fn case(value: &Value) -> Option<(&str, Option<&Value>)> {
    match value {
        Value::String(name) => Some((name, None)),
        Value::Object(object) if object.len() == 1 => {
            object.iter().next().map(|(name, payload)| (name.as_str(), Some(payload)))
        }
        _ => None,
    }
}

fn payload_of(
    path: &str,
    payload: Option<&Value>,
    ty: Option<Type>,
) -> Result<Option<Box<Val>>, ArgumentError> {
    match (payload, ty) {
        (None | Some(Value::Null), None) => Ok(None),
        (Some(payload), Some(ty)) => Ok(Some(Box::new(value_of(path, payload, &ty)?))),
        (None, Some(ty)) => Err(ArgumentError::new(path, format!("missing; expected {}", name_of(&ty)))),
        (Some(_), None) => Err(ArgumentError::new(path, "has no value")),
    }
}

fn bytes(path: &str, text: &str) -> Result<Vec<Val>, ArgumentError> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| ArgumentError::new(path, format!("expected base64: {error}")))?;
    Ok(bytes.into_iter().map(Val::U8).collect())
}

/// An integer, also one written as `3.0`, as long as nothing is lost.
fn unsigned(value: &Value) -> Option<u64> {
    let number = value.as_number()?;
    number.as_u64().or_else(|| whole(number).and_then(|n| u64::try_from(n).ok()))
}

fn signed(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| whole(number))
}

fn whole(number: &Number) -> Option<i64> {
    let float = number.is_f64().then(|| number.as_f64()).flatten()?;
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let exact = super::EXACT as f64;
    // Not 2^53 itself: 9007199254740993.0 is read as that too.
    #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
    (float.fract() == 0.0 && float.abs() < exact).then_some(float as i64)
}

/// A decimal integer and nothing else: no plus, no spaces, no leading zeros.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    (plain && text != "-0").then(|| text.parse().ok()).flatten()
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

fn name_of(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::S8 => "s8".into(),
        Type::U8 => "u8".into(),
        Type::S16 => "s16".into(),
        Type::U16 => "u16".into(),
        Type::S32 => "s32".into(),
        Type::U32 => "u32".into(),
        Type::S64 => "s64".into(),
        Type::U64 => "u64".into(),
        Type::Float32 => "f32".into(),
        Type::Float64 => "f64".into(),
        Type::Char => "one character".into(),
        Type::String => "string".into(),
        Type::List(list) if list.ty() == Type::U8 => "base64 string".into(),
        Type::List(list) => format!("list of {}", name_of(&list.ty())),
        Type::Record(_) => "object".into(),
        Type::Tuple(tuple) => format!("array of {} items", tuple.types().len()),
        Type::Variant(_) => "`\"case\"` or `{\"case\": value}`".into(),
        Type::Enum(names) => format!("one of {}", list(names.names())),
        Type::Option(option) => format!("{} or null", name_of(&option.ty())),
        Type::Result(_) => "`{\"ok\": …}` or `{\"err\": …}`".into(),
        Type::Flags(_) => "array of names".into(),
        _ => "a type that JSON cannot say".into(),
    }
}

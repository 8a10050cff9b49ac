//! A shape as a component in the text format: one that imports a function with a parameter of that type, and so has the
//! type and nothing to compile.

use std::fmt::Write as _;

use super::shape::{NAMES, Shape};

/// The component.
pub(super) fn component(shape: &Shape) -> String {
    let mut text = String::from("(component\n");
    let mut named = 0;
    let ty = reference(shape, &mut text, &mut named);
    let _ = write!(text, "  (import \"f\" (func (param \"value\" {ty})))\n)");
    text
}

/// How the type is named where it is used. Records, variants, enums and flags have to be imported by a name before.
fn reference(shape: &Shape, text: &mut String, named: &mut usize) -> String {
    let mut of = |shape: &Shape| reference(shape, text, named);
    let names = |count: &usize| NAMES[..*count].iter().map(|name| format!(" \"{name}\"")).collect::<String>();
    let definition = match shape {
        Shape::Bool => return "bool".to_owned(),
        Shape::Char => return "char".to_owned(),
        Shape::Text => return "string".to_owned(),
        Shape::Integer(bytes, signed) => return format!("{}{}", if *signed { 's' } else { 'u' }, bytes * 8),
        Shape::Float(wide) => return if *wide { "f64" } else { "f32" }.to_owned(),
        Shape::List(item) => return format!("(list {})", of(item)),
        Shape::Option(item) => return format!("(option {})", of(item)),
        Shape::Tuple(types) => {
            let types: String = types.iter().map(|ty| format!(" {}", of(ty))).collect();
            return format!("(tuple{types})");
        }
        Shape::Result(ok, err) => {
            let ok = ok.as_ref().map(|ok| format!(" {}", of(ok))).unwrap_or_default();
            let err = err.as_ref().map(|err| format!(" (error {})", of(err))).unwrap_or_default();
            return format!("(result{ok}{err})");
        }
        Shape::Record(fields) => {
            let fields = fields.iter().zip(NAMES).map(|(ty, name)| format!(" (field \"{name}\" {})", of(ty)));
            format!("(record{})", fields.collect::<String>())
        }
        Shape::Variant(cases) => {
            let cases = cases.iter().zip(NAMES).map(|(case, name)| {
                let payload = case.as_ref().map(|ty| format!(" {}", of(ty))).unwrap_or_default();
                format!(" (case \"{name}\"{payload})")
            });
            format!("(variant{})", cases.collect::<String>())
        }
        Shape::Enum(count) => format!("(enum{})", names(count)),
        Shape::Flags(count) => format!("(flags{})", names(count)),
    };
    let number = *named;
    *named += 1;
    let _ = writeln!(
        text,
        "  (type $t{number} {definition})\n  (import \"t{number}\" (type $n{number} (eq $t{number})))"
    );
    format!("$n{number}")
}

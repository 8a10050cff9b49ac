//! A WIT type in prefix notation, of which every text is one, and what it means that two JSON values are the same by it.
//!
//! `b` bool, `c` char, `s` string, `1 2 4 8` and `! @ $ *` unsigned and signed integers by their bytes, `f d` floats; `L`
//! list, `O` option; `T R V E F` tuple, record, variant, enum, flags, each with a digit for its length; `X` result. `.`
//! in a variant or a result is nothing.

use serde_json::Value;

/// Levels and nodes of a generated type.
const DEEP: usize = 6;
const NODES: usize = 40;
/// Names of fields, cases and flags.
pub(super) const NAMES: [&str; 9] = ["a", "b", "c", "ok", "err", "some", "e-f", "g", "h1"];

/// A type.
#[derive(Debug)]
pub(super) enum Shape {
    Bool,
    Char,
    Text,
    /// Bytes, and whether it has a sign.
    Integer(u32, bool),
    /// Whether it is the wide one.
    Float(bool),
    List(Box<Shape>),
    Option(Box<Shape>),
    Tuple(Vec<Shape>),
    Record(Vec<Shape>),
    Variant(Vec<Option<Shape>>),
    Enum(usize),
    Flags(usize),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
}

struct Reader<'a> {
    left: std::str::Chars<'a>,
    nodes: usize,
}

impl Shape {
    /// Reads a notation. A result at the top would be the tool's own, so it stands in a tuple.
    pub(super) fn read(notation: &str) -> Self {
        let mut reader = Reader { left: notation.chars(), nodes: 0 };
        match reader.shape(0) {
            result @ Self::Result(..) => Self::Tuple(vec![result]),
            other => other,
        }
    }

    /// Whether two JSON values are one of this type.
    pub(super) fn same(&self, given: &Value, back: &Value) -> bool {
        match self {
            Self::Bool | Self::Char | Self::Text | Self::Enum(_) => given == back,
            Self::Integer(bytes, signed) => {
                let (given, back) = (integer(given), integer(back));
                let bits = bytes * 8;
                let fits = |n: i128| {
                    if *signed {
                        (-(1 << (bits - 1))..1 << (bits - 1)).contains(&n)
                    } else {
                        (0..1 << bits).contains(&n)
                    }
                };
                given.is_some_and(|given| fits(given) && back == Some(given))
            }
            Self::Float(wide) => match (given.as_f64(), back.as_f64()) {
                (Some(given), Some(back)) if *wide => given.to_bits() == back.to_bits(),
                #[expect(clippy::cast_possible_truncation, reason = "rounding is what the type means")]
                (Some(given), Some(back)) => (given as f32).to_bits() == (back as f32).to_bits(),
                _ => given.is_string() && given == back,
            },
            // Base64 has one spelling.
            Self::List(item) if matches!(**item, Self::Integer(1, false)) => {
                given.is_string() && given == back
            }
            Self::List(item) => items(given, back, |_| Some(item)),
            Self::Tuple(types) => items(given, back, |at| types.get(at)),
            Self::Option(_) if given.is_null() => back.is_null(),
            Self::Option(inner) if matches!(**inner, Self::Option(_)) => {
                member("some", given, back, Some(inner))
            }
            Self::Option(inner) => inner.same(given, back),
            Self::Record(fields) => {
                let (Some(given), Some(back)) = (given.as_object(), back.as_object()) else { return false };
                let known = |name: &String| NAMES[..fields.len()].contains(&name.as_str());
                given.keys().all(known)
                    && back.len() == fields.len()
                    && fields.iter().zip(NAMES).all(|(field, name)| match (given.get(name), back.get(name)) {
                        (Some(given), Some(back)) => field.same(given, back),
                        (None, Some(back)) => matches!(field, Self::Option(_)) && back.is_null(),
                        _ => false,
                    })
            }
            Self::Variant(cases) => {
                cases.iter().zip(NAMES).any(|(case, name)| case_is_same(name, given, back, case.as_ref()))
            }
            Self::Flags(count) => {
                let (Some(given), Some(back)) = (given.as_array(), back.as_array()) else { return false };
                back.iter().all(|flag| NAMES[..*count].iter().any(|name| flag == name))
                    && given.iter().all(|flag| back.contains(flag))
                    && back.iter().all(|flag| given.contains(flag))
            }
            Self::Result(ok, err) => [("ok", ok), ("err", err)]
                .into_iter()
                .any(|(name, payload)| member(name, given, back, payload.as_deref())),
        }
    }
}

fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), ..) => Some(n.into()),
            (_, Some(n), _) => Some(n.into()),
            #[expect(clippy::cast_possible_truncation, reason = "whole")]
            (.., Some(n)) if n.fract() == 0.0 => Some(n as i128),
            _ => None,
        },
        _ => None,
    }
}

fn items<'a>(given: &Value, back: &Value, ty: impl Fn(usize) -> Option<&'a Shape>) -> bool {
    let (Some(given), Some(back)) = (given.as_array(), back.as_array()) else { return false };
    let mut pairs = given.iter().zip(back).enumerate();
    given.len() == back.len()
        && pairs.all(|(at, (given, back))| ty(at).is_some_and(|ty| ty.same(given, back)))
}

/// Whether both are `{name: …}` with the same behind it; nothing behind it is null.
fn member(name: &str, given: &Value, back: &Value, payload: Option<&Shape>) -> bool {
    let inside = |value: &'_ Value| value.as_object().filter(|object| object.len() == 1)?.get(name).cloned();
    match (inside(given), inside(back), payload) {
        (Some(given), Some(back), Some(payload)) => payload.same(&given, &back),
        (Some(given), Some(back), None) => given.is_null() && back.is_null(),
        _ => false,
    }
}

fn case_is_same(name: &str, given: &Value, back: &Value, payload: Option<&Shape>) -> bool {
    match payload {
        Some(_) => member(name, given, back, payload),
        None => back == name && (given == name || member(name, given, given, None)),
    }
}

impl Reader<'_> {
    fn count(&mut self) -> usize {
        let digit = self.left.next().and_then(|digit| digit.to_digit(10)).unwrap_or(1);
        (digit as usize).clamp(1, NAMES.len())
    }

    fn payload(&mut self, depth: usize) -> Option<Shape> {
        if self.left.as_str().starts_with('.') {
            self.left.next();
            return None;
        }
        Some(self.shape(depth))
    }

    fn shape(&mut self, depth: usize) -> Shape {
        self.nodes += 1;
        if depth > DEEP || self.nodes > NODES {
            return Shape::Bool;
        }
        let below = depth + 1;
        match self.left.next() {
            Some('c') => Shape::Char,
            Some('s') => Shape::Text,
            Some(digit @ ('1' | '2' | '4' | '8')) => Shape::Integer(digit.to_digit(10).unwrap_or(1), false),
            Some('!') => Shape::Integer(1, true),
            Some('@') => Shape::Integer(2, true),
            Some('$') => Shape::Integer(4, true),
            Some('*') => Shape::Integer(8, true),
            Some('f') => Shape::Float(false),
            Some('d') => Shape::Float(true),
            Some('L') => Shape::List(Box::new(self.shape(below))),
            Some('O') => Shape::Option(Box::new(self.shape(below))),
            Some('T') => Shape::Tuple((0..self.count()).map(|_| self.shape(below)).collect()),
            Some('R') => Shape::Record((0..self.count()).map(|_| self.shape(below)).collect()),
            Some('V') => Shape::Variant((0..self.count()).map(|_| self.payload(below)).collect()),
            Some('E') => Shape::Enum(self.count()),
            Some('F') => Shape::Flags(self.count()),
            Some('X') => Shape::Result(self.payload(below).map(Box::new), self.payload(below).map(Box::new)),
            _ => Shape::Bool,
        }
    }
}

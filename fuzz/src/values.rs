//! JSON into values of generated WIT types and back: nothing is lost, rounded or guessed, held against a second reading of
//! the table in the design.
//!
//! An input is two lines: a type in the prefix notation of [`mod@shape`], and JSON.

mod shape;
mod wording;

use serde_json::{Map, Value};
use soulbound_runtime::fuzz::Parameters;
use soulbound_runtime::sandbox::value::parse_arguments;

/// Converts the JSON of the bytes by the type of the bytes.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((notation, json)) = text.split_once('\n') else { return };
    let shape = shape::Shape::read(notation);
    let component = wording::component(&shape);
    let parameters = wat::parse_str(&component)
        .ok()
        .and_then(|component| Parameters::of(&component))
        .unwrap_or_else(|| panic!("no component: {component}"));
    // The whole way of a call's arguments, from text.
    let Ok(arguments) = parse_arguments(&format!("{{\"value\":{json}}}")) else { return };
    let Ok(back) = parameters.there_and_back(&arguments) else { return };
    let missing = Value::Null;
    let given = arguments.get("value").unwrap_or(&missing);
    let [back] = back.as_slice() else { panic!("one parameter, {} values", back.len()) };
    assert!(shape.same(given, back), "{notation}: {given} came back as {back}");
    let again: Map<String, Value> = [("value".to_owned(), back.clone())].into_iter().collect();
    let again = parameters.there_and_back(&again).unwrap_or_else(|error| panic!("{back}: {error}"));
    assert_eq!(again.as_slice(), std::slice::from_ref(back), "{notation}: a second time is another");
}

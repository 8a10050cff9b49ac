//! JSON and WIT values, both ways, by the table in the design.
//!
//! | WIT | JSON |
//! |---|---|
//! | integers up to 32 bit, floats | number; NaN and infinities as strings |
//! | `u64`, `s64` | number, or a decimal string when beyond 2^53 (both are read) |
//! | `char`, `string`, `enum` | string |
//! | `list<u8>` | base64 string |
//! | `list`, `tuple`, `flags` (names) | array |
//! | `record` | object, all fields required but `option`s; unknown or repeated keys are errors |
//! | `option<T>` | the value or null or absent; nested options as `{"some": …}` |
//! | `variant` | `"case"` or `{"case": value}` |
//! | `result<T, E>` as a tool's result | the value, or a tool error; elsewhere `{"ok": …}` or `{"err": …}` |
//!
//! Nothing is rounded, wrapped or guessed on the way in: policy and skill see one value.

mod arguments;
mod from_json;
mod respelled;
mod to_json;

pub(crate) use arguments::parse_strictly;
pub use arguments::{ArgumentError, parse_arguments, parse_pairs};
pub(crate) use from_json::arguments_to_values;
pub(crate) use respelled::respelled;
pub(crate) use to_json::{Returned, TooLarge, result_to_json};

/// The largest integer that every JSON reader keeps exact.
const EXACT: u64 = 1 << 53;

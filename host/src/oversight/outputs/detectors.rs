//! The built-in detectors: each a pure search through bytes, in time linear in them.
//!
//! The rule: what has a checksum is judged by it, and what has none needs a documented prefix. A detector that cries wolf is
//! one that an operator turns off.

mod card;
mod cloud_token;
mod email;
mod example;
mod iban;
mod private_key;

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use soulbound_runtime::grant::output::Detector;

pub(super) use example::is_documented_example;

/// Hears of a match, and says whether the search goes on.
type Found<'a> = dyn FnMut(Range<usize>) -> bool + 'a;

/// Tells of each match in order, until `found` has enough.
pub(super) fn each(detector: Detector, text: &[u8], found: &mut Found<'_>) {
    match detector {
        Detector::Card => card::each(text, found),
        Detector::Iban => iban::each(text, found),
        Detector::PrivateKey => private_key::each(text, found),
        Detector::CloudToken => cloud_token::each(text, found),
        Detector::Email => email::each(text, found),
        // Named before it is built: then everything is what it looks for.
        _ => drop(found(0..text.len())),
    }
}

/// An expression of this program's own, over bytes: letters and classes are ASCII's.
#[expect(clippy::expect_used, reason = "constants, and a test compiles each")]
fn constant(expression: &str) -> Regex {
    let mut builder = RegexBuilder::new(expression);
    builder.unicode(false).ignore_whitespace(true);
    builder.build().expect("a constant expression")
}

#[cfg(test)]
pub(super) fn all(detector: Detector, text: &[u8]) -> Vec<&[u8]> {
    let mut matches = Vec::new();
    each(detector, text, &mut |range| {
        matches.push(&text[range]);
        true
    });
    matches
}

//! Every encoding is found, wherever a chunk ends, and what is no echo stays as it is.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const VALUE: &str = "sk-live/9a+b=C \"d\\e~f";

fn secrets() -> Vec<Arc<Secret>> {
    vec![Secret::new(VALUE).unwrap()]
}

/// The text in chunks of these sizes, through a stream.
fn streamed(secrets: &[Arc<Secret>], text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut masking = Masking::of(secrets.to_vec());
    let mut given = Vec::new();
    let mut rest = text;
    for size in sizes.iter().copied().cycle() {
        let (chunk, after) = rest.split_at(size.clamp(1, rest.len().max(1)).min(rest.len()));
        given.extend(masking.push(chunk));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    given.extend(masking.finish());
    given
}

fn percent(value: &str, is_escaped: impl Fn(usize) -> bool) -> String {
    let one = |(at, byte): (usize, u8)| match is_escaped(at) || !byte.is_ascii_alphanumeric() {
        true => format!("%{byte:02X}"),
        false => char::from(byte).to_string(),
    };
    value.bytes().enumerate().map(one).collect()
}

fn hexadecimal(value: &str, separator: &str) -> String {
    value.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator)
}

/// The ways in which a server may write a value, and how much of what it writes holds only the value's own bits.
fn echoes(value: &str) -> Vec<String> {
    let quoted = json!(value).to_string();
    let mut all = vec![
        value.to_owned(),
        value.to_ascii_uppercase(),
        percent(value, |_| false),
        percent(value, |_| true),
        percent(value, |at| at % 3 == 1).to_ascii_lowercase(),
        value.replace(' ', "+"),
        hexadecimal(value, ""),
        hexadecimal(value, "").to_uppercase(),
        hexadecimal(value, ":"),
        quoted[1..quoted.len() - 1].to_owned(),
        quoted[1..quoted.len() - 1].replace('/', "\\/"),
        value.bytes().map(|byte| format!("\\u{byte:04X}")).collect(),
        value.bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
        value.bytes().map(|byte| format!("&#{byte};")).collect(),
        value.bytes().map(|byte| format!("&#x{byte:X};")).collect(),
        value.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;"),
        value.bytes().flat_map(|byte| [char::from(byte), '\0']).collect(),
    ];
    for before in ["", "a", "ab"] {
        let whole = format!("{before}{value}");
        let own = |text: String| {
            let from = (before.len() * 8).div_ceil(6);
            text[from..(whole.len() * 8) / 6].to_owned()
        };
        all.push(own(STANDARD.encode(&whole)));
        all.push(own(URL_SAFE_NO_PAD.encode(&whole)));
        all.push(own(STANDARD.encode(&whole)).replace('/', "\\/").replace('+', "%2B"));
        let lines: Vec<String> = own(STANDARD.encode(&whole))
            .as_bytes()
            .chunks(7)
            .map(|line| String::from_utf8_lossy(line).into())
            .collect();
        all.push(lines.join("\r\n"));
    }
    all
}

#[test]
fn every_encoding_is_masked_to_the_last_byte_and_nothing_beside_it() {
    for echo in echoes(VALUE) {
        let text = format!("before <{echo}> after");
        let expected = format!("before <{}> after", "*".repeat(echo.len()));
        assert_eq!(mask_text(&secrets(), &text), expected, "{echo:?}");
        assert_eq!(String::from_utf8(streamed(&secrets(), text.as_bytes(), &[1])).unwrap(), expected);
    }
}

#[test]
fn text_that_only_begins_like_a_secret_goes_by() {
    for text in
        ["sk-live/9a+b=C", "%73%6B-live", "nothing", "", "c2stbGl2ZS85YSti", "\\u0073\\u006b", "日本 é"]
    {
        assert_eq!(mask_text(&secrets(), text), text);
        assert_eq!(streamed(&secrets(), text.as_bytes(), &[3]), text.as_bytes());
    }
}

#[test]
fn a_stream_s_events_are_given_at_once_and_of_the_rest_always_as_much_is_held_back() {
    let mut masking = Masking::of(secrets());
    assert_eq!(masking.push(b"data: ready\n\n"), b"data: ready\n\n");
    assert_eq!(masking.push(b"data: sk-li"), b"");
    assert_eq!(masking.push(b"st\r\n\r\n"), b"data: sk-list\r\n\r\n");
    assert_eq!(masking.held(), 0);
    // A stream without a blank line is late by as many bytes, whatever they are.
    let mut masking = Masking::of(secrets());
    assert_eq!(masking.push(&[b'a'; HELD_BACK]), b"");
    assert_eq!(masking.push(b"bc"), b"aa");
    assert_eq!(masking.held(), HELD_BACK);
    assert_eq!(masking.finish().len(), HELD_BACK);
}

/// Of any secret that is not very long.
const HELD_BACK: usize = 4_096;

/// What an answer that breaks off shows of a guess, and what is held back of it then.
fn broken_off(secrets: &[Arc<Secret>], text: &[u8]) -> (usize, usize) {
    let mut masking = Masking::of(secrets.to_vec());
    (masking.push(text).len(), masking.held())
}

#[test]
fn a_right_guess_of_a_beginning_is_treated_as_a_wrong_one_is() {
    // UTF-16 without its last byte is whole: that holds nothing.
    for echo in echoes(VALUE).iter().filter(|echo| !echo.contains('\0')) {
        for known in 1..echo.len() {
            let (right, wrong) = (&echo.as_bytes()[..known], vec![b'!'; known]);
            let [right, wrong] = [right, &wrong].map(|guess| [b"!".as_slice(), guess].concat());
            assert_eq!(broken_off(&secrets(), &right), broken_off(&secrets(), &wrong));
            // In a text too, wherever somebody says that it was cut.
            let text = format!("/nosuch/{}… {}…", &echo[..known], &echo[..known]);
            assert_eq!(mask_text(&secrets(), &text), text, "{known} of {echo:?}");
        }
    }
}

#[test]
fn what_basic_authentication_stands_for_is_masked_too() {
    let secrets = [Secret::new(&STANDARD.encode("clerk:correct-horse")).unwrap()];
    assert_eq!(
        mask_text(&secrets, "user clerk, password correct-horse"),
        "user clerk, password *************"
    );
}

#[test]
fn values_are_masked_in_keys_and_depths_and_left_alone_otherwise() {
    let clean = json!({"a": [1, null, true, {"b": "text"}]});
    assert_eq!(mask_value(&secrets(), &clean), None);
    let echo = json!({"a": [1, {VALUE: format!("x{VALUE}")}]});
    let stars = "*".repeat(VALUE.len());
    assert_eq!(mask_value(&secrets(), &echo), Some(json!({"a": [1, {stars.clone(): format!("x{stars}")}]})));
    let digits = [Secret::new("123456789").unwrap()];
    assert_eq!(mask_value(&digits, &json!({"pin": 1_234_567_890_u64})), Some(json!({"pin": "**********"})));
}

#[test]
fn no_value_is_shown_by_accident_and_bad_ones_are_refused_unquoted() {
    assert_eq!(format!("{:?}", secrets()), "[[secret]]");
    for (text, error) in [
        ("", SecretError::Empty),
        ("short", SecretError::Short),
        (&"x".repeat(LONGEST + 1), SecretError::Long),
        ("with\nnewline", SecretError::Character),
        ("with\u{7f}delete", SecretError::Character),
        (" leading", SecretError::Character),
        ("trailing ", SecretError::Character),
        ("pässword", SecretError::Character),
    ] {
        assert_eq!(Secret::new(text).unwrap_err(), error);
    }
}

#[test]
fn a_megabyte_of_beginnings_is_masked_in_good_time() {
    let started = std::time::Instant::now();
    let text = "sk-live/9a+b=C \"d\\e~".repeat(50_000);
    assert_eq!(streamed(&secrets(), text.as_bytes(), &[65_536]), text.as_bytes());
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn no_chunking_hides_an_echo(
        value in "[ -~]{6,40}".prop_filter("a header's value", |value| value.trim() == value),
        around in proptest::collection::vec("[ -~é\n]{0,12}", 2),
        sizes in proptest::collection::vec(1..9_usize, 1..6),
    ) {
        let secrets = [Secret::new(&value).unwrap()];
        for echo in echoes(&value) {
            let text = format!("{}{echo}{}", around[0], around[1]);
            let given = streamed(&secrets, text.as_bytes(), &sizes);
            prop_assert_eq!(&given, &streamed(&secrets, text.as_bytes(), &[text.len().max(1)]));
            prop_assert_eq!(given.len(), text.len());
            let there = &given[around[0].len()..around[0].len() + echo.len()];
            prop_assert!(there.iter().all(|byte| *byte == b'*'), "{:?} left {:?}", echo, String::from_utf8_lossy(there));
            prop_assert_eq!(mask_text(&secrets, &text).into_owned().into_bytes(), given);
        }
    }
}

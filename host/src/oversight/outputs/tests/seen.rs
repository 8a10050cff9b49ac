//! What is found although it is encoded: every sample in every encoding, one in another, with any text around it.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::super::{Outputs, Place};
use super::{NONE, outputs, samples};

/// An encoding, and its name in a failure.
type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: [Encoding; 26] = [
    ("a percent here and there", |text| {
        text.char_indices()
            .map(|(at, one)| {
                if at % 3 == 1 && one.is_ascii() {
                    format!("%{:02X}", u32::from(one))
                } else {
                    one.to_string()
                }
            })
            .collect()
    }),
    ("quoted-printable", |text| text.bytes().map(|byte| format!("={byte:02X}")).collect()),
    ("percent", |text| text.bytes().map(|byte| format!("%{byte:02X}")).collect()),
    ("percent, lower case", |text| text.bytes().map(|byte| format!("%{byte:02x}")).collect()),
    ("percent-u", |text| text.encode_utf16().map(|unit| format!("%u{unit:04X}")).collect()),
    ("base64", |text| STANDARD.encode(text)),
    ("base64, no padding", |text| STANDARD_NO_PAD.encode(text)),
    ("base64, URL-safe", |text| URL_SAFE.encode(text)),
    ("base64, URL-safe, no padding", |text| URL_SAFE_NO_PAD.encode(text)),
    ("base64 behind one character", |text| format!("A{}", STANDARD.encode(text))),
    ("base64 behind two characters", |text| format!("zz{}", STANDARD_NO_PAD.encode(text))),
    ("base64 behind three characters", |text| format!("Q0x{}", URL_SAFE_NO_PAD.encode(text))),
    ("base64 of a part of something", |text| STANDARD.encode(format!("user: {text} ;"))),
    ("base64 in lines", |text| pieces(&STANDARD.encode(text), 16, "\r\n")),
    ("base64 in pieces", |text| format!("[\"{}\"]", pieces(&STANDARD.encode(text), 5, "\", \""))),
    ("base64 of UTF-16", |text| {
        STANDARD.encode(text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())
    }),
    ("hex", |text| text.bytes().map(|byte| format!("{byte:02x}")).collect()),
    ("hex, capitals, apart", |text| text.bytes().map(|byte| format!("{byte:02X} ")).collect()),
    ("hex with prefixes", |text| text.bytes().map(|byte| format!("0x{byte:02x}, ")).collect()),
    ("hex in a string", |text| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect()),
    ("JSON's units", |text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
    ("JSON", |text| serde_json::to_string(text).unwrap()),
    ("HTML, decimal", |text| text.chars().map(|one| format!("&#{};", u32::from(one))).collect()),
    ("HTML, hexadecimal", |text| text.chars().map(|one| format!("&#x{:x};", u32::from(one))).collect()),
    ("nothing to be seen between", |text| text.chars().flat_map(|one| [one, '\u{200b}', '\u{ad}']).collect()),
    ("full width", |text| {
        let wide = |one: char| char::from_u32(u32::from(one) + 0xfee0).unwrap_or(one);
        text.chars().map(|one| if matches!(one, '!'..='~') { wide(one) } else { one }).collect()
    }),
];

fn pieces(text: &str, length: usize, between: &str) -> String {
    let pieces: Vec<&str> =
        text.as_bytes().chunks(length).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    pieces.join(between)
}

fn everything() -> Outputs {
    outputs(
        "- Never output: card numbers, IBANs, private keys, cloud tokens, e-mail addresses, Project Titan",
        NONE,
    )
}

fn finds(rules: &Outputs, text: &[u8]) -> bool {
    !rules.matches(Place::Http, text).rules.is_empty()
}

#[test]
fn every_sample_is_found_in_every_encoding() {
    let rules = everything();
    let words = ["Project Titan", "project-titan", "PROJECT\n  TITAN"].map(str::to_owned);
    for sample in samples::found().map(|(_, sample)| sample).chain(words) {
        for (name, encode) in ENCODINGS {
            for (before, after) in [("before ", " after"), ("?q=", "&r=1"), ("{\"a\":\"", "\"}"), ("/", "")] {
                let text = format!("{before}{}{after}", encode(&sample));
                assert!(finds(&rules, text.as_bytes()), "{sample:?} in {name}: {text:?}");
            }
        }
    }
}

#[test]
fn what_is_packed_as_a_whole_is_looked_into() {
    let rules = everything();
    let text = "filler and ".repeat(40) + "4268465632122333";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(text.as_bytes()).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(STANDARD.encode(&text).as_bytes()).unwrap();
    for packed in [gzip.finish().unwrap(), zlib.finish().unwrap()] {
        assert!(!packed.windows(8).any(|window| window == b"42684656"));
        assert!(finds(&rules, &packed));
        // Cut off in the middle: what a receiver could still unpack.
        assert!(finds(&rules, &packed[..packed.len() - 4]));
    }
}

#[test]
fn the_zero_of_a_prefix_is_no_digit_and_the_zero_before_another_x_is_one() {
    let rules = everything();
    // 6243957551313735370, whose last digit is 30.
    let pairs = "36 32 34 33 39 35 37 35 35 31 33 31 33 37 33 35 33 37 30";
    let prefixed: String = pairs.split(' ').map(|pair| format!("0x{pair}")).collect();
    let backwards = pairs.replace(' ', "x");
    for text in [format!("{pairs}  x\n"), format!("{pairs}x"), format!("{pairs}X 1"), prefixed, backwards] {
        assert!(finds(&rules, text.as_bytes()), "{text:?}");
    }
}

/// Text as it stands around something: nothing that is itself a part of a word, a number or an encoding.
fn around() -> impl Strategy<Value = String> {
    "([a-z]{1,9}[ ,.;\n]){0,12}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn two_encodings_in_one_another_hide_nothing(
        index in 0..samples::found().count(),
        inner in 0..ENCODINGS.len(),
        outer in 0..ENCODINGS.len(),
        before in around(),
        after in around(),
    ) {
        let (detector, sample) = samples::found().nth(index).unwrap();
        let ((inner_name, inner), (outer_name, outer)) = (ENCODINGS[inner], ENCODINGS[outer]);
        let inner = inner(&sample);
        // UTF-16 is read where it is ASCII's.
        prop_assume!(inner.is_ascii() || outer_name != "base64 of UTF-16");
        let text = format!("{before} {} {after}", outer(&inner));
        prop_assert!(
            finds(&outputs("- Never output: card numbers, IBANs, private keys, cloud tokens, e-mail addresses", NONE), text.as_bytes()),
            "{detector:?} {sample:?} in {inner_name} in {outer_name}: {text:?}"
        );
    }

    #[test]
    fn prose_holds_nothing(text in "([A-Za-z][a-z]{0,9}[ ,.;:\n]){0,60}") {
        prop_assert!(!finds(&everything(), text.as_bytes()), "{text:?}");
    }

    #[test]
    fn no_bytes_make_the_judgement_panic(text in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = everything().matches(Place::Http, &text);
    }
}

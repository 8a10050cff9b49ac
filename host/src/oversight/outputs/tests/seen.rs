//! What is found although it is encoded: every sample in every encoding, one in another, with any text around it.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::super::views::Looked;
use super::super::{Outputs, Place};
use super::{NONE, outputs, samples};

/// A way to pack, and its name in a failure.
type Packing = (&'static str, fn(&[u8]) -> Vec<u8>);
/// An encoding, and its name in a failure.
type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: [Encoding; 37] = [
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
    ("C's octal", |text| text.bytes().map(|byte| format!("\\{byte:03o}")).collect()),
    ("C's octal, short, before what is no digit", |text| {
        let is_octal = |one: Option<&u8>| one.is_some_and(|one| matches!(one, b'0'..=b'7'));
        let bytes = text.as_bytes().iter().zip(text.as_bytes().iter().skip(1).map(Some).chain([None]));
        let escaped = bytes.map(|(byte, next)| match (*byte < 64, is_octal(next)) {
            (true, false) => format!("\\{byte:o}").into_bytes(),
            _ if *byte == b'\\' => b"\\134".to_vec(),
            _ => vec![*byte],
        });
        String::from_utf8(escaped.flatten().collect()).unwrap()
    }),
    ("HTML of nothing", |text| {
        let names = ["ZeroWidthSpace", "lrm", "rlm", "InvisibleComma", "NegativeVeryThinSpace", "shy"];
        text.chars().zip(names.iter().cycle()).map(|(one, name)| format!("{one}&{name};")).collect()
    }),
    ("HTML with many zeros", |text| text.chars().map(|one| format!("&#{:080};", u32::from(one))).collect()),
    ("Unicode's tags", |text| text.chars().map(tag).collect()),
    ("base64 among stars", |text| pieces(&STANDARD_NO_PAD.encode(text), 3, "*")),
    ("base64 among anything", |text| format!("={}=", pieces(&STANDARD_NO_PAD.encode(text), 5, " * (!) "))),
    // Between what decodes to no text: a word of two letters beside a piece may be a letter of it.
    ("base64, each piece apart", |text| {
        let encoded = text.as_bytes().chunks(7).map(|piece| URL_SAFE.encode(piece));
        format!("____ {} ____", encoded.collect::<Vec<_>>().join(" "))
    }),
    ("gzip in base64", |text| STANDARD.encode(gzip(text.as_bytes()))),
    ("zlib in hex", |text| hex(&zlib(text.as_bytes()))),
    ("deflate in base64", |text| URL_SAFE.encode(deflate(format!("what was asked for: {text}").as_bytes()))),
];

fn tag(one: char) -> char {
    if matches!(one, ' '..='~') { char::from_u32(u32::from(one) + 0xe0000).unwrap() } else { one }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

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
fn what_is_packed_is_looked_into_however_it_is_packed_and_wherever_it_stands() {
    let rules = everything();
    let text = "filler and ".repeat(40) + "4268465632122333";
    let packings: [Packing; 3] = [("gzip", gzip), ("zlib", zlib), ("deflate", deflate)];
    for (inner, pack) in packings {
        let packed = pack(text.as_bytes());
        assert!(!packed.windows(8).any(|window| window == b"42684656"));
        assert!(finds(&rules, &packed), "{inner}");
        assert!(finds(&rules, &pack(STANDARD.encode(&text).as_bytes())), "base64 in {inner}");
        for (outer, pack) in packings {
            assert!(finds(&rules, &pack(&packed)), "{inner} in {outer}");
            assert!(
                finds(&rules, &pack(STANDARD.encode(&packed).as_bytes())),
                "{inner} in base64 in {outer}"
            );
            let twice = STANDARD.encode(pack(&packed));
            assert!(
                finds(&rules, format!("{{\"a\":\"{twice}\"}}").as_bytes()),
                "{inner} in {outer} in base64"
            );
        }
        if inner != "deflate" {
            // Cut off in the middle: what a receiver could still unpack. Behind something, and behind another of its kind.
            assert!(finds(&rules, &packed[..packed.len() - 4]), "{inner}, cut off");
            assert!(
                finds(&rules, &[b"--x\r\n\r\n", packed.as_slice(), b"\r\n--x"].concat()),
                "{inner} in parts"
            );
            assert!(finds(&rules, &[pack(b"hello"), packed.clone()].concat()), "{inner}, the second");
            let escaped: String = packed.iter().map(|byte| format!("%{byte:02x}")).collect();
            assert!(finds(&rules, format!("q={escaped}").as_bytes()), "{inner} in percent");
        }
    }
    // Any window: the first byte is not always the same.
    let mut packed = zlib(text.as_bytes());
    packed[..2].copy_from_slice(&[0x18, 0x95]);
    assert!(finds(&rules, &packed), "a small window");
}

#[test]
fn what_is_packed_deeper_than_is_looked_at_is_refused() {
    let rules = everything();
    let nested = (0..3).fold(b"4268465632122333".to_vec(), |inner, _| gzip(&inner));
    assert!(finds(&rules, &nested));
    let deeper = rules.matches(Place::Http, &gzip(&nested));
    assert!(deeper.rules.is_empty() && deeper.looked == Looked::Partly);
    assert!(rules.matches(Place::Http, &gzip(b"nothing")).looked == Looked::Completely);
}

#[test]
fn tags_are_read_where_they_stand_and_in_a_row_and_not_at_all() {
    let rules = everything();
    let tagged = |text: &str| text.chars().map(tag).collect::<String>();
    let among: String = "Project Titan".chars().flat_map(|one| [one, tag('x')]).collect();
    let apart: String = "Project Titan".chars().flat_map(|one| [tag(one), 'x']).collect();
    for text in [tagged("Project Titan"), format!("Project {}", tagged("Titan")), among, apart] {
        assert!(finds(&rules, text.as_bytes()), "{text:?}");
    }
}

#[test]
fn words_that_are_encoded_one_by_one_are_read_as_words() {
    let rules = everything();
    for text in [
        "UHJvamVjdA== VGl0YW4=",
        "UHJvamVjdA==VGl0YW4=",
        "[\"UHJvamVjdA\", \"VGl0YW4\"]",
        "UA== cg== bw== ag== ZQ== Yw== dA== IA== VA== aQ== dA== YQ== bg==",
        "Project\\40Titan",
        "Project&ensp;Titan",
        "&Popf;roject &Tscr;itan",
        "Pro&shyject Titan",
        "UHJv*amVj*dCBU*aXRh*bg==",
    ] {
        assert!(finds(&rules, text.as_bytes()), "{text:?}");
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

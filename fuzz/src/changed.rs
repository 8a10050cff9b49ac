//! Seeds, changed: the short run of every target, which needs neither libFuzzer nor another compiler.
//!
//! The rule: it is a test like any other, and so the same inputs each time. What is found is made smaller by proptest, and
//! printed.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Pieces of what the readers look for. Bytes by chance hardly make one.
const WORDS: &[&str] = &[
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{feff}",
    "`",
    "```\n",
    "<!--",
    "- ",
    "  - ",
    "## Skills\n",
    "\n---\n",
    "read: ",
    "write: ",
    "hosts: ",
    " as /x",
    " (hidden)",
    " (private 10.0.0.0/8)",
    "../",
    "~",
    "$",
    "*",
    "*.",
    ".",
    ":",
    ",",
    "/",
    "//",
    "@",
    "%2e",
    "%00",
    "[::1]",
    "127.0.0.1",
    "0x7f000001",
    "https://",
    "http://",
    "xn--",
    ":443",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\u0000",
    "\\ud800",
    "null",
    "true",
    "-0",
    "0",
    "1e400",
    "9007199254740993",
    "18446744073709551615",
    "\"id\":",
    "\"method\":",
    "\"params\":",
    "\"seq\":",
    "\"prev\":\"",
    "\"hash\":\"",
    "'''",
    "= ",
    "[[alerts]]\n",
    "\0asm",
    "\x01\0\0\0",
    "\x0d\0\x01\0",
];

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    /// One byte becomes another.
    Byte(Index, u8),
    /// One bit is the other.
    Bit(Index, u8),
    /// A word is put in.
    Word(Index, &'static str),
    /// A stretch is taken out.
    Cut(Index, Index),
    /// A stretch stands there twice.
    Twice(Index, Index),
    /// A stretch of another seed is put in.
    From(Index, Index, Index, Index),
    /// It ends here.
    End(Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        1 => (at(), any::<u8>()).prop_map(|(place, byte)| Change::Byte(place, byte)),
        1 => (at(), 0..8u8).prop_map(|(place, bit)| Change::Bit(place, bit)),
        3 => (at(), prop::sample::select(WORDS)).prop_map(|(place, word)| Change::Word(place, word)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Cut(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Twice(from, to)),
        2 => (at(), at(), at(), at()).prop_map(|(place, seed, from, to)| Change::From(place, seed, from, to)),
        1 => (at()).prop_map(Change::End),
    ]
}

/// A stretch of these bytes, of at most 256.
fn stretch(bytes: &[u8], from: Index, to: Index) -> std::ops::Range<usize> {
    let (one, other) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
    one.min(other)..one.max(other).min(one.min(other) + 256)
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        match self {
            Self::Byte(..) | Self::Bit(..) if bytes.is_empty() => {}
            Self::Byte(place, byte) => *place.get_mut(bytes) = *byte,
            Self::Bit(place, bit) => *place.get_mut(bytes) ^= 1 << bit,
            Self::Word(place, word) => {
                let place = place.index(bytes.len() + 1);
                bytes.splice(place..place, word.bytes());
            }
            Self::Cut(from, to) => drop(bytes.drain(stretch(bytes, *from, *to))),
            Self::Twice(from, to) => {
                let range = stretch(bytes, *from, *to);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, copy);
            }
            Self::From(place, seed, from, to) => {
                let seed = seed.get(seeds);
                let part = seed[stretch(seed, *from, *to)].to_vec();
                let place = place.index(bytes.len() + 1);
                bytes.splice(place..place, part);
            }
            Self::End(place) => bytes.truncate(place.index(bytes.len() + 1)),
        }
    }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Runs the seeds of a target, then `cases` inputs made of them.
fn withstands(name: &str, run: fn(&[u8]), cases: u32) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    for seed in &seeds {
        println!("{}", String::from_utf8_lossy(seed));
        run(seed);
    }
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..Config::default()
    };
    let inputs = (any::<Index>(), prop::collection::vec(change(), 1..8)).prop_map(|(seed, changes)| {
        let mut bytes = seed.get(&seeds).clone();
        for change in &changes {
            change.apply(&mut bytes, &seeds);
        }
        bytes
    });
    let found = TestRunner::new(config).run(&inputs, |bytes| {
        run(&bytes);
        Ok(())
    });
    if let Err(error) = found {
        panic!("{name}: {error}");
    }
}

/// The numbers take a few seconds each on two slow cores: a call of `soul` is cheap, one of `mcp` starts two connections.
macro_rules! targets {
    ($($target:ident: $cases:literal,)*) => {$(
        #[test]
        fn $target() {
            withstands(stringify!($target), crate::$target::run, $cases);
        }
    )*

        #[test]
        fn none_is_left_out() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
            let mut there: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            there.sort();
            assert_eq!(there, [$(concat!(stringify!($target), ".rs")),*]);
        }
    };
}

targets! {
    audit: 3_000,
    component: 5_000,
    gateway: 10_000,
    hosts: 20_000,
    mcp: 2_000,
    skill: 20_000,
    soul: 20_000,
    values: 5_000,
}

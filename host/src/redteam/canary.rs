//! Canaries: random secrets in places that a skill must not reach, and the search for them in everything that comes back.
//!
//! The rule: whatever carries a canary's content out counts, however it is written. Error texts say nothing here.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::{Captures, Regex};
use soulbound_runtime::skill::Digest;

/// Letters and digits of a canary.
const LENGTH: usize = 32;
/// So many of them in a row are a leak: a piece of a secret is one too.
const PIECE: usize = 12;

/// Random texts from one number, so that a run can be repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// The text that belongs to a name. Nobody who does not have the seed can guess it.
    pub(crate) fn text(self, name: &str) -> String {
        let digest = Digest::of(format!("{}/{name}", self.0).as_bytes()).to_string();
        digest.chars().take(LENGTH).collect()
    }
}

/// A secret in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canary {
    /// Where it is, in words.
    pub(crate) name: String,
    /// The secret.
    pub(crate) text: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl Canary {
    /// A canary at this path, with the text that belongs to the path's name below the scratch folder.
    pub(crate) fn new(seed: Seed, root: &Path, path: PathBuf, name: impl Into<String>) -> Self {
        let below = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        Self { name: name.into(), text: seed.text(&below), path }
    }
}

/// The search for canaries: as they are, in another case, reversed, as base64 or hex at any alignment, percent-encoded, with the
/// escapes of JSON and HTML, in pieces, with anything in between.
pub(crate) struct Search {
    canaries: Vec<Canary>,
    plain: AhoCorasick,
    /// Which canary each plain needle is a piece of.
    plain_of: Vec<usize>,
    base64: AhoCorasick,
    base64_of: Vec<usize>,
}

impl Search {
    /// For these.
    pub(crate) fn new(canaries: Vec<Canary>) -> Result<Self> {
        let (mut plain, mut plain_of, mut base64, mut base64_of) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, canary) in canaries.iter().enumerate() {
            let needles = needles(&canary.text);
            plain_of.extend(needles.iter().map(|_| index));
            plain.extend(needles);
            let needles = in_base64(&canary.text);
            base64_of.extend(needles.iter().map(|_| index));
            base64.extend(needles);
        }
        Ok(Self {
            canaries,
            plain: AhoCorasick::new(plain)?,
            plain_of,
            base64: AhoCorasick::new(base64)?,
            base64_of,
        })
    }

    /// The first canary that is in a text, as it is or as a browser would show it.
    pub(crate) fn found(&self, text: &str) -> Option<&Canary> {
        self.literally(text).or_else(|| {
            let read = without_escapes(text);
            if read == text { None } else { self.literally(&read) }
        })
    }

    fn literally(&self, text: &str) -> Option<&Canary> {
        let bare: String =
            text.chars().filter(char::is_ascii_alphanumeric).map(|one| one.to_ascii_lowercase()).collect();
        // What `\x61` and `0x61` leave behind.
        let without_x = bare.replace('x', "");
        // Base64 keeps its case; what was put between its letters is taken out.
        let is_base64 = |one: &char| one.is_ascii_alphanumeric() || matches!(one, '+' | '/' | '-' | '_');
        let exact: String = text.chars().filter(is_base64).collect();
        let plain = || self.plain.find(&bare).or_else(|| self.plain.find(&without_x));
        let in_plain = plain().and_then(|found| self.plain_of.get(found.pattern().as_usize()));
        let in_base64 = || self.base64_of.get(self.base64.find(&exact)?.pattern().as_usize());
        self.canaries.get(*in_plain.or_else(in_base64)?)
    }
}

/// With `\u0061`, `&#97;` and `&#x61;` as the characters that they stand for, and line ends of JSON's gone.
fn without_escapes(text: &str) -> String {
    static ESCAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let escapes = r"\\+u(?:([0-9a-fA-F]{4})|\{([0-9a-fA-F]{1,6})\})|&#[xX]([0-9a-fA-F]{1,6});|&#([0-9]{1,7});|\\+[rnt]";
        Regex::new(escapes).ok()
    });
    let Some(escapes) = ESCAPES.as_ref() else { return text.to_owned() };
    let meant = |found: &Captures<'_>| {
        let number = |group, radix| u32::from_str_radix(found.get(group)?.as_str(), radix).ok();
        let number =
            number(1, 16).or_else(|| number(2, 16)).or_else(|| number(3, 16)).or_else(|| number(4, 10));
        number.and_then(char::from_u32).map(String::from).unwrap_or_default()
    };
    escapes.replace_all(text, meant).into_owned()
}

fn needles(text: &str) -> Vec<String> {
    let all = pieces(text).into_iter().flat_map(|piece| {
        let reversed: String = piece.chars().rev().collect();
        [hex(&piece), hex(&reversed), reversed, rot13(&piece), piece]
    });
    all.collect()
}

fn pieces(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.windows(PIECE).step_by(2).map(|window| window.iter().collect()).collect()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn rot13(text: &str) -> String {
    let turn = |letter: char| match letter {
        'a'..='m' => char::from(letter as u8 + 13),
        'n'..='z' => char::from(letter as u8 - 13),
        other => other,
    };
    text.chars().map(turn).collect()
}

/// The middle of its base64 at each of the three alignments, of both directions.
fn in_base64(text: &str) -> Vec<String> {
    let reversed: String = text.chars().rev().collect();
    let mut found = Vec::new();
    for text in [text, &reversed] {
        for before in ["", "x", "xx"] {
            let encoded = STANDARD_NO_PAD.encode(format!("{before}{text}"));
            // What the neighbours change is left out: a group at each end.
            let middle = encoded.get(4..encoded.len().saturating_sub(4)).unwrap_or_default();
            let piece: Vec<char> = middle.chars().collect();
            found.extend(piece.windows(PIECE + 4).step_by(4).map(|window| window.iter().collect::<String>()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary() -> Canary {
        Canary::new(Seed(7), Path::new("/s"), PathBuf::from("/s/outside/secret.txt"), "outside")
    }

    #[test]
    fn a_canary_is_found_however_it_is_written() {
        let canary = canary();
        let text = canary.text.as_str();
        let reversed: String = text.chars().rev().collect();
        let spaced: String = text.chars().flat_map(|one| [one, '\u{200b}']).collect();
        let percent: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let escaped: String = text.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
        let wide: String = text.chars().flat_map(|one| [one, '\0']).collect();
        let lines: String =
            text.as_bytes().chunks(5).map(|part| format!("{}\n", String::from_utf8_lossy(part))).collect();
        let search = Search::new(vec![canary.clone()]).unwrap();
        for written in [
            text.to_owned(),
            text.to_uppercase(),
            reversed,
            spaced,
            percent,
            escaped,
            wide,
            lines,
            hex(text),
            rot13(text),
            text.bytes().map(|byte| format!("\\u{byte:04x}")).collect(),
            text.bytes().map(|byte| format!("&#{byte};")).collect(),
            text.bytes().map(|byte| format!("&#x{byte:x};")).collect(),
            text.chars().flat_map(|one| [one.to_string(), "\\u{0}".to_owned()]).collect(),
            text.chars().flat_map(|one| [one.to_string(), "\\u0000".to_owned()]).collect(),
            STANDARD_NO_PAD.encode(text),
            STANDARD_NO_PAD.encode(format!("{{\"content\":\"{text}\"}}")),
            base64::engine::general_purpose::URL_SAFE.encode(format!("ab{text}cd")),
            format!("https://x.example/?q={text}"),
            text[8..24].to_owned(),
        ] {
            assert_eq!(search.found(&format!("before {written} after")), Some(&canary), "{written}");
        }
    }

    #[test]
    fn nothing_else_is_taken_for_one() {
        let canary = canary();
        let other = Canary::new(Seed(7), Path::new("/s"), PathBuf::from("/s/outside/other.txt"), "other");
        let search = Search::new(vec![canary]).unwrap();
        for text in
            ["", "x", "no such entry", &other.text, &STANDARD_NO_PAD.encode(&other.text), &"0".repeat(4096)]
        {
            assert_eq!(search.found(text), None, "{text}");
        }
    }

    #[test]
    fn one_seed_makes_one_canary() {
        assert_eq!(canary().text, canary().text);
        assert_ne!(Seed(8).text("outside/secret.txt"), canary().text);
    }
}

//! One way of encoding a secret, looked for at one place of a text that may go on later.
//!
//! A pattern list cannot do this: with a choice at every character there are exponentially many. So the characters are
//! followed with the set of places where each may have ended, which is a handful.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::spelling::{self, FOLDS, SEPARATORS, Spellings};

/// A secret in one encoding.
pub(super) struct Needle {
    characters: Zeroizing<Vec<u8>>,
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Base64,
    Digits,
}

/// What stands at the beginning of a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The secret, in so many bytes: the longest way to read it.
    pub(super) whole: Option<usize>,
    /// Its beginning, up to the text's end: so many of its characters.
    pub(super) cut: Option<usize>,
}

impl Needle {
    /// A value as it is, in hexadecimal digits, and in base64 at each of the three places in a group where it may begin.
    pub(super) fn all(value: &[u8]) -> Vec<Self> {
        let digits = value.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
        let mut all = vec![Self::of(value.to_vec(), Encoding::Plain), Self::of(digits, Encoding::Digits)];
        for before in 0..3_usize {
            let shifted = Zeroizing::new([vec![0; before].as_slice(), value].concat());
            let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(shifted.as_slice()));
            // Only the characters that hold nothing but the value's own bits; at the edges some hold a neighbour's too.
            let own = (before * 8).div_ceil(6)..(shifted.len() * 8) / 6;
            if let Some(own) = encoded.as_bytes().get(own) {
                all.push(Self::of(own.to_vec(), Encoding::Base64));
            }
        }
        all
    }

    fn of(characters: Vec<u8>, encoding: Encoding) -> Self {
        Self { characters: Zeroizing::new(characters), encoding }
    }

    /// Marks the bytes with which it may begin.
    pub(super) fn begin(&self, begins: &mut [bool; 256]) {
        let first = self.characters.first().copied().unwrap_or_default();
        for byte in self.spellings(first).into_iter().flatten().filter_map(|spelling| spelling.first()) {
            for case in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                if let Some(mark) = begins.get_mut(usize::from(case)) {
                    *mark = true;
                }
            }
        }
    }

    /// Whether it stands at the beginning of this text.
    pub(super) fn at(&self, text: &[u8]) -> Found {
        let mut found = Found::default();
        let mut places = Vec::new();
        for (index, character) in self.characters.iter().enumerate() {
            let mut next = Vec::new();
            if index == 0 {
                self.read(*character, (index, text), 0, &mut next, &mut found);
            }
            for place in places {
                self.read(*character, (index, text), place, &mut next, &mut found);
                for fold in self.folds() {
                    match reads(text, place, fold) {
                        Reads::Whole => {
                            self.read(*character, (index, text), place + fold.len(), &mut next, &mut found);
                        }
                        Reads::Cut => found.cut = Some(index),
                        Reads::Not => {}
                    }
                }
            }
            // Nearly every beginning ends here, before anything was allocated.
            if next.is_empty() {
                return found;
            }
            next.sort_unstable();
            next.dedup();
            places = next;
        }
        Found { whole: places.last().copied(), ..found }
    }

    /// Where a character may end that begins at this place.
    fn read(
        &self,
        character: u8,
        (index, text): (usize, &[u8]),
        place: usize,
        next: &mut Vec<usize>,
        found: &mut Found,
    ) {
        for spelling in self.spellings(character).into_iter().flatten() {
            match reads(text, place, spelling) {
                Reads::Whole => next.push(place + spelling.len()),
                Reads::Cut => found.cut = Some(index),
                Reads::Not => {}
            }
        }
    }

    fn spellings(&self, character: u8) -> [&'static Spellings; 2] {
        static NONE: Spellings = Spellings::new();
        match self.encoding {
            Encoding::Plain | Encoding::Digits => [spelling::of(character), &NONE],
            Encoding::Base64 => spelling::of_base64(character),
        }
    }

    fn folds(&self) -> impl Iterator<Item = &'static [u8]> {
        let (folds, separators): (&[&[u8]], &[&[u8]]) = match self.encoding {
            Encoding::Plain => (&[], &[]),
            Encoding::Base64 => (&FOLDS, &[]),
            Encoding::Digits => (&FOLDS, &SEPARATORS),
        };
        folds.iter().chain(separators).copied()
    }
}

enum Reads {
    Whole,
    /// The text ends in the middle of it, or before it.
    Cut,
    Not,
}

fn reads(text: &[u8], place: usize, spelling: &[u8]) -> Reads {
    let rest = text.get(place..).unwrap_or_default();
    match (rest.get(..spelling.len()), spelling.get(..rest.len())) {
        (Some(there), _) if there.eq_ignore_ascii_case(spelling) => Reads::Whole,
        (None, Some(begun)) if begun.eq_ignore_ascii_case(rest) => Reads::Cut,
        _ => Reads::Not,
    }
}

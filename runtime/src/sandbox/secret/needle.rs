//! One way of encoding a secret, looked for at one place of a text.
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

    /// Marks the pairs of bytes with which it may begin, in either case.
    pub(super) fn begin(&self, mark: &mut dyn FnMut([u8; 2])) {
        let [first, second, ..] = self.characters.as_slice() else { return };
        let after: Vec<u8> = self
            .spelt(*second)
            .chain(self.folds())
            .filter_map(|spelling| spelling.first().copied())
            .collect();
        for spelling in self.spelt(*first) {
            match spelling {
                [one] => after.iter().for_each(|next| both_cases([*one, *next], mark)),
                [one, next, ..] => both_cases([*one, *next], mark),
                [] => {}
            }
        }
    }

    /// In how many bytes it stands at the beginning of this text: the longest way to read it.
    pub(super) fn at(&self, text: &[u8]) -> Option<usize> {
        let mut characters = self.characters.iter();
        // Where the last character that was read may have ended; and the next one.
        let (mut places, mut next) = (Places::default(), Places::default());
        self.read(*characters.next()?, text, 0, &mut places);
        for character in characters {
            for place in places.iter() {
                self.read(*character, text, place, &mut next);
                for fold in self.folds().filter(|fold| reads(text, place, fold)) {
                    self.read(*character, text, place + fold.len(), &mut next);
                }
            }
            if next.is_empty() {
                return None;
            }
            std::mem::swap(&mut places, &mut next);
            next.clear();
        }
        places.iter().max()
    }

    /// Adds where a character may end that begins at this place.
    fn read(&self, character: u8, text: &[u8], place: usize, next: &mut Places) {
        for spelling in self.spelt(character).filter(|spelling| reads(text, place, spelling)) {
            next.add(place + spelling.len());
        }
    }

    fn spelt(&self, character: u8) -> impl Iterator<Item = &'static [u8]> {
        self.spellings(character).into_iter().flatten().map(Vec::as_slice)
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

/// Places in a text, each once.
#[derive(Default)]
struct Places(Vec<usize>);

impl Places {
    fn add(&mut self, place: usize) {
        if !self.0.contains(&place) {
            self.0.push(place);
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().copied()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

fn both_cases([one, next]: [u8; 2], mark: &mut dyn FnMut([u8; 2])) {
    for one in [one.to_ascii_lowercase(), one.to_ascii_uppercase()] {
        for next in [next.to_ascii_lowercase(), next.to_ascii_uppercase()] {
            mark([one, next]);
        }
    }
}

fn reads(text: &[u8], place: usize, spelling: &[u8]) -> bool {
    text.get(place..place + spelling.len()).is_some_and(|there| there.eq_ignore_ascii_case(spelling))
}

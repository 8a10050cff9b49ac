//! Masking secrets in what goes by: a stream in chunks of any size, a text, a JSON value.
//!
//! Every byte of an echo becomes `*`, so lengths stay what they were. The rules: where a chunk ends never changes what is
//! masked; and nothing but a whole echo is ever treated otherwise than any other text. A beginning that was masked, held back
//! or dropped where another text is not would answer a guess, and a secret that can be guessed piece by piece is no secret.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Secret;

/// What stands for each byte of an echo.
const MASK: u8 = b'*';
/// The least that is held back of a stream, in bytes: of secrets that are not longer than most are, it tells nothing.
const HELD: usize = 4 << 10;
/// Bytes in which one byte of a secret is written at most: two hexadecimal digits, each escaped in six bytes behind a line's
/// end that is escaped in four.
const SPELT: usize = 20;

/// Masks a stream. Its last bytes are held back, always as many: what follows a blank line alone is given on at once up to
/// there, since no echo goes over one.
pub struct Masking {
    secrets: Vec<Arc<Secret>>,
    begins: Begins,
    /// So many bytes are held back.
    window: usize,
    /// Bytes that came and have not been given on.
    held: Vec<u8>,
    /// So many of them, from the first, are part of an echo.
    hidden: usize,
}

impl Masking {
    /// Of these secrets. Of none, everything goes by as it is.
    #[must_use]
    pub fn of(secrets: Vec<Arc<Secret>>) -> Self {
        let longest = secrets.iter().map(|secret| secret.text.len() * SPELT).max();
        // In powers of two: how much is held back tells no length.
        let window = longest.map_or(0, |longest| longest.next_power_of_two().max(HELD));
        Self { begins: begins(&secrets), secrets, window, held: Vec::new(), hidden: 0 }
    }

    /// Takes a chunk, and gives what can be given by now.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        self.advance(false)
    }

    /// The stream is over: gives what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        self.advance(true)
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn advance(&mut self, is_end: bool) -> Vec<u8> {
        let ready = match is_end {
            true => self.held.len(),
            false => self.held.len().saturating_sub(self.window).max(after_blank_line(&self.held)),
        };
        let mut given = Vec::with_capacity(ready);
        while given.len() < ready
            && let Some(rest) = self.held.get(given.len()..)
        {
            if let Some(length) = find(&self.secrets, &self.begins, rest) {
                self.hidden = self.hidden.max(given.len() + length);
            }
            let byte = if given.len() < self.hidden { MASK } else { rest.first().copied().unwrap_or(MASK) };
            given.push(byte);
        }
        self.held.drain(..given.len());
        self.hidden = self.hidden.saturating_sub(given.len());
        given
    }
}

/// Where the last blank line ends: an event of a stream (`text/event-stream`) does, and nothing that is looked for goes on.
fn after_blank_line(bytes: &[u8]) -> usize {
    let ends = |blank: &[u8]| {
        bytes.windows(blank.len()).rposition(|window| window == blank).map_or(0, |at| at + blank.len())
    };
    ends(b"\n\n").max(ends(b"\r\n\r\n"))
}

/// Whether the text holds one of the secrets.
#[must_use]
pub fn hides(secrets: &[Arc<Secret>], text: &str) -> bool {
    !echoes(secrets, text).is_empty()
}

/// The text with every echo masked.
#[must_use]
pub fn mask_text<'a>(secrets: &[Arc<Secret>], text: &'a str) -> Cow<'a, str> {
    let echoes = echoes(secrets, text);
    if echoes.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let (mut coming, mut hidden) = (echoes.iter().peekable(), 0);
    for (at, shown) in text.char_indices() {
        while let Some(echo) = coming.next_if(|echo| echo.start <= at) {
            hidden = hidden.max(echo.end);
        }
        // All spellings are ASCII, so no character is hidden in part.
        masked.push(if at < hidden { char::from(MASK) } else { shown });
    }
    Cow::Owned(masked)
}

/// The value with every echo in its texts, keys too, masked; `None` if there is none.
#[must_use]
pub fn mask_value(secrets: &[Arc<Secret>], value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => match mask_text(secrets, text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(Value::String(masked)),
        },
        // A secret of digits alone.
        Value::Number(number) => {
            let digits = number.to_string();
            hides(secrets, &digits).then(|| Value::String("*".repeat(digits.len())))
        }
        Value::Array(items) => {
            let masked: Vec<_> = items.iter().map(|item| mask_value(secrets, item)).collect();
            masked.iter().any(Option::is_some).then(|| {
                items
                    .iter()
                    .zip(masked)
                    .map(|(item, masked)| masked.unwrap_or_else(|| item.clone()))
                    .collect()
            })
        }
        Value::Object(members) => mask_members(secrets, members).map(Value::Object),
        Value::Null | Value::Bool(_) => None,
    }
}

/// The same for an object's members.
#[must_use]
pub fn mask_members(secrets: &[Arc<Secret>], members: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut masked = Map::new();
    let mut changed = false;
    for (key, value) in members {
        let (name, inner) = (mask_text(secrets, key), mask_value(secrets, value));
        changed |= matches!(name, Cow::Owned(_)) || inner.is_some();
        masked.insert(name.into_owned(), inner.unwrap_or_else(|| value.clone()));
    }
    changed.then_some(masked)
}

/// Where in the text echoes stand.
fn echoes(secrets: &[Arc<Secret>], text: &str) -> Vec<std::ops::Range<usize>> {
    let begins = begins(secrets);
    let bytes = text.as_bytes();
    let echo = |at| {
        let length = find(secrets, &begins, bytes.get(at..).unwrap_or_default())?;
        Some(at..at + length)
    };
    (0..bytes.len()).filter_map(echo).collect()
}

/// The pairs of bytes with which an echo of any of them may begin: of most bytes that go by nothing more is asked.
type Begins = Box<[u64]>;

fn begins(secrets: &[Arc<Secret>]) -> Begins {
    let mut begins = vec![0; 1 << 10].into_boxed_slice();
    let mut mark = |pair: [u8; 2]| {
        let (word, bit) = place(pair);
        if let Some(word) = begins.get_mut(word) {
            *word |= bit;
        }
    };
    secrets.iter().flat_map(|secret| &secret.needles).for_each(|needle| needle.begin(&mut mark));
    begins
}

/// A pair's bit: the word that has it, and the word with it alone.
fn place(pair: [u8; 2]) -> (usize, u64) {
    let number = u16::from_be_bytes(pair);
    (usize::from(number >> 6), 1 << (number & 63))
}

/// How many bytes of the text's beginning are an echo of one of the secrets: the longest way to read it.
fn find(secrets: &[Arc<Secret>], begins: &Begins, text: &[u8]) -> Option<usize> {
    let (word, bit) = place(*text.first_chunk()?);
    if begins.get(word).is_none_or(|word| word & bit == 0) {
        return None;
    }
    let needles = secrets.iter().flat_map(|secret| &secret.needles);
    needles.filter_map(|needle| needle.at(text)).max()
}

impl std::fmt::Debug for Masking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Masking").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

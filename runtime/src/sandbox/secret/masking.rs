//! Masking secrets in what goes by: a stream in chunks of any size, a text, a JSON value.
//!
//! Every byte of an echo becomes `*`, so lengths stay what they were. Of a stream only the end is held back that could be the
//! beginning of an echo. The rule: where a chunk ends never changes what is masked.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Secret;
use super::needle::Found;

/// What stands for each byte of an echo.
const MASK: u8 = b'*';
/// Where a text was cut (`…`), so many of a secret's first characters are an echo too.
const CUT: usize = 4;

/// Masks a stream.
pub struct Masking {
    secrets: Vec<Arc<Secret>>,
    begins: Begins,
    /// Bytes that came and have not been given on.
    held: Vec<u8>,
    /// So many of them, from the first, are part of an echo.
    hidden: usize,
}

impl Masking {
    /// Of these secrets. Of none, everything goes by as it is.
    #[must_use]
    pub fn of(secrets: Vec<Arc<Secret>>) -> Self {
        Self { begins: begins(&secrets), secrets, held: Vec::new(), hidden: 0 }
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
        let mut given = Vec::with_capacity(self.held.len());
        while let Some(rest) = self.held.get(given.len()..).filter(|rest| !rest.is_empty()) {
            let found = find(&self.secrets, &self.begins, rest);
            if let Some(length) = found.whole {
                self.hidden = self.hidden.max(given.len() + length);
            }
            if found.cut.is_some() && !is_end {
                break;
            }
            let byte = if given.len() < self.hidden { MASK } else { rest.first().copied().unwrap_or(MASK) };
            given.push(byte);
        }
        self.held.drain(..given.len());
        self.hidden = self.hidden.saturating_sub(given.len());
        given
    }
}

/// Whether the text holds one of the secrets.
#[must_use]
pub fn hides(secrets: &[Arc<Secret>], text: &str) -> bool {
    !echoes(secrets, text).is_empty()
}

/// The text with every echo masked. One that was cut where `…` stands is masked as far as it goes.
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
    let mut echoes = Vec::new();
    let mut begin = 0;
    for part in text.split_inclusive('…') {
        let shown = part.strip_suffix('…');
        let bytes = shown.unwrap_or(part).as_bytes();
        for at in 0..bytes.len() {
            let found = find(secrets, &begins, bytes.get(at..).unwrap_or_default());
            let cut = found.cut.filter(|known| shown.is_some() && *known >= CUT).map(|_| bytes.len() - at);
            echoes.extend(found.whole.max(cut).map(|length| begin + at..begin + at + length));
        }
        begin += part.len();
    }
    echoes
}

/// The bytes with which an echo of any of them may begin: of most bytes that go by nothing more is asked.
type Begins = Box<[bool; 256]>;

fn begins(secrets: &[Arc<Secret>]) -> Begins {
    let mut begins = Box::new([false; 256]);
    secrets.iter().flat_map(|secret| &secret.needles).for_each(|needle| needle.begin(&mut begins));
    begins
}

/// What of the secrets stands at the beginning of a text.
fn find(secrets: &[Arc<Secret>], begins: &Begins, text: &[u8]) -> Found {
    let mut found = Found::default();
    let may_begin = |byte: &u8| begins.get(usize::from(*byte)).copied().unwrap_or_default();
    if !text.first().is_some_and(may_begin) {
        return found;
    }
    for secret in secrets {
        for needle in &secret.needles {
            let one = needle.at(text);
            found.whole = found.whole.max(one.whole);
            found.cut = found.cut.max(one.cut);
        }
    }
    found
}

impl std::fmt::Debug for Masking {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Masking").field("secrets", &self.secrets.len()).finish_non_exhaustive()
    }
}

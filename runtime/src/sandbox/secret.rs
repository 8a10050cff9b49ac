//! A secret's value while this program holds it: where the network asks for it, what it looks like when a server sends it
//! back, and how that is masked.
//!
//! The runtime knows nothing of files and keys: the program that embeds it gives a [`SecretSource`], which is asked for each
//! request, so that a secret that was changed or taken away is so at once. The one rule: no type in here shows a value by
//! accident. `Debug` prints `[secret]`, there is no `Display`, and the memory is wiped when the last holder lets go.

mod masking;
mod needle;
mod spelling;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::grant::host::Target;
use needle::Needle;

pub use masking::{Masking, hides, mask_members, mask_text, mask_value};

/// A shorter value, in characters, is refused: it could not be told from ordinary text, so no echo of it could be masked.
pub const SHORTEST: usize = 6;
/// The longest value, in characters. A JSON web token has 1 to 2 KiB.
pub const LONGEST: usize = 4_096;

/// A secret's value. Clones of the `Arc` share it.
pub struct Secret {
    text: Zeroizing<String>,
    /// Everything that is looked for.
    needles: Vec<Needle>,
}

/// Why a text is no secret's value. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is none.
    #[error("the value is empty")]
    Empty,
    /// Too short to be found again in what a server sends back.
    #[error(
        "the value has fewer than {SHORTEST} characters, so an echo of it could not be told from ordinary text"
    )]
    Short,
    /// Longer than a header takes.
    #[error("the value has more than {LONGEST} characters")]
    Long,
    /// A character that a header does not carry.
    #[error(
        "the value holds a control character or one outside ASCII, or begins or ends with a space; a header carries visible ASCII"
    )]
    Character,
}

/// Where secrets come from: asked at each request, from the guests' threads.
pub trait SecretSource: Send + Sync + 'static {
    /// The value of an agent's secret, if it is for this origin, as it is now.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn find(&self, agent: &str, name: &str, origin: &Target) -> Result<Arc<Secret>, SecretRefusal>;

    /// Hears that a request leaves with it.
    fn used(&self, _agent: &str, _name: &str) {}
}

/// Why a [`SecretSource`] has no value to give.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretRefusal {
    /// The operator has set none of this name.
    NotSet,
    /// The operator has set it for this other origin.
    OtherOrigin(String),
    /// What the operator has set cannot be read: why, and what to do. For people, never for the model.
    Unreadable(String),
}

impl Secret {
    /// A value, and everything that is looked for to find it again.
    ///
    /// # Errors
    ///
    /// It is empty, too short or too long, or a header does not carry it.
    pub fn new(text: &str) -> Result<Arc<Self>, SecretError> {
        let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        match text.len() {
            0 => return Err(SecretError::Empty),
            _ if !text.bytes().all(visible) || text.trim() != text => return Err(SecretError::Character),
            length if length < SHORTEST => return Err(SecretError::Short),
            length if length > LONGEST => return Err(SecretError::Long),
            _ => {}
        }
        let mut needles = Needle::all(text.as_bytes());
        // `user:password`, which a server that was sent `Basic …` knows and shows.
        for inner in decoded(text) {
            needles.extend(Needle::all(inner.as_bytes()));
        }
        Ok(Arc::new(Self { text: Zeroizing::new(text.to_owned()), needles }))
    }

    /// The value itself, for sealing it or putting it into a header.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

/// What a value that is base64 stands for, and the part after a colon: nothing unless both could be told from ordinary text.
fn decoded(text: &str) -> Vec<Zeroizing<String>> {
    let bare = text.trim_end_matches('=');
    let bytes = STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare));
    let Some(inner) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()).map(Zeroizing::new) else {
        return Vec::new();
    };
    let Some((_, password)) = inner.split_once(':') else { return Vec::new() };
    let mut found = vec![Zeroizing::new(password.to_owned()), inner.clone()];
    found.retain(|part| {
        (SHORTEST..=LONGEST).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_graphic())
    });
    found
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests;

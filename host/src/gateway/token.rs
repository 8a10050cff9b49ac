//! Bearer tokens: one an agent, one for the operator. Shown once, when they are made; at rest there is only their hash.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use soulbound_runtime::skill::Digest;
use subtle::ConstantTimeEq;

use crate::clock::Moment;
use crate::durable;
use crate::state::StateFolder;

/// Random bytes of a token: nobody guesses 256 bits, so a plain hash at rest is enough.
const RANDOM_BYTES: usize = 32;
/// A presented token longer than this is none of ours.
const LONGEST: usize = 256;

/// A token in the clear. Its `Debug` does not show it.
pub(crate) struct Token(String);

/// Whose token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenOf<'a> {
    /// The operator's: everything that the command line can do over HTTP.
    Operator,
    /// An agent's: that agent's skills, nothing else.
    Agent(&'a str),
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenHash {
    sha256: String,
    /// When it was made.
    pub(crate) issued: String,
}

impl Token {
    /// A token that the gateway made and told the command.
    pub(crate) fn told(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text, for showing it once.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

impl TokenHash {
    /// Whether this is the token, compared in constant time: of hashes, so that not even their order leaks.
    pub(crate) fn matches(&self, presented: &str) -> bool {
        presented.len() <= LONGEST && bool::from(hash(presented).as_bytes().ct_eq(self.sha256.as_bytes()))
    }
}

/// Makes a token and keeps its hash; one that was there before is worth nothing from now on.
pub(crate) fn issue(state: &StateFolder, of: TokenOf<'_>) -> Result<Token> {
    let mut random = [0_u8; RANDOM_BYTES];
    getrandom::fill(&mut random).context("the system gives no random numbers")?;
    let secret = URL_SAFE_NO_PAD.encode(random);
    let token = match of {
        TokenOf::Operator => format!("soulbound-operator-{secret}"),
        TokenOf::Agent(id) => format!("soulbound-agent-{id}-{secret}"),
    };
    let kept = TokenHash { sha256: hash(&token), issued: Moment::now().to_string() };
    durable::replace(&path(state, of), &serde_json::to_vec(&kept)?)?;
    Ok(Token(token))
}

/// What is kept of the token, if one was made.
pub(crate) fn kept(state: &StateFolder, of: TokenOf<'_>) -> Result<Option<TokenHash>> {
    let path = path(state, of);
    match fs::read(&path) {
        Ok(bytes) => {
            let kept = serde_json::from_slice(&bytes);
            kept.map(Some)
                .with_context(|| format!("`{}` is no token's record; issue a new token", path.display()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

/// Writes a token into a new file that only this user reads, so that it need not pass over a screen.
pub(crate) fn write_to(token: &Token, file: &Path) -> Result<()> {
    durable::replace(file, format!("{}\n", token.reveal()).as_bytes())
}

fn path(state: &StateFolder, of: TokenOf<'_>) -> PathBuf {
    match of {
        TokenOf::Operator => state.path().join("operator.token"),
        TokenOf::Agent(id) => state.path().join("agents").join(id).join("token"),
    }
}

fn hash(token: &str) -> String {
    Digest::of(token.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_ends_the_old_one_and_neither_is_at_rest() {
        let place = tempfile::tempdir().unwrap();
        let state = StateFolder::at(place.path().to_owned());
        fs::create_dir_all(place.path().join("agents/echo")).unwrap();
        assert_eq!(kept(&state, TokenOf::Agent("echo")).unwrap(), None);
        let first = issue(&state, TokenOf::Agent("echo")).unwrap();
        let second = issue(&state, TokenOf::Agent("echo")).unwrap();
        let kept = kept(&state, TokenOf::Agent("echo")).unwrap().unwrap();
        assert!(kept.matches(second.reveal()) && !kept.matches(first.reveal()) && !kept.matches(""));
        let at_rest = fs::read_to_string(place.path().join("agents/echo/token")).unwrap();
        let secret = second.reveal().strip_prefix("soulbound-agent-echo-").unwrap();
        assert!(!at_rest.contains(secret) && !format!("{second:?}").contains(secret));
    }
}

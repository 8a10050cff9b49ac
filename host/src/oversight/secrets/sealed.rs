//! `agents/ID/secrets.json`: an agent's secrets at rest, each sealed by ChaCha20-Poly1305.
//!
//! What is not secret stands in the clear, so that a person can see what there is, and is bound to the seal: an entry that
//! is moved to another agent, name or host does not open. Every sealing draws a nonce of 96 random bits; an operator's acts
//! are a few thousand, and a repetition becomes likely at 2^48. The rule: a file in which anything does not open is an
//! error, never a shorter list.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, NONCE_LEN, Nonce};
use serde::{Deserialize, Serialize};
use soulbound_runtime::sandbox::Secret;
use zeroize::Zeroizing;

use super::key::SealingKey;

/// The version of the form.
const VERSION: u32 = 1;
/// Secrets of one agent.
const MOST: usize = 256;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: u32,
    agent: String,
    /// Which key sealed it.
    key: String,
    secrets: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    host: String,
    set: String,
    by: String,
    nonce: String,
    sealed: String,
}

/// A secret, opened.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Its name.
    pub(super) name: String,
    /// The origin that it was set for: `https://api.example.com`.
    pub(super) host: String,
    /// When it was set.
    pub(super) set: String,
    /// By whom.
    pub(super) by: String,
    /// The value.
    pub(super) secret: Arc<Secret>,
}

/// Opens a file's content.
pub(super) fn open(bytes: &[u8], path: &Path, agent: &str, key: &SealingKey) -> Result<Vec<Stored>> {
    let damaged = |what: String| {
        anyhow::anyhow!(
            "`{shown}` {what}\n  hint: put it back from a backup, or remove it (rm {shown}) and set the agent's secrets again",
            shown = path.display()
        )
    };
    // serde's own words may quote the file.
    let document: Document =
        serde_json::from_slice(bytes).map_err(|_| damaged("is no file of sealed secrets".to_owned()))?;
    if document.v != VERSION {
        return Err(damaged(format!("has version {}; this build reads {VERSION}", document.v)));
    }
    if document.agent != agent {
        return Err(damaged("holds another agent's secrets".to_owned()));
    }
    if document.key != key.id {
        return Err(another_key(path, &document.key, key));
    }
    let open = |entry: Entry| {
        let what = || damaged(format!("was changed: the secret `{}` does not open", shown(&entry.name)));
        let secret = opened(&entry, agent, key).ok_or_else(what)?;
        Ok(Stored { name: entry.name, host: entry.host, set: entry.set, by: entry.by, secret })
    };
    document.secrets.into_iter().map(open).collect()
}

/// The id of the key that sealed a file; `None` where it is no such file.
pub(super) fn key_of(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<Document>(bytes).ok().map(|document| document.key)
}

/// Why a file does not open that another key sealed.
pub(super) fn another_key(path: &Path, sealed: &str, key: &SealingKey) -> anyhow::Error {
    anyhow::anyhow!(
        "`{}` was sealed with another key (its id is {}, not {})\n  hint: put the key back from a backup, or correct \
         `[secrets] key_file`; without that key remove the file and set the agent's secrets again",
        path.display(),
        soulbound_runtime::visible::quoted(sealed, 20),
        key.id
    )
}

/// The content of a file that holds these.
pub(super) fn seal(secrets: &[Stored], agent: &str, key: &SealingKey) -> Result<Vec<u8>> {
    if secrets.len() > MOST {
        bail!("an agent has at most {MOST} secrets\n  hint: soulbound secrets list --agent {agent}");
    }
    let entries: Result<Vec<Entry>> = secrets.iter().map(|one| sealed(one, agent, key)).collect();
    let document = Document { v: VERSION, agent: agent.to_owned(), key: key.id.clone(), secrets: entries? };
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

fn sealed(one: &Stored, agent: &str, key: &SealingKey) -> Result<Entry> {
    let mut nonce = [0_u8; NONCE_LEN];
    getrandom::fill(&mut nonce).context("the system gives no random numbers")?;
    let mut entry = Entry {
        name: one.name.clone(),
        host: one.host.clone(),
        set: one.set.clone(),
        by: one.by.clone(),
        nonce: STANDARD.encode(nonce),
        sealed: String::new(),
    };
    let mut bytes = Zeroizing::new(one.secret.reveal().as_bytes().to_vec());
    // Room for the tag, so that the plain value is nowhere left behind by a larger copy.
    bytes.reserve_exact(ring::aead::CHACHA20_POLY1305.tag_len());
    key.sealing
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(bound(&entry, agent)),
            &mut *bytes,
        )
        .map_err(|_| anyhow::anyhow!("the secret cannot be sealed"))?;
    entry.sealed = STANDARD.encode(bytes.as_slice());
    Ok(entry)
}

fn opened(entry: &Entry, agent: &str, key: &SealingKey) -> Option<Arc<Secret>> {
    let nonce: [u8; NONCE_LEN] = STANDARD.decode(&entry.nonce).ok()?.try_into().ok()?;
    let mut bytes = Zeroizing::new(STANDARD.decode(&entry.sealed).ok()?);
    let aad = Aad::from(bound(entry, agent));
    let plain = key.sealing.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut bytes).ok()?;
    Secret::new(std::str::from_utf8(plain).ok()?).ok()
}

/// What the seal holds together: a list of texts in JSON, in which no two lists look alike.
fn bound(entry: &Entry, agent: &str) -> Vec<u8> {
    let parts = ["soulbound secret", "1", agent, &entry.name, &entry.host, &entry.set, &entry.by];
    serde_json::json!(parts).to_string().into_bytes()
}

fn shown(name: &str) -> String {
    soulbound_runtime::visible::line(&name.chars().take(80).collect::<String>())
}

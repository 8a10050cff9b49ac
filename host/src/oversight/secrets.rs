//! Secrets: what an operator sets for an agent and one host, sealed at rest, and known to nobody else.
//!
//! ```text
//! secrets set ──▶ act ──▶ store ──▶ agents/ID/secrets.json  (sealed, one entry a secret)
//!                          ▲  │            key: the system's keyring, keys/secrets.key, or `[secrets] key_file`
//!   the runtime's network ─┘  └─▶ Known: masks what a record, a model or a person is shown
//! ```
//!
//! SOUL.md says which header of which host carries a secret, the operator says for which host it was given; both have to
//! name the same one. The rule: a value goes into a file sealed, into a request by the runtime, and nowhere else.

pub(crate) mod act;
mod key;
mod keyring;
mod known;
pub(crate) mod place;
mod sealed;
mod store;
pub(crate) mod survey;

use anyhow::{Result, bail};
use soulbound_runtime::RuleRef;
use soulbound_runtime::grant::SecretGrant;
use soulbound_runtime::sandbox::Carrier;

pub(crate) use known::AgentSecrets;
pub(crate) use store::{SecretStore, forget};

/// What a file may hold, in bytes, that a skill with secrets writes in one piece.
const FILE_BYTES: u64 = 32 << 20;

/// Whether content has to be complete before it is masked: files that a skill with secrets writes. An echo that a server
/// hid from the runtime may stand there in the clear, in as many pieces as the skill likes.
pub(crate) fn inspects(granted: &[SecretGrant], carrier: Carrier<'_>) -> Option<u64> {
    (!granted.is_empty() && carrier == Carrier::File).then_some(FILE_BYTES)
}

/// A secret's name and origin as an operator gave them, checked as SOUL.md's are: the origin in its one spelling.
fn checked(name: &str, host: &str) -> Result<(String, String)> {
    const HINT: &str = "soulbound secrets set NAME --agent AGENT --for https://api.example.com";
    let host = host.strip_suffix('/').unwrap_or(host);
    if name.contains(' ') || host.contains(' ') {
        bail!("a secret has a name without spaces and one exact host\n  hint: {HINT}");
    }
    // The very reader of SOUL.md, so that both mean the same; the header is of no matter here.
    let entry = format!("{name} for {host} as header X-Secret: {{}}");
    let rule = RuleRef { file: String::new(), line: 0, column: 0, text: String::new() };
    match SecretGrant::parse(&entry, rule) {
        Ok(grant) => Ok((grant.name.clone(), grant.origin())),
        Err(error) => bail!("{}\n  hint: {HINT}", error.message),
    }
}

#[cfg(test)]
mod tests;

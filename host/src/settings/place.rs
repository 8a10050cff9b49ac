//! Places that something is sent to, as `[[alerts]]` and `[[channels]]` write them. Their URLs, tokens and secrets are
//! credentials: no error from here holds a word of them.

use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use soulbound_runtime::sandbox::network::OutboundUrl;

use crate::oversight::place::{Place, Secret};

/// The largest file that holds a credential, in bytes.
const CREDENTIAL_BYTES: u64 = 4_096;
/// The shortest secret that a signature is made with, in bytes.
const SECRET_LEAST: usize = 16;
/// Where bots speak, unless the operator runs a server of the same API.
const TELEGRAM: &str = "https://api.telegram.org";

/// A credential: in gateway.toml itself, or in a file that only this user can read.
#[derive(Deserialize)]
#[serde(try_from = "toml::Value")]
pub(super) enum Credential {
    Here(String),
    /// `{ file = "/path" }`
    File(String),
}

impl TryFrom<toml::Value> for Credential {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Self, &'static str> {
        match value {
            toml::Value::String(text) => Ok(Self::Here(text)),
            toml::Value::Table(mut table) if table.len() == 1 => match table.remove("file") {
                Some(toml::Value::String(file)) => Ok(Self::File(file)),
                _ => Err("expected a text, or `{ file = \"/path\" }`"),
            },
            _ => Err("expected a text, or `{ file = \"/path\" }`"),
        }
    }
}

/// `telegram = { token = …, chat = "…" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Telegram {
    token: Credential,
    /// The chat's number or `@name`.
    chat: String,
    /// Another server of the Bot API.
    api: Option<String>,
}

/// The keys that name a place over the network.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) slack: Option<Credential>,
    pub(super) discord: Option<Credential>,
    pub(super) telegram: Option<Telegram>,
    pub(super) webhook: Option<Credential>,
    pub(super) secret: Option<Credential>,
}

impl Keys {
    /// The places that are named; `secret` belongs to `webhook` alone.
    pub(super) fn read(self) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        if let Some(url) = self.slack {
            places.push(Place::Slack(url.url("slack")?));
        }
        if let Some(url) = self.discord {
            places.push(Place::Discord(url.url("discord")?));
        }
        if let Some(telegram) = self.telegram {
            places.push(telegram.read()?);
        }
        match (self.webhook, self.secret) {
            (Some(url), Some(secret)) => {
                let secret = secret.read("secret")?;
                if secret.len() < SECRET_LEAST {
                    bail!("`secret` has fewer than {SECRET_LEAST} bytes\n  hint: openssl rand -hex 32");
                }
                places.push(Place::Webhook { url: url.url("webhook")?, secret: Secret::new(secret) });
            }
            (Some(_), None) => bail!(
                "`webhook` needs a `secret`: whoever receives it must be able to tell that it is ours\n  hint: secret = {{ file = \"/path/to/secret\" }}"
            ),
            (None, Some(_)) => bail!("`secret` is for `webhook` alone"),
            (None, None) => {}
        }
        Ok(places)
    }
}

impl Credential {
    fn read(&self, key: &str) -> Result<String> {
        match self {
            Self::Here(text) => Ok(text.clone()),
            Self::File(file) => from_file(file).with_context(|| format!("the file of `{key}`")),
        }
    }

    fn url(&self, key: &str) -> Result<OutboundUrl> {
        OutboundUrl::parse(self.read(key)?.trim()).map_err(|error| anyhow::anyhow!("`{key}`: {error}"))
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credential(…)")
    }
}

impl Telegram {
    fn read(self) -> Result<Place> {
        let token = self.token.read("token")?;
        let token = token.trim();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":_-".contains(&byte);
        if token.is_empty() || !token.bytes().all(plain) {
            bail!("`telegram` `token` is no bot's token: expected digits, `:`, and letters and digits");
        }
        let chat = self.chat;
        let number = chat.strip_prefix('-').unwrap_or(&chat);
        let named = chat.strip_prefix('@').is_some_and(|name| !name.is_empty());
        if !named && (number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit())) {
            bail!("`telegram` `chat` is neither a number such as \"-1001234\" nor a name such as \"@news\"");
        }
        let api = self.api.as_deref().unwrap_or(TELEGRAM).trim_end_matches('/');
        let url = OutboundUrl::parse(&format!("{api}/bot{token}/sendMessage"))
            .map_err(|error| anyhow::anyhow!("`telegram` `api`: {error}"))?;
        Ok(Place::Telegram { url, chat })
    }
}

/// A file that only this user can read, without the newline that editors put at its end.
fn from_file(path: &str) -> Result<String> {
    use std::io::Read;
    let path = super::directory(path)?;
    let shown = path.display();
    let file = std::fs::File::open(&path).with_context(|| format!("`{shown}` cannot be read"))?;
    let metadata = file.metadata().with_context(|| format!("`{shown}` cannot be read"))?;
    if !metadata.is_file() || metadata.mode() & 0o077 != 0 {
        bail!("`{shown}` is no file that only its owner can read\n  hint: chmod 600 {shown}");
    }
    let mut text = String::new();
    file.take(CREDENTIAL_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|_| anyhow::anyhow!("`{shown}` holds no text"))?;
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    if text.is_empty() || text.len() as u64 > CREDENTIAL_BYTES {
        bail!("`{shown}` is empty or has more than {CREDENTIAL_BYTES} bytes");
    }
    Ok(text)
}

/// The agents that an entry is for, by their ids; none for all of them.
pub(super) fn agents(list: Option<Vec<String>>) -> Result<Option<Vec<String>>> {
    let Some(list) = list else { return Ok(None) };
    if list.is_empty() {
        bail!("`agents` is empty, so it would be for nobody\n  hint: remove it for all agents");
    }
    list.iter().map(|agent| crate::trust::id(agent)).collect::<Result<_>>().map(Some)
}

//! A place over the network to which the gateway itself sends: a chat's hook, a bot's chat, a webhook that can check
//! who called. One for alerts and channels.
//!
//! The rule: what is shown of a place is its kind and its origin. Its path, its token and its secret are credentials.

pub(crate) mod markup;
pub(crate) mod signature;

use std::fmt;

use serde_json::{Value, json};
use soulbound_runtime::sandbox::network::OutboundUrl;

/// A place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// An incoming webhook of Slack, or of what takes the same: `{"text": …}`.
    Slack(OutboundUrl),
    /// A webhook of Discord: `{"content": …}`.
    Discord(OutboundUrl),
    /// A chat of a Telegram bot.
    Telegram {
        /// The method's URL, which holds the token.
        url: OutboundUrl,
        /// The chat's number or name.
        chat: String,
    },
    /// Anything that takes JSON, signed.
    Webhook {
        /// Where.
        url: OutboundUrl,
        /// What it is signed with.
        secret: Secret,
    },
}

/// What is posted to a place.
pub(crate) struct Post {
    /// Headers beside the usual ones.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Place {
    /// The key that names it in gateway.toml.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Slack(_) => "slack",
            Self::Discord(_) => "discord",
            Self::Telegram { .. } => "telegram",
            Self::Webhook { .. } => "webhook",
        }
    }

    /// Its URL, for the one who posts.
    pub(crate) fn url(&self) -> &OutboundUrl {
        match self {
            Self::Slack(url)
            | Self::Discord(url)
            | Self::Telegram { url, .. }
            | Self::Webhook { url, .. } => url,
        }
    }

    /// An alert: `head` is the program's own, `lines` may hold anybody's words, `document` is for programs.
    pub(crate) fn alert(&self, head: &str, lines: &[String], document: &Value) -> Post {
        let body = match self {
            Self::Slack(_) => json!({"text": markup::in_code(head, lines, markup::Dialect::Slack)}),
            Self::Discord(_) => {
                let content = markup::in_code(head, lines, markup::Dialect::Discord);
                json!({"content": content, "allowed_mentions": {"parse": []}})
            }
            Self::Telegram { chat, .. } => {
                let text = format!("{head}\n{}", lines.join("\n"));
                // One entity over the whole text: inside it nothing becomes a link, a mention or a command.
                let length = text.encode_utf16().count();
                json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true},
                    "entities": [{"type": "pre", "offset": 0, "length": length}]})
            }
            Self::Webhook { .. } => document.clone(),
        };
        self.post(&body)
    }

    /// An agent's message: `stamp` is the host's line above it.
    ///
    /// # Errors
    ///
    /// The text is longer than the place takes; nothing is cut.
    pub(crate) fn message(&self, stamp: &str, text: &str, document: &Value) -> Result<Post, String> {
        let fits = |text: String, most: usize| {
            let length = text.encode_utf16().count();
            if length <= most {
                Ok(text)
            } else {
                Err(format!("{} takes {most} characters, and with its stamp this has {length}", self.kind()))
            }
        };
        let body = match self {
            Self::Slack(_) => {
                let text = markup::plain(stamp, text, markup::Dialect::Slack);
                // A preview would make the chat's own servers fetch what the agent wrote.
                json!({"text": fits(text, 40_000)?, "unfurl_links": false, "unfurl_media": false})
            }
            Self::Discord(_) => {
                let content = fits(markup::plain(stamp, text, markup::Dialect::Discord), 2_000)?;
                json!({"content": content, "allowed_mentions": {"parse": []}, "flags": 4})
            }
            Self::Telegram { chat, .. } => {
                let text = fits(markup::plain(stamp, text, markup::Dialect::Telegram), 4_096)?;
                json!({"chat_id": chat, "text": text, "link_preview_options": {"is_disabled": true}})
            }
            Self::Webhook { .. } => document.clone(),
        };
        Ok(self.post(&body))
    }

    fn post(&self, body: &Value) -> Post {
        let body = body.to_string().into_bytes();
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Self::Webhook { secret, .. } = self {
            headers.push((signature::HEADER, signature::sign(secret, signature::now(), &body)));
        }
        Post { headers, body }
    }
}

/// `slack at https://hooks.slack.com:443`
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.kind(), self.url().place())
    }
}

/// A secret that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// Keeps it.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

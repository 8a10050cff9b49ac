//! Telling a webhook of what waits, with a link that decides.
//!
//! The rule: the link is a secret of one question. Only its hash is kept, it dies with the question, and opening it changes
//! nothing: previews and mail scanners open links.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use soulbound_runtime::skill::Digest;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::card::{self, Much};
use super::{Approvals, list};
use crate::settings::approvals::Approvals as Settings;

/// Posts a JSON document somewhere, in its own time: must neither block nor fail the caller.
pub(crate) trait Post: Send + Sync {
    /// Posts it.
    fn post(&self, url: &str, document: Value);
}

/// What opens one question.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// SHA-256 of the token in the link.
    token: Digest,
    /// What the page's own form sends back.
    form: String,
}

/// A question as its page shows it.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Its 128 bits.
    pub(crate) id: String,
    /// `echo-37`.
    pub(crate) name: String,
    /// The text.
    pub(crate) card: String,
    /// What the form sends back.
    pub(crate) form: String,
}

impl Opened {
    /// Whether this came from the page's own form.
    pub(crate) fn is_form(&self, sent: &str) -> bool {
        bool::from(self.form.as_bytes().ct_eq(sent.as_bytes()))
    }
}

impl Approvals {
    /// Tells the webhook, if there is one.
    pub(super) fn announce(&self, key: u64, settings: &Settings) {
        let (Some(url), Some(post)) = (&settings.webhook, self.post.get()) else { return };
        let address = settings.address.as_ref().or_else(|| self.address.get());
        let (Some(address), Ok(token), Ok(form)) = (address, random::<32>(), random::<16>()) else {
            tracing::error!("an approval could not be announced: no address or no random numbers");
            return;
        };
        let mut queue = self.queue();
        let Some(request) = queue.get_mut(key) else { return };
        request.link = Some(Link { token: Digest::of(token.as_bytes()), form });
        let (subject, position) = (&request.subject, list::position(request));
        // A chat program renders the text: nothing that was chosen at run time stands in it.
        let text = format!(
            "{}: skill {} of agent {} wants to {} (tool {}); refused in {} s if nobody decides",
            position.name,
            subject.skill,
            subject.agent,
            subject.verb(),
            subject.tool,
            position.seconds
        );
        let link = format!("{address}/approvals/{token}");
        let document = json!({
            "text": format!("{text}\n{link}"), "event": "approval.requested", "name": position.name,
            "agent": subject.agent, "skill": subject.skill, "tool": subject.tool, "what": card::line(subject),
            "seconds": position.seconds, "link": link,
        });
        drop(queue);
        post.post(url, document);
    }

    /// The question that a link leads to. Changes nothing.
    pub(crate) fn opened(&self, token: &str) -> Option<Opened> {
        let queue = self.queue();
        let request = queue.find_link(Digest::of(token.as_bytes()), Instant::now())?;
        let card = card::card(&request.subject, &list::position(request), Much::All);
        let name = request.name.clone()?;
        Some(Opened { id: request.id.clone(), name, card, form: request.link.as_ref()?.form.clone() })
    }

    /// Where links lead and how they are told: once, when the gateway listens.
    pub(crate) fn tells(&self, address: &str, post: Arc<dyn Post>) {
        let _ = self.address.set(format!("http://{address}"));
        let _ = self.post.set(post);
    }
}

impl Link {
    /// Whether this is the token's hash. Hashes are compared: their order tells nothing.
    pub(super) fn is(&self, token: Digest) -> bool {
        self.token == token
    }
}

fn random<const BYTES: usize>() -> Result<String, ()> {
    let mut random = [0_u8; BYTES];
    getrandom::fill(&mut random).map_err(drop)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

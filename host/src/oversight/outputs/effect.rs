//! An effect, judged before it happens: a request with its URL, headers and body, a change to a file, a message.

use std::sync::Arc;

use bytes::Bytes;
use soulbound_runtime::sandbox::{Carrier, Content, Effect};

use super::content::Mask;
use super::place::{Action, Place};
use super::views::packed::{Packing, is_whole};
use super::{JUDGED_BYTES, Judged, LARGE, Note, Outputs, Verdict, unjudged};
use crate::gateway::doors::Turns;

/// Ways to pack a body that are looked into, and what a receiver takes each for: `deflate` is zlib by RFC 9110, and many send
/// and take deflate without its header.
const KNOWN_CODINGS: [(&str, &[Packing]); 3] = [
    ("gzip", &[Packing::Gzip]),
    ("x-gzip", &[Packing::Gzip]),
    ("deflate", &[Packing::Zlib, Packing::Deflate]),
];

/// [`Outputs::judge_effect`], large content on threads that everybody else goes before.
pub(crate) async fn judged(outputs: Arc<Outputs>, turns: &Turns, effect: &Effect) -> Judged<Content> {
    if size(effect) < LARGE {
        return outputs.judge_effect(effect);
    }
    let effect = effect.clone();
    turns.below(move || outputs.judge_effect(&effect)).await.unwrap_or_else(|| {
        let denial = unjudged(Place::Http, "the judgement did not come to its end");
        Judged { verdict: Verdict::Block(Box::new(denial)), notes: Vec::new() }
    })
}

/// How many bytes an effect carries.
pub(crate) fn size(effect: &Effect) -> usize {
    match effect {
        Effect::Request { body: content, .. } | Effect::Change { content, .. } => {
            content.as_ref().map_or(0, |content| content.0.len())
        }
        Effect::Message { text, .. } => text.0.len(),
        _ => 0,
    }
}

impl Outputs {
    /// Whether content of this kind has to be complete, and up to how many bytes.
    pub(crate) fn inspects(&self, carrier: Carrier<'_>) -> Option<u64> {
        let place = match carrier {
            Carrier::Request { .. } => Place::Http,
            Carrier::File => Place::Files,
            // A kind that is not known here is looked at where anything is.
            _ => return (self.applies(Place::Http) || self.applies(Place::Files)).then_some(JUDGED_BYTES),
        };
        self.applies(place).then_some(JUDGED_BYTES)
    }

    /// Judges an effect. What is masked is its content.
    pub(crate) fn judge_effect(&self, effect: &Effect) -> Judged<Content> {
        match effect {
            Effect::Request { method, url, headers, body } => {
                self.request(method, url, headers, body.as_ref())
            }
            Effect::Change { path, to, content, .. } => {
                let names =
                    [Some(path.as_str()), to.as_deref()].into_iter().flatten().collect::<Vec<_>>().join("\n");
                self.head_and_content(Place::Files, &names, content.as_ref(), Mask::SameLength)
            }
            Effect::Message { channel, text } => {
                self.head_and_content(Place::Channels, channel, Some(text), Mask::Named)
            }
            _ => {
                let applies = self.applies(Place::Http) || self.applies(Place::Files);
                let verdict = if applies {
                    Verdict::Block(Box::new(unjudged(Place::Http, "this build does not know such an effect")))
                } else {
                    Verdict::Pass
                };
                Judged { verdict, notes: Vec::new() }
            }
        }
    }

    fn request(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: Option<&Content>,
    ) -> Judged<Content> {
        if let Err(why) = coded(headers, body)
            && self.rules(Place::Http).any(|rule| rule.action(Place::Http) >= Action::Redact)
        {
            let note = Note { rule: "unjudged".to_owned(), place: Place::Http, action: Action::Block };
            return Judged {
                verdict: Verdict::Block(Box::new(unjudged(Place::Http, why))),
                notes: vec![note],
            };
        }
        let mut head = format!("{method} {url}\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\n"));
        }
        self.head_and_content(Place::Http, &head, body, Mask::SameLength)
    }

    /// What can only be refused, and what can also be masked.
    fn head_and_content(
        &self,
        place: Place,
        head: &str,
        content: Option<&Content>,
        mask: Mask,
    ) -> Judged<Content> {
        let head = self.judge_bytes(place, head.as_bytes(), Mask::Impossible);
        let mut notes = head.notes;
        let held = match head.verdict {
            Verdict::Block(denial) => return Judged { verdict: Verdict::Block(denial), notes },
            Verdict::Hold(held) => Some(held),
            Verdict::Pass | Verdict::Masked(_) => None,
        };
        let Some(content) = content else {
            return Judged { verdict: held.map_or(Verdict::Pass, Verdict::Hold), notes };
        };
        let judged = self.judge_bytes(place, &content.0, mask);
        notes.extend(judged.notes);
        let verdict = match (judged.verdict, held) {
            (Verdict::Block(denial), _) => Verdict::Block(denial),
            (Verdict::Hold(held), _) | (_, Some(held)) => Verdict::Hold(held),
            (Verdict::Masked(bytes), None) => Verdict::Masked(Content(Bytes::from(bytes))),
            (Verdict::Pass, None) => Verdict::Pass,
        };
        Judged { verdict, notes }
    }
}

/// Whether what a request says of how its body is packed is true, and leaves nothing that is not looked into. A header's name
/// with `_` is the same one to whoever hands headers on as variables (RFC 3875).
fn coded(headers: &[(String, String)], body: Option<&Content>) -> Result<(), &'static str> {
    let values = headers
        .iter()
        .filter(|(name, _)| name.replace('_', "-").eq_ignore_ascii_case("content-encoding"))
        .flat_map(|(_, value)| value.split(','));
    let codings: Vec<String> = values
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !matches!(coding.as_str(), "" | "identity"))
        .collect();
    let [coding] = codings.as_slice() else {
        return if codings.is_empty() { Ok(()) } else { Err("it has more than one `Content-Encoding`") };
    };
    let Some((_, packings)) = KNOWN_CODINGS.iter().find(|(known, _)| known == coding) else {
        return Err("its `Content-Encoding` is none that is looked into");
    };
    match body {
        Some(body) if !body.0.is_empty() && !is_whole(packings, &body.0) => {
            Err("its body is not what its `Content-Encoding` says, or more than is looked at")
        }
        _ => Ok(()),
    }
}

//! One agent's secrets as everything else sees them: something to be masked in what is recorded, returned or shown.
//!
//! The runtime masks what a server sends back. This is for the rest: a model that was told a token in a conversation passes
//! it as an argument, a skill prints it, an error quotes it. The rule: an agent without secrets pays one look at the disk.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use soulbound_runtime::Denial;
use soulbound_runtime::sandbox::secret::{Masking, mask_members, mask_text, mask_value};
use soulbound_runtime::sandbox::{Access, CallError, Content, Effect, Ending, Outcome, Permit, Secret};

use super::SecretStore;

/// Of a name that a caller wrote and that no skill or tool can have, so many bytes are looked at …
const NAME_LOOKED_AT: usize = 4 << 10;
/// … and so many shown.
const NAME_SHOWN: usize = 512;

/// The secrets of one agent. Clones are the same.
#[derive(Clone)]
pub(crate) struct AgentSecrets {
    agent: String,
    store: Arc<SecretStore>,
}

impl AgentSecrets {
    /// Of this agent.
    pub(crate) fn of(agent: &str, store: Arc<SecretStore>) -> Self {
        Self { agent: agent.to_owned(), store }
    }

    /// A text with every echo masked.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known();
        if known.is_empty() { Cow::Borrowed(text) } else { mask_text(&known, text) }
    }

    /// The name of a skill or a tool as a caller wrote it, masked. Of a long one the beginning.
    pub(crate) fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if name.len() <= NAME_LOOKED_AT {
            return self.text(name);
        }
        let looked_at = self.text(name.get(..name.floor_char_boundary(NAME_LOOKED_AT)).unwrap_or_default());
        // Cut far before the place where an echo may have been cut.
        let shown = looked_at.get(..looked_at.floor_char_boundary(NAME_SHOWN)).unwrap_or_default();
        Cow::Owned(shown.to_owned())
    }

    /// Whether there is anything to look for.
    pub(crate) fn has_any(&self) -> bool {
        let (known, are_all) = self.store.masked(&self.agent);
        !(known.is_empty() && are_all)
    }

    /// What is recorded and shown in place of arguments that nobody could look through.
    pub(crate) fn withheld(why: &str) -> Map<String, Value> {
        Map::from_iter([("withheld".to_owned(), json!(why))])
    }

    /// Arguments as they may be recorded and shown. While the secrets cannot be read nobody can tell what is one, and the
    /// arguments stay out of the record.
    pub(crate) fn members<'a>(&self, members: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
        let (known, are_all) = self.store.masked(&self.agent);
        if !are_all {
            return Cow::Owned(Self::withheld("the agent's secrets cannot be read"));
        }
        if known.is_empty() {
            return Cow::Borrowed(members);
        }
        mask_members(&known, members).map_or(Cow::Borrowed(members), Cow::Owned)
    }

    /// What a call ended with, before anybody hears of it.
    pub(crate) fn outcome(&self, mut outcome: Outcome) -> Outcome {
        let known = self.known();
        if known.is_empty() {
            return outcome;
        }
        match &mut outcome.ending {
            Ending::Returned(value) => value_in(&known, value),
            Ending::Failed { denial, error } => {
                denial.iter_mut().for_each(|denial| denial_in(&known, denial));
                error.iter_mut().for_each(|error| error_in(&known, error));
            }
        }
        outcome.denials.iter_mut().for_each(|denial| denial_in(&known, denial));
        outcome.accesses.iter_mut().for_each(|access| access_in(&known, access));
        outcome.log.iter_mut().for_each(|line| text_in(&known, &mut line.text));
        outcome
    }

    /// An access as it may be recorded.
    pub(crate) fn access(&self, mut access: Access) -> Access {
        let known = self.known();
        access_in(&known, &mut access);
        access
    }

    /// Masks what a person is shown and the trail is told of an effect. Its content is masked by [`Self::permit`], since that is
    /// what happens; these happen as they are.
    pub(crate) fn shown_effect(&self, effect: &mut Effect) {
        let known = self.known();
        match effect {
            Effect::Request { url, headers, .. } => {
                text_in(&known, url);
                for (name, value) in headers {
                    text_in(&known, name);
                    text_in(&known, value);
                }
            }
            Effect::Change { path, to, .. } => {
                text_in(&known, path);
                to.iter_mut().for_each(|to| text_in(&known, to));
            }
            _ => {}
        }
    }

    /// What an effect carries, masked if it holds a secret: a file gets no echo that a server hid from us.
    pub(crate) fn permit(&self, effect: &Effect) -> Permit {
        let content = match effect {
            Effect::Request { body: Some(content), .. }
            | Effect::Change { content: Some(content), .. }
            | Effect::Message { text: content, .. } => content,
            _ => return Permit::Unchanged,
        };
        let known = self.known();
        if known.is_empty() {
            return Permit::Unchanged;
        }
        let mut masking = Masking::of(known);
        let masked = [masking.push(&content.0), masking.finish()].concat();
        if masked == content.0 { Permit::Unchanged } else { Permit::Masked(Content(masked.into())) }
    }

    fn known(&self) -> Vec<Arc<Secret>> {
        self.store.masked(&self.agent).0
    }
}

fn text_in(known: &[Arc<Secret>], text: &mut String) {
    if known.is_empty() {
        return;
    }
    if let Cow::Owned(masked) = mask_text(known, text) {
        *text = masked;
    }
}

fn value_in(known: &[Arc<Secret>], value: &mut Value) {
    if let Some(masked) = mask_value(known, value) {
        *value = masked;
    }
}

fn access_in(known: &[Arc<Secret>], access: &mut Access) {
    text_in(known, &mut access.target);
    text_in(known, &mut access.access);
    access.failed.iter_mut().for_each(|failed| text_in(known, failed));
    access.denial.iter_mut().for_each(|denial| denial_in(known, denial));
}

fn denial_in(known: &[Arc<Secret>], denial: &mut Denial) {
    text_in(known, &mut denial.message);
    denial.hint.iter_mut().for_each(|hint| text_in(known, hint));
}

fn error_in(known: &[Arc<Secret>], error: &mut CallError) {
    text_in(known, &mut error.message);
    error.value.iter_mut().for_each(|value| value_in(known, value));
}

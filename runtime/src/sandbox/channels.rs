//! `soulbound:skill/channels`: a skill's messages to the agent's channels.
//!
//! The path of a message: counted, then the text's form, then the list of SOUL.md, then the overseer (output rules,
//! approval, whether the operator bound the channel), and only then it is handed over. The rule: every attempt is
//! recorded, and what arrives is what the overseer saw.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::denial::{Denial, DenialId, RuleRef};
use crate::grant::{Capability, ChannelGrant, Grant};
use crate::sandbox::network::EgressBudget;
use crate::sandbox::overseer::{AccessKind, BoxFuture, Content, Effect, Permit};
use crate::sandbox::state::CallState;
use crate::sandbox::witness::Witness;
use crate::visible;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "messages",
        imports: { "soulbound:skill/channels.send": async },
    });
}

use bindings::soulbound::skill::channels as wit;

/// The longest message, in bytes.
pub const LONGEST_MESSAGE: usize = 16 << 10;
/// Attempts of one call, refused ones too: each is a record, and one that is let go on is somebody's attention.
const SENDS_PER_CALL: u32 = 32;
/// The import through which every message comes.
const IMPORTED: &str = "soulbound:skill/channels@0.1";

/// The channels of one call.
pub(crate) struct CallChannels {
    granted: Vec<ChannelGrant>,
    /// The line of SOUL.md by which this skill is kept from them.
    refused: Option<RuleRef>,
    egress: Option<EgressBudget>,
    sends: u32,
    /// Where the call's process is not the one that sends.
    elsewhere: Option<Elsewhere>,
}

/// Another process, which judges and sends, and what it says that there is.
struct Elsewhere {
    shown: Vec<(String, bool)>,
    sender: Arc<dyn Sender>,
}

/// Has another process send a message.
pub(crate) trait Sender: Send + Sync {
    /// What the guest is told, as [`CallChannels::send`] says it.
    fn send(&self, channel: String, text: String) -> BoxFuture<'_, Result<String, Unsent>>;
}

impl CallChannels {
    /// What the grant gives; nothing if it refuses the capability. `egress` is asked before bytes leave.
    pub(crate) fn new(grant: &Grant, egress: Option<EgressBudget>) -> Self {
        let refuses = |entry: &&(Capability, RuleRef)| entry.0 == Capability::Channels;
        let refused = grant.refuse.iter().find(refuses).map(|(_, rule)| rule.clone());
        let granted = if refused.is_some() { Vec::new() } else { grant.channels.clone() };
        Self { granted, refused, egress, sends: 0, elsewhere: None }
    }

    /// Those of another process.
    pub(crate) fn elsewhere(shown: Vec<(String, bool)>, sender: Arc<dyn Sender>) -> Self {
        let elsewhere = Some(Elsewhere { shown, sender });
        Self { granted: Vec::new(), refused: None, egress: None, sends: 0, elsewhere }
    }

    /// Their names, and whether each message waits for a person.
    pub(crate) fn shown(&self) -> Vec<(String, bool)> {
        match &self.elsewhere {
            Some(elsewhere) => elsewhere.shown.clone(),
            None => self.granted.iter().map(|one| (one.to_string(), one.review.is_some())).collect(),
        }
    }

    fn named(&self, name: &str) -> Option<&ChannelGrant> {
        self.granted.iter().find(|channel| channel.is_named(name))
    }
}

/// Links the interface.
pub(crate) fn link(linker: &mut wasmtime::component::Linker<CallState>) -> wasmtime::Result<()> {
    use wasmtime::component::HasSelf;
    wit::add_to_linker::<CallState, HasSelf<CallState>>(linker, |state| state)
}

impl wit::Host for CallState {
    fn list(&mut self) -> Vec<wit::ChannelInfo> {
        let shown = self.channels.shown();
        shown.into_iter().map(|(name, reviewed)| wit::ChannelInfo { name, reviewed }).collect()
    }

    async fn send(&mut self, channel: String, text: String) -> Result<wit::Receipt, wit::Error> {
        match self.channels.send(&self.witness, channel, text).await {
            Ok(told) => Ok(wit::Receipt { told }),
            Err(Unsent { kind, message, .. }) => Err(wit::Error { kind: kind.into(), message }),
        }
    }
}

/// Why a message did not go out.
pub(crate) struct Unsent {
    pub(crate) kind: SendFault,
    /// What the guest is told.
    pub(crate) message: String,
    /// The denial, which is recorded.
    pub(crate) denial: Option<Denial>,
}

/// The interface's kinds of error.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum SendFault {
    NotListed,
    InvalidText,
    Refused,
    NotDelivered,
}

impl From<SendFault> for wit::ErrorKind {
    fn from(fault: SendFault) -> Self {
        match fault {
            SendFault::NotListed => Self::NotListed,
            SendFault::InvalidText => Self::InvalidText,
            SendFault::Refused => Self::Refused,
            SendFault::NotDelivered => Self::NotDelivered,
        }
    }
}

impl CallChannels {
    /// Sends one message, or refuses it; what the guest is told of it.
    pub(crate) async fn send(
        &mut self,
        witness: &Witness,
        channel: String,
        text: String,
    ) -> Result<String, Unsent> {
        if let Some(elsewhere) = &self.elsewhere {
            return elsewhere.sender.send(channel, text).await;
        }
        self.sends = self.sends.saturating_add(1);
        if let Err((kind, denial)) = self.judge(&witness.skill, &channel, &text) {
            return Err(refuse(witness, &channel, kind, denial));
        }
        // From here on by its name in SOUL.md, however the guest spelled it.
        let Some(name) = self.named(&channel).map(ToString::to_string) else {
            let denial = self.not_listed(&witness.skill, &channel);
            return Err(refuse(witness, &channel, SendFault::NotListed, denial));
        };
        let text = Content(Bytes::from(text));
        let effect = Effect::Message { channel: name.clone(), text: text.clone() };
        let text = match witness.before_effect(&effect).await {
            Ok(Permit::Unchanged) => text,
            Ok(Permit::Masked(masked)) => masked,
            Err(denial) => return Err(refuse(witness, &name, SendFault::Refused, denial)),
        };
        if let Some(budget) = &self.egress
            && let Err(denial) = budget(text.0.len() as u64)
        {
            return Err(refuse(witness, &name, SendFault::Refused, denial));
        }
        witness.allowed(AccessKind::Channel, &name, "send");
        witness.deliver(&name, &text).await.map(|told| visible::line(&told)).map_err(|why| Unsent {
            kind: SendFault::NotDelivered,
            message: visible::line(&why),
            denial: None,
        })
    }

    /// What can be judged without the overseer.
    fn judge(&self, skill: &str, channel: &str, text: &str) -> Result<(), (SendFault, Denial)> {
        if self.sends > SENDS_PER_CALL {
            let message = format!("skill `{skill}` may send at most {SENDS_PER_CALL} messages in one call");
            return Err((SendFault::Refused, Denial::new(DenialId::LimitRequests, message)));
        }
        if let Some(rule) = &self.refused {
            let message = format!("skill `{skill}` may not send to {}", visible::quoted_target(channel));
            let denial = Denial::new(DenialId::ImportRefused, message).rule(rule.clone());
            return Err((SendFault::NotListed, denial));
        }
        if self.named(channel).is_none() {
            return Err((SendFault::NotListed, self.not_listed(skill, channel)));
        }
        let wrong = if text.trim().is_empty() {
            "that is empty".to_owned()
        } else if text.len() > LONGEST_MESSAGE {
            format!("of {} bytes, and {LONGEST_MESSAGE} is the most", text.len())
        } else if let Some(character) = text.chars().find(|character| is_unfit(*character)) {
            format!("that holds the character U+{:04X}", u32::from(character))
        } else {
            return Ok(());
        };
        let message = format!("skill `{skill}` may not send a text {wrong}");
        Err((SendFault::InvalidText, Denial::new(DenialId::ChannelText, message)))
    }

    fn not_listed(&self, skill: &str, channel: &str) -> Denial {
        let message = format!("skill `{skill}` may not send to {}", visible::quoted_target(channel));
        let names: Vec<String> = self.granted.iter().map(|one| format!("`{one}`")).collect();
        let denial = Denial::new(DenialId::ChannelNotListed, message);
        match self.granted.first() {
            Some(first) => denial
                .rule(first.rule.clone())
                .hint(format!("SOUL.md lists {}", visible::line(&names.join(", ")))),
            None => denial,
        }
    }
}

fn refuse(witness: &Witness, channel: &str, kind: SendFault, denial: Denial) -> Unsent {
    let denial = if denial.imported.is_none() { denial.imported(IMPORTED) } else { denial };
    let message = denial.first_line();
    witness.denied(AccessKind::Channel, channel, "send", denial.clone());
    Unsent { kind, message, denial: Some(denial) }
}

/// Characters that no message holds: controls but newline and tab, those that turn a line's direction, those that end
/// a line where a reader of bytes sees none, and tags, which carry text that nobody sees. Joiners and variation selectors
/// stay: emoji and several scripts are written with them.
fn is_unfit(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{34f}' | '\u{180b}'..='\u{180f}' => false,
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' => false,
        other => visible::is_invisible(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_text_that_a_person_sees_as_it_is() {
        for (character, unfit) in [
            ('a', false),
            ('\n', false),
            ('\t', false),
            ('é', false),
            ('日', false),
            ('\u{200d}', false),
            ('\u{fe0f}', false),
            ('\r', true),
            ('\0', true),
            ('\u{1b}', true),
            ('\u{85}', true),
            ('\u{202e}', true),
            ('\u{2066}', true),
            ('\u{2028}', true),
            ('\u{200b}', true),
            ('\u{e0041}', true),
        ] {
            assert_eq!(is_unfit(character), unfit, "U+{:04X}", u32::from(character));
        }
    }
}

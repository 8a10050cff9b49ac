//! `messenger`: sends what an agent wrote to the agent's channels. `wit/messenger.wit` is the documentation.
//!
//! The rule: it adds nothing to a text and takes nothing from it; who sent it and who reviewed it is the host's to say.

mod bindings;

use bindings::soulbound::skill::channels;
use bindings::{Channel, Failure, FailureKind, Guest, Sent};

struct Messenger;

impl Guest for Messenger {
    fn channels() -> Vec<Channel> {
        channels::list().into_iter().map(|one| Channel { name: one.name, reviewed: one.reviewed }).collect()
    }

    fn send(channel: String, text: String) -> Result<Sent, Failure> {
        match channels::send(&channel, &text) {
            Ok(receipt) => Ok(Sent { channel, told: receipt.told }),
            Err(error) => Err(failure(error)),
        }
    }
}

fn failure(error: channels::Error) -> Failure {
    let kind = match error.kind {
        channels::ErrorKind::NotListed => FailureKind::NotListed,
        channels::ErrorKind::Refused => FailureKind::Refused,
        channels::ErrorKind::InvalidText => FailureKind::InvalidText,
        channels::ErrorKind::NotDelivered => FailureKind::NotDelivered,
    };
    Failure { kind, message: error.message }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Messenger with_types_in crate::bindings);
    use super::Messenger;
}

//! `probe-channels`: sends what it is told, however bad. `wit/probe-channels.wit` is the documentation of each tool.

mod bindings;

use bindings::Guest;
use bindings::soulbound::skill::channels;

struct Probe;

impl Guest for Probe {
    fn names() -> Vec<(String, bool)> {
        channels::list().into_iter().map(|channel| (channel.name, channel.reviewed)).collect()
    }

    fn send(channel: String, text: String) -> Result<String, String> {
        match channels::send(&channel, &text) {
            Ok(receipt) => Ok(receipt.told),
            Err(error) => Err(format!("{:?}: {}", error.kind, error.message)),
        }
    }

    fn send_large(channel: String, bytes: u32) -> Result<String, String> {
        Self::send(channel, "x".repeat(bytes as usize))
    }

    fn send_many(channel: String, text: String, count: u32) -> u32 {
        let taken = (0..count).filter(|_| channels::send(&channel, &text).is_ok());
        u32::try_from(taken.count()).unwrap_or(u32::MAX)
    }
}

/// The exports' raw side, as wit-bindgen writes it.
#[expect(unsafe_code, reason = "the component model's calling convention")]
mod exports {
    crate::bindings::export!(Probe with_types_in crate::bindings);
    use super::Probe;
}

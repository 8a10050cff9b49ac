//! Letting things run again after a stop: the operator's act, recorded before it takes effect.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use crate::audit::Event;
use crate::operator::Who;
use crate::state::StateFolder;
use crate::state::lock::{Purpose, StateLock, Taken};

/// How long a stopped gateway may take to leave.
const LEAVES_WITHIN: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const LOOKS_AGAIN: Duration = Duration::from_millis(5);

/// Arms a state folder that was stopped. Whether it was.
pub(crate) fn arm(state: &StateFolder, who: &Who) -> Result<bool> {
    state.make()?;
    if !state.is_stopped() {
        return Ok(false);
    }
    let deadline = Instant::now() + LEAVES_WITHIN;
    loop {
        match StateLock::take(state, Purpose::Command)? {
            Taken::Ours(_lock) => {
                // Two at once: the other one was first.
                if !state.is_stopped() {
                    return Ok(false);
                }
                super::note(state, Event::GatewayArmed, who, &json!({}))?;
                return state.arm();
            }
            Taken::Theirs(_) if !state.is_stopped() => return Ok(false),
            // A gateway that is just being stopped leaves first.
            Taken::Theirs(_) if Instant::now() < deadline => std::thread::sleep(LOOKS_AGAIN),
            Taken::Theirs(_) => {
                bail!("the gateway that is being stopped does not leave\n  hint: soulbound gateway stop")
            }
        }
    }
}
